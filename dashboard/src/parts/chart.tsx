// A chart: a uPlot plot that fills its card, and below it a legend with the values at the
// crosshair.
//
// The mouse and the arrow keys move the crosshair. For screen readers the plot is a slider whose
// text is those values.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Axis } from "../model/axes";
import { isEmpty, latestStep, type ChartData, type Line } from "../model/chartdata";
import { dayOf, timeOfDay } from "../model/times";
import { zone } from "../state/settings";
import { Legend } from "./legend";
import { dataOf, moveCrosshair, optionsOf, type Drawing } from "./plot";

interface Properties {
  title: string;
  unit: string;
  data: ChartData;
  lines: readonly Line[];
  isStacked?: boolean;
  /** Whether a value is for the whole step, and not for the end of the step. */
  isOfStep?: boolean;
  axis: Axis;
  show: (value: number) => string;
  /** The text if there is nothing to draw. */
  empty: string;
}

export function Chart(properties: Properties) {
  const { title, unit, data, lines, show } = properties;
  const [at, setAt] = useState<number | null>(null);
  const step = at !== null && at in data.ends ? at : latestStep(lines);
  const valueAt = (line: Line) => line.values[step] ?? null;
  const hasNoValue = lines.every((line) => valueAt(line) === null);
  const textOf = (line: Line) => {
    const value = valueAt(line);
    return value !== null ? show(value) : hasNoValue ? "–" : missingWord(data, step);
  };
  const lastKnown = lines.map((line) => {
    const value = line.values.findLast((each) => each !== null);
    return `${line.label} ${value === undefined ? "unknown" : show(value)}`;
  });
  const moment = [
    at === null ? "Latest: " : "",
    timeOf(data, step, properties.isOfStep ?? false),
    hasNoValue ? `: ${missingWord(data, step)}` : "",
  ].join("");
  const isInGap = data.inGap[step] ?? false;
  const values = hasNoValue ? [] : lines.map((line) => `${line.label} ${textOf(line)}`);
  const isDrawn = !isEmpty(lines) || data.gaps.length > 0;
  return (
    <figure class="chart">
      <figcaption>
        {title} <span class="quiet">{unit}</span>
      </figcaption>
      {isDrawn ? (
        <Plot
          drawing={{
            ends: data.ends,
            lines,
            isStacked: properties.isStacked ?? false,
            gaps: data.gaps,
            axis: properties.axis,
          }}
          label={`${title}: ${lastKnown.join(", ")}; gaps in ${data.inGap.filter(Boolean).length} of ${data.inGap.length} steps`}
          step={step}
          valueText={[moment, ...values, ...(isInGap ? ["in a gap"] : [])].join(", ")}
          onStep={setAt}
        />
      ) : (
        <p class="nothing quiet">{properties.empty}</p>
      )}
      {isDrawn && <Legend lines={lines} when={moment} isInGap={isInGap} valueOf={textOf} />}
    </figure>
  );
}

function missingWord(data: ChartData, step: number): string {
  const word = data.reasons[step] ?? "unknown";
  return word === "none" && step === data.ends.length - 1 ? "not over yet" : word;
}

function timeOf(data: ChartData, step: number, isOfStep: boolean): string {
  const [begin = 0, end = 0] = [data.begins[step], data.ends[step]];
  const time = (moment: number) => timeOfDay(moment * 1000, zone.value);
  const day = (moment: number | undefined) => dayOf((moment ?? 0) * 1000, zone.value);
  const isDated = day(data.begins[0]) !== day(data.ends.at(-1));
  const date = isDated ? `${day(end)} ` : "";
  return `${date}${isOfStep ? `${time(begin)}–${time(end)}` : time(end)}`;
}

interface PlotProperties {
  drawing: Drawing;
  label: string;
  /** The step of the crosshair, or the latest if there is no crosshair, and its values as text. */
  step: number;
  valueText: string;
  onStep: (step: number | null) => void;
}

function Plot({ drawing, label, step, valueText, onStep }: PlotProperties) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const current = useRef(drawing);
  current.current = drawing;
  const scheme = `${zone.value} ${drawing.lines.map((line) => line.label).join()}`;

  useEffect(() => {
    const element = holder.current;
    if (!element) {
      return;
    }
    const size = () => ({ width: element.clientWidth, height: element.clientHeight });
    const make = () => {
      plot.current?.destroy();
      const options = optionsOf(() => current.current, onStep);
      plot.current = new uPlot({ ...options, ...size() }, dataOf(current.current), element);
    };
    make();
    const observer = new ResizeObserver(() => plot.current?.setSize(size()));
    observer.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", make);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [scheme, onStep]);

  const { ends, lines, gaps } = drawing;
  useEffect(() => {
    plot.current?.setData(dataOf(current.current));
  }, [ends, lines, gaps]);

  const last = ends.length - 1;
  const moveTo = (to: number | null) => {
    moveCrosshair(to === null ? null : (ends[Math.min(Math.max(to, 0), last)] ?? null));
  };
  const steps: Record<string, () => number | null> = {
    ArrowLeft: () => step - 1,
    ArrowRight: () => step + 1,
    Home: () => 0,
    End: () => last,
    Escape: () => null,
  };
  return (
    <div
      ref={holder}
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={last}
      aria-valuenow={step}
      aria-valuetext={valueText}
      data-gaps={gaps.length}
      onKeyDown={(event) => {
        const target = steps[event.key];
        if (target && !event.ctrlKey && !event.metaKey && !event.altKey) {
          event.preventDefault();
          moveTo(target());
        }
      }}
      onBlur={() => moveTo(null)}
    />
  );
}
