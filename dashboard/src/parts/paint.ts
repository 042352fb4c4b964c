// What charts are drawn with: the style sheet's colours, and the patterns of bands and gaps.
import type { Mark } from "../model/chartdata";

const TILE = 8; // pixels, the width and height of a pattern
/** The opacity of a band and of its marks. style.css has the same values for legends. */
const BAND_OPACITY = 0.25;
const MARK_OPACITY = 0.7;

/** The marks of a pattern, as SVG paths within a tile. */
export const MARKS: Record<Mark, string> = {
  dots: "M2 2h.01M6 6h.01",
  lines: "M-1 -1L9 9M-1 7L1 9M7 -1L9 1",
  plain: "",
};

export type Paint = CanvasPattern | string;

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function tilePattern(draw: (pen: CanvasRenderingContext2D) => void): Paint | null {
  const tile = document.createElement("canvas");
  tile.width = tile.height = Math.round(TILE * devicePixelRatio);
  const pen = tile.getContext("2d");
  if (!pen) {
    return null;
  }
  pen.scale(tile.width / TILE, tile.height / TILE);
  draw(pen);
  return pen.createPattern(tile, "repeat");
}

/** Return the hatching of gaps. */
export function gapPattern(): Paint {
  const stroke = colour("gap");
  const made = tilePattern((pen) => {
    pen.strokeStyle = stroke;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(0, TILE);
    pen.lineTo(TILE, 0);
    pen.stroke();
  });
  return made ?? stroke;
}

/** Return the pattern of a band. */
export function bandPattern(name: string, mark: Mark): Paint {
  const stroke = colour(name);
  const made = tilePattern((pen) => {
    pen.fillStyle = pen.strokeStyle = stroke;
    pen.globalAlpha = BAND_OPACITY;
    pen.fillRect(0, 0, TILE, TILE);
    pen.globalAlpha = MARK_OPACITY;
    pen.lineWidth = mark === "dots" ? 2 : 1;
    pen.lineCap = "round";
    pen.stroke(new Path2D(MARKS[mark]));
  });
  return made ?? stroke;
}

const measuring = document.createElement("canvas").getContext("2d");

/** Return the width of a text in pixels; of its widest line. */
export function widthOf(text: string, font: string): number {
  if (!measuring) {
    return 0;
  }
  measuring.font = font;
  return Math.max(...text.split("\n").map((line) => measuring.measureText(line).width));
}
