// A chart: uPlot in Preact, as large as its card lets it be, above the values at the crosshair.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Axis } from "../model/axes";
import { isEmpty, latest, type Course, type Line } from "../model/course";
import { dayOf, timeOfDay } from "../model/times";
import { zone } from "../state/settings";
import { Legend } from "./legend";
import { dataOf, optionsOf, type Drawing } from "./plot";

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
          label={`${title}: ${last.join(", ")}; ${course.gaps.length} gaps`}
          pointedAt={setAt}
        />
      ) : (
        <p class="nothing quiet">{properties.empty}</p>
      )}
      {isDrawn && (
        <Legend
          lines={lines}
          when={[
            at === null ? "Latest: " : "",
            when(course, step, properties.isOfStep ?? false),
            isNothing ? `: ${missing(course, step)}` : "",
          ].join("")}
          isInGap={course.inGap[step] ?? false}
          valueOf={told}
        />
      )}
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
  pointedAt: (step: number | null) => void;
}

function Plot({ drawing, label, pointedAt }: PlotProperties) {
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

  return <div ref={holder} role="img" aria-label={label} data-gaps={gaps.length} />;
}
