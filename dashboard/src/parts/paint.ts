// What charts are painted with: the style sheet's colours, hatching, and the fillings of bands.
import type { Mark } from "../model/course";

const TILE = 8; // pixels
/** How much of its colour a band has, and its marks; legends have the same, in style.css. */
const BAND = 0.25;
const MARKED = 0.7;

/** Outlines in a tile, as SVG has them. */
export const MARKS: Record<Mark, string> = {
  dots: "M2 2h.01M6 6h.01",
  lines: "M-1 -1L9 9M-1 7L1 9M7 -1L9 1",
  plain: "",
};

export type Paint = CanvasPattern | string;

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function tiled(draw: (pen: CanvasRenderingContext2D) => void): Paint | null {
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

/** What a gap is hatched with. */
export function hatch(): Paint {
  const stroke = colour("gap");
  const made = tiled((pen) => {
    pen.strokeStyle = stroke;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(0, TILE);
    pen.lineTo(TILE, 0);
    pen.stroke();
  });
  return made ?? stroke;
}

/** What a band is filled with. */
export function filling(name: string, mark: Mark): Paint {
  const stroke = colour(name);
  const made = tiled((pen) => {
    pen.fillStyle = pen.strokeStyle = stroke;
    pen.globalAlpha = BAND;
    pen.fillRect(0, 0, TILE, TILE);
    pen.globalAlpha = MARKED;
    pen.lineWidth = mark === "dots" ? 2 : 1;
    pen.lineCap = "round";
    pen.stroke(new Path2D(MARKS[mark]));
  });
  return made ?? stroke;
}

const measuring = document.createElement("canvas").getContext("2d");

/** How wide a text is, pixels. */
export function widthOf(text: string, font: string): number {
  if (!measuring) {
    return 0;
  }
  measuring.font = font;
  return Math.max(...text.split("\n").map((line) => measuring.measureText(line).width));
}
