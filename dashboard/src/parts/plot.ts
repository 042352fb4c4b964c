// How uPlot draws: lines that break where nothing is known, bands that lie on each other, gaps hatched.
import uPlot from "uplot";
import type { Gap } from "../api/types";
import { moments, type Axis } from "../model/axes";
import { stacked, type Line } from "../model/course";
import { zone } from "../state/settings";
import { colour, filling, hatch, widthOf } from "./paint";

export interface Drawing {
  moments: readonly number[];
  lines: readonly Line[];
  isStacked: boolean;
  gaps: readonly Gap[];
  axis: Axis;
}

const FONT = "11px system-ui, sans-serif";
const ROOM = 10; // pixels at an axis, for its ticks and some air
const LINE = 15; // pixels of a line of text below it
const EDGE = 6; // pixels at the right of the plot
const TOGETHER = "charts"; // all that show one crosshair
const AWAY = { left: -10, top: -10 };

export function dataOf({ moments: x, lines, isStacked }: Drawing): uPlot.AlignedData {
  const values = isStacked ? stacked(lines) : lines.map((line) => [...line.values]);
  return [[...x], ...values];
}

function gapsOver(gaps: () => readonly Gap[]): uPlot.Plugin {
  const paint = hatch();
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

/** The points that no line leads to or from: only they are drawn as points. */
function alone(plot: uPlot, series: number): number[] {
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

/** The times below a chart, without one that would run past the plot. */
function timesBelow(plot: uPlot, ticks: readonly number[]): string[] {
  const [low, high] = windowOf(plot);
  const width = plot.bbox.width / devicePixelRatio;
  return moments(ticks, [low, high], zone.value).map((label, number) => {
    const right = (((ticks[number] ?? 0) - low) / (high - low)) * width;
    return right + widthOf(label, FONT) / 2 > width + EDGE ? "" : label;
  });
}

function seriesOf(line: Line, isStacked: boolean): uPlot.Series {
  const stroke = colour(line.colour);
  const fill = isStacked ? filling(line.colour, line.mark ?? "plain") : null;
  return {
    label: line.label,
    stroke,
    width: 1.5,
    spanGaps: false,
    points: { show: true, size: 5, filter: alone },
    ...(fill === null ? {} : { fill: () => fill }),
    ...(line.dash ? { dash: [...line.dash] } : {}),
  };
}

/** Move the crosshair of all charts to a moment, seconds since 1970; null takes it away. */
export function pointAt(moment: number | null): void {
  for (const plot of uPlot.sync(TOGETHER).plots) {
    plot.setCursor(moment === null ? AWAY : { left: plot.valToPos(moment, "x"), top: 0 });
  }
}

/** `drawn` says what is drawn by now, `pointedAt` hears at which step the crosshair is. */
export function optionsOf(
  drawn: () => Drawing,
  pointedAt: (step: number | null) => void,
): uPlot.Options {
  const { lines, isStacked, axis: ofValues } = drawn();
  const axis = {
    stroke: colour("quiet"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1, size: 5 },
    font: FONT,
    gap: 4,
  };
  return {
    width: 300, // until it is told its place's
    height: 190,
    padding: [8, EDGE, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 7 },
      sync: { key: TOGETHER },
      // To the step, whose values are told, wherever in it the mouse is.
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
          ROOM + LINE * (labels?.some((label) => label.includes("\n")) ? 2 : 1),
        values: timesBelow,
      },
      {
        ...axis,
        space: 32,
        incrs: [...ofValues.steps],
        size: (_plot, labels: string[] | null) =>
          ROOM + Math.ceil(Math.max(8, ...(labels ?? []).map((label) => widthOf(label, FONT)))),
        values: (_plot, ticks) => ofValues.labels(ticks),
      },
    ],
    series: [{}, ...lines.map((line) => seriesOf(line, isStacked))],
    // Each but the lowest is filled down to the next one only.
    ...(isStacked
      ? {
          bands: lines
            .slice(1)
            .map((_, number) => ({ series: [number + 1, number + 2] as [number, number] })),
        }
      : {}),
    hooks: { setCursor: [(plot) => pointedAt(plot.cursor.idx ?? null)] },
    plugins: [gapsOver(() => drawn().gaps)],
  };
}
