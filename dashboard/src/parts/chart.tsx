// A chart: uPlot in Preact, as large as its card lets it be, above the values at the crosshair, which
// the mouse moves, and the arrow keys: to a screen reader it is a slider whose text is those values.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Axis } from "../model/axes";
import { isEmpty, latest, type Course, type Line } from "../model/course";
import { dayOf, timeOfDay } from "../model/times";
import { zone } from "../state/settings";
import { Legend } from "./legend";
import { dataOf, optionsOf, pointAt, type Drawing } from "./plot";

interface Properties {
  title: string;
  unit: string;
  course: Course;
  lines: readonly Line[];
  isStacked?: boolean;
  /** Whether values are of a step from its beginning to its end, not of its end. */
  isOfStep?: boolean;
  axis: Axis;
  show: (value: number) => string;
  /** What to say where there is nothing to draw. */
  empty: string;
}

export function Chart(properties: Properties) {
  const { title, unit, course, lines, show } = properties;
  const [at, setAt] = useState<number | null>(null);
  const step = at !== null && at in course.moments ? at : latest(lines);
  const valueAt = (line: Line) => line.values[step] ?? null;
  const isNothing = lines.every((line) => valueAt(line) === null);
  const told = (line: Line) => {
    const value = valueAt(line);
    return value !== null ? show(value) : isNothing ? "–" : missing(course, step);
  };
  const last = lines.map((line) => {
    const value = line.values.findLast((each) => each !== null);
    return `${line.label} ${value === undefined ? "unknown" : show(value)}`;
  });
  const moment = [
    at === null ? "Latest: " : "",
    when(course, step, properties.isOfStep ?? false),
    isNothing ? `: ${missing(course, step)}` : "",
  ].join("");
  const isInGap = course.inGap[step] ?? false;
  const values = isNothing ? [] : lines.map((line) => `${line.label} ${told(line)}`);
  const isDrawn = !isEmpty(lines) || course.gaps.length > 0;
  return (
    <figure class="chart">
      <figcaption>
        {title} <span class="quiet">{unit}</span>
      </figcaption>
      {isDrawn ? (
        <Plot
          drawing={{
            moments: course.moments,
            lines,
            isStacked: properties.isStacked ?? false,
            gaps: course.gaps,
            axis: properties.axis,
          }}
          label={`${title}: ${last.join(", ")}; gaps in ${course.inGap.filter(Boolean).length} of ${course.inGap.length} steps`}
          step={step}
          told={[moment, ...values, ...(isInGap ? ["in a gap"] : [])].join(", ")}
          pointedAt={setAt}
        />
      ) : (
        <p class="nothing quiet">{properties.empty}</p>
      )}
      {isDrawn && <Legend lines={lines} when={moment} isInGap={isInGap} valueOf={told} />}
    </figure>
  );
}

function missing(course: Course, step: number): string {
  const word = course.words[step] ?? "unknown";
  return word === "none" && step === course.moments.length - 1 ? "not over yet" : word;
}

function when(course: Course, step: number, isOfStep: boolean): string {
  const [begin = 0, end = 0] = [course.begins[step], course.moments[step]];
  const time = (moment: number) => timeOfDay(moment * 1000, zone.value);
  const day = (moment: number | undefined) => dayOf((moment ?? 0) * 1000, zone.value);
  const isDated = day(course.begins[0]) !== day(course.moments.at(-1));
  const date = isDated ? `${day(end)} ` : "";
  return `${date}${isOfStep ? `${time(begin)}–${time(end)}` : time(end)}`;
}

interface PlotProperties {
  drawing: Drawing;
  label: string;
  /** At which step the crosshair is, or would be, and what is told there. */
  step: number;
  told: string;
  pointedAt: (step: number | null) => void;
}

function Plot({ drawing, label, step, told, pointedAt }: PlotProperties) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const current = useRef(drawing);
  current.current = drawing;
  const scheme = `${zone.value} ${drawing.lines.map((line) => line.label).join()}`;

  useEffect(() => {
    const place = holder.current;
    if (!place) {
      return;
    }
    const size = () => ({ width: place.clientWidth, height: place.clientHeight });
    const make = () => {
      plot.current?.destroy();
      const options = optionsOf(() => current.current, pointedAt);
      plot.current = new uPlot({ ...options, ...size() }, dataOf(current.current), place);
    };
    make();
    const resized = new ResizeObserver(() => plot.current?.setSize(size()));
    resized.observe(place);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", make);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [scheme, pointedAt]);

  const { moments, lines, gaps } = drawing;
  useEffect(() => {
    plot.current?.setData(dataOf(current.current));
  }, [moments, lines, gaps]);

  const last = moments.length - 1;
  const point = (to: number | null) => {
    pointAt(to === null ? null : (moments[Math.min(Math.max(to, 0), last)] ?? null));
  };
  const goals: Record<string, () => number | null> = {
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
      aria-valuetext={told}
      data-gaps={gaps.length}
      onKeyDown={(event) => {
        const goal = goals[event.key];
        if (goal && !event.ctrlKey && !event.metaKey && !event.altKey) {
          event.preventDefault();
          point(goal());
        }
      }}
      onBlur={() => point(null)}
    />
  );
}
