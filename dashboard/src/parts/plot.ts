// uPlot's options: lines that end where nothing is known, stacked bands, hatched gaps, and one
// crosshair for all charts.
import uPlot from "uplot";
import type { Gap } from "../api/types";
import { timeLabels, type Axis } from "../model/axes";
import { stacked, type Line } from "../model/chartdata";
import { zone } from "../state/settings";
import { bandPattern, colour, gapPattern, widthOf } from "./paint";

export interface Drawing {
  ends: readonly number[];
  lines: readonly Line[];
  isStacked: boolean;
  gaps: readonly Gap[];
  axis: Axis;
}

const FONT = "11px system-ui, sans-serif";
const AXIS_ROOM = 10; // pixels beside an axis, for its ticks and some space
const LINE_HEIGHT = 15; // pixels of a line of text below the axis
const EDGE = 6; // pixels, right of the plot
const SYNC_KEY = "charts"; // the charts that share a crosshair
const OUTSIDE = { left: -10, top: -10 };

export function dataOf({ ends: x, lines, isStacked }: Drawing): uPlot.AlignedData {
  const values = isStacked ? stacked(lines) : lines.map((line) => [...line.values]);
  return [[...x], ...values];
}

function gapsPlugin(gaps: () => readonly Gap[]): uPlot.Plugin {
  const paint = gapPattern();
  return {
    hooks: {
      draw: (plot) => {
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        ctx.fillStyle = paint;
        for (const gap of gaps()) {
          const from = plot.valToPos(Date.parse(gap.from) / 1000, "x", true);
          const to = plot.valToPos(Date.parse(gap.to) / 1000, "x", true);
          ctx.fillRect(from - 1, bbox.top, Math.max(3, to - from + 2), bbox.height);
        }
        ctx.restore();
      },
    },
  };
}

/** Return the points without a line to a neighbour; only these are drawn as points. */
function isolatedPoints(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const isThere = (index: number) => values[index] !== null && values[index] !== undefined;
  return [...values.keys()].filter(
    (index) => isThere(index) && !isThere(index - 1) && !isThere(index + 1),
  );
}

function windowOf(plot: uPlot): readonly [number, number] {
  const { min, max } = plot.scales.x ?? {};
  return [min ?? 0, max ?? 1];
}

/** Return the labels of the time axis, without one that would go beyond the plot. */
function timesBelow(plot: uPlot, ticks: readonly number[]): string[] {
  const [low, high] = windowOf(plot);
  const width = plot.bbox.width / devicePixelRatio;
  return timeLabels(ticks, [low, high], zone.value).map((label, number) => {
    const right = (((ticks[number] ?? 0) - low) / (high - low)) * width;
    return right + widthOf(label, FONT) / 2 > width + EDGE ? "" : label;
  });
}

function seriesOf(line: Line, isStacked: boolean): uPlot.Series {
  const stroke = colour(line.colour);
  const fill = isStacked ? bandPattern(line.colour, line.mark ?? "plain") : null;
  return {
    label: line.label,
    stroke,
    width: 1.5,
    spanGaps: false,
    points: { show: true, size: 5, filter: isolatedPoints },
    ...(fill === null ? {} : { fill: () => fill }),
    ...(line.dash ? { dash: [...line.dash] } : {}),
  };
}

/** Move the crosshair of all charts to a time in seconds since 1970, or remove it if null. */
export function moveCrosshair(moment: number | null): void {
  for (const plot of uPlot.sync(SYNC_KEY).plots) {
    plot.setCursor(moment === null ? OUTSIDE : { left: plot.valToPos(moment, "x"), top: 0 });
  }
}

/**
 * Return the options of a chart. `currentDrawing` returns what is drawn now. `onStep` is called
 * with the step of the crosshair, or null.
 */
export function optionsOf(
  currentDrawing: () => Drawing,
  onStep: (step: number | null) => void,
): uPlot.Options {
  const { lines, isStacked, axis: ofValues } = currentDrawing();
  const axis = {
    stroke: colour("quiet"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1, size: 5 },
    font: FONT,
    gap: 4,
  };
  return {
    width: 300, // until the size of its element is known
    height: 190,
    padding: [8, EDGE, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 7 },
      sync: { key: SYNC_KEY },
      // Snap the crosshair to the nearest step, whose values the legend shows.
      move: (plot, left, top) => {
        const at = left < 0 ? undefined : plot.data[0][plot.posToIdx(left)];
        return [at === undefined ? left : plot.valToPos(at, "x"), top];
      },
    },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone.value),
    scales: {
      x: { time: true },
      y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] },
    },
    axes: [
      {
        ...axis,
        space: 64,
        size: (_plot, labels: string[] | null) =>
          AXIS_ROOM + LINE_HEIGHT * (labels?.some((label) => label.includes("\n")) ? 2 : 1),
        values: timesBelow,
      },
      {
        ...axis,
        space: 32,
        incrs: [...ofValues.steps],
        size: (_plot, labels: string[] | null) =>
          AXIS_ROOM +
          Math.ceil(Math.max(8, ...(labels ?? []).map((label) => widthOf(label, FONT)))),
        values: (_plot, ticks) => ofValues.labels(ticks),
      },
    ],
    series: [{}, ...lines.map((line) => seriesOf(line, isStacked))],
    // Each band but the lowest is filled only down to the next one.
    ...(isStacked
      ? {
          bands: lines
            .slice(1)
            .map((_, number) => ({ series: [number + 1, number + 2] as [number, number] })),
        }
      : {}),
    hooks: { setCursor: [(plot) => onStep(plot.cursor.idx ?? null)] },
    plugins: [gapsPlugin(() => currentDrawing().gaps)],
  };
}
