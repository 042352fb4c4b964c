// uPlot in Preact: lines that break where nothing is known, and gaps as bands of their own.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Gap } from "../api/types";
import { timeOfDay } from "../model/times";
import { zone } from "../state/settings";

export interface Line {
  label: string;
  /** A CSS variable's name. */
  colour: string;
  values: readonly (number | null)[];
  isFilled?: boolean;
  dash?: readonly number[];
}

interface Properties {
  title: string;
  unit: string;
  /** Seconds since 1970. */
  moments: readonly number[];
  lines: readonly Line[];
  gaps: readonly Gap[];
  show: (value: number) => string;
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function hatch(context: CanvasRenderingContext2D): CanvasPattern | string {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  if (!pen) {
    return colour("--gap");
  }
  pen.strokeStyle = colour("--gap");
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(0, 8);
  pen.lineTo(8, 0);
  pen.stroke();
  return context.createPattern(tile, "repeat") ?? colour("--gap");
}

function bands(gaps: () => readonly Gap[]): uPlot.Plugin {
  return {
    hooks: {
      drawClear: (plot) => {
        const { ctx, bbox } = plot;
        const there = gaps();
        if (there.length === 0) {
          return;
        }
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        ctx.fillStyle = hatch(ctx);
        for (const gap of there) {
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

function options({ lines, show }: Properties, gaps: () => readonly Gap[]): uPlot.Options {
  const axis = {
    stroke: colour("--quiet"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
    font: "11px system-ui, sans-serif",
  };
  return {
    width: 300,
    height: 180,
    legend: { live: false },
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: true },
      y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] },
    },
    axes: [
      {
        ...axis,
        values: (_plot, ticks) => ticks.map((tick) => timeOfDay(tick * 1000, zone.value)),
      },
      { ...axis, size: 56, values: (_plot, ticks) => ticks.map(show) },
    ],
    series: [
      {},
      ...lines.map((line): uPlot.Series => {
        const stroke = colour(line.colour);
        return {
          label: line.label,
          stroke,
          width: 1.5,
          spanGaps: false,
          points: { show: true, size: 5, filter: alone },
          ...(line.isFilled ? { fill: `${stroke}33` } : {}),
          ...(line.dash ? { dash: [...line.dash] } : {}),
        };
      }),
    ],
    plugins: [bands(gaps)],
  };
}

export function Chart(properties: Properties) {
  const { title, unit, moments, lines, gaps, show } = properties;
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const current = useRef(gaps);
  current.current = gaps;
  const latest = useRef(properties);
  latest.current = properties;
  const scheme = `${zone.value} ${lines.map(({ label }) => label).join()}`;

  useEffect(() => {
    const place = holder.current;
    if (!place) {
      return;
    }
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        options(latest.current, () => current.current),
        [[]],
        place,
      );
      plot.current.setSize({ width: place.clientWidth, height: 180 });
      plot.current.setData(dataOf(latest.current));
    };
    make();
    const resized = new ResizeObserver(() => {
      plot.current?.setSize({ width: place.clientWidth, height: 180 });
    });
    resized.observe(place);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", make);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [scheme]);

  useEffect(() => {
    plot.current?.setData(dataOf(latest.current));
  }, [moments, lines, gaps]);

  const last = lines.map(({ label, values }) => {
    const value = values.findLast((each) => each !== null);
    return `${label} ${value === undefined ? "unknown" : show(value)}`;
  });
  return (
    <figure class="chart">
      <figcaption>
        {title} <span class="quiet">{unit}</span>
      </figcaption>
      <div
        ref={holder}
        role="img"
        aria-label={`${title}: ${last.join(", ")}; ${gaps.length} gaps`}
        data-gaps={gaps.length}
      />
    </figure>
  );
}

function dataOf({ moments, lines }: Properties): uPlot.AlignedData {
  return [[...moments], ...lines.map(({ values }) => [...values])];
}
