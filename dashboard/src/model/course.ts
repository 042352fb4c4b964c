// How a board fared, step by step, as its charts draw it. Where something is not known, there is null
// and a word for it: never a number.
import type { Gap, Series } from "../api/types";

export type Value = number | null;
export type Mark = "dots" | "lines" | "plain";

export interface Line {
  label: string;
  /** The name of a CSS variable, without its dashes. */
  colour: "unclaimed" | "claimed" | "ended";
  values: readonly Value[];
  /** Of a band in a stack: what it is filled with, for who does not tell colours apart. */
  mark?: Mark;
  dash?: readonly number[];
}

export interface Course {
  /** When each step begins and ends, seconds since 1970. The last ends where it has come to. */
  begins: readonly number[];
  moments: readonly number[];
  /** What to say where a step has no number. */
  words: readonly ("not watched" | "unknown" | "none")[];
  /** Whether some of a step was not seen one by one. */
  inGap: readonly boolean[];
  gaps: readonly Gap[];
  there: readonly Line[];
  flow: readonly Line[];
  times: readonly Line[];
  throughput: readonly Line[];
}

const DOTTED = [2, 2];
const DASHED = [6, 3];

export function courseOf(series: Series): Course {
  const start = Date.parse(series.start) / 1000;
  const until = Date.parse(series.until) / 1000;
  const begins = series.posted.map((_, step) => start + series.step * step);
  const moments = begins.map((begin) => Math.min(begin + series.step, until));
  const gaps = series.gaps.map((gap) => [Date.parse(gap.from) / 1000, Date.parse(gap.to) / 1000]);
  const some = (is: (from: number, to: number, begin: number, end: number) => boolean) =>
    begins.map((begin, step) => {
      const end = moments[step] ?? begin;
      return gaps.some(([from = 0, to = 0]) => is(from, to, begin, end));
    });
  const isLost = some((from, to, begin, end) => from <= begin && end <= to);
  const isLostAtEnd = some((from, to, _, end) => from < end && end < to);
  const seen = (values: readonly Value[]) =>
    values.map((value, step) => (isLost[step] ? null : value));
  const then = (values: readonly Value[]) =>
    values.map((value, step) => (isLost[step] || isLostAtEnd[step] ? null : value));
  // A part of a step has no rate that could be compared with others.
  const perMinute = (values: readonly Value[]) =>
    seen(values).map((value, step) =>
      value === null || step === values.length - 1 ? null : (value * 60) / series.step,
    );
  let sum = 0;
  const done = seen(series.ended).map((ended) => (ended === null ? null : (sum += ended)));
  const unclaimed: Line = {
    label: "unclaimed",
    colour: "unclaimed",
    values: then(series.jobs_unclaimed),
    mark: "dots",
  };
  const claimed: Line = {
    label: "claimed",
    colour: "claimed",
    values: then(series.jobs_claimed),
    mark: "lines",
  };
  const ended: Line = { label: "ended", colour: "ended", values: done, mark: "plain" };
  return {
    begins,
    moments,
    words: series.posted.map((posted, step) =>
      posted === null ? "not watched" : isLost[step] || isLostAtEnd[step] ? "unknown" : "none",
    ),
    inGap: some((from, to, begin, end) => from < end && begin < to),
    gaps: series.gaps,
    there: [unclaimed, claimed],
    flow: [unclaimed, claimed, ended],
    times: [
      { label: "waiting p50", colour: "unclaimed", values: seen(series.waiting_p50) },
      {
        label: "waiting p95",
        colour: "unclaimed",
        values: seen(series.waiting_p95),
        dash: DASHED,
      },
      { label: "running p50", colour: "claimed", values: seen(series.running_p50) },
      { label: "running p95", colour: "claimed", values: seen(series.running_p95), dash: DASHED },
    ],
    throughput: [
      {
        label: "posted",
        colour: "unclaimed",
        values: perMinute(series.posted),
        dash: DOTTED,
      },
      { label: "claimed", colour: "claimed", values: perMinute(series.claimed) },
      { label: "ended", colour: "ended", values: perMinute(series.ended), dash: DASHED },
    ],
  };
}

/** The upper edges of bands that lie on each other, the first line's uppermost. */
export function stacked(lines: readonly Line[]): Value[][] {
  return lines.map((line, number) =>
    line.values.map((_, step) =>
      lines.slice(number).reduce((sum: Value, { values }) => {
        const value = values[step] ?? null;
        return sum === null || value === null ? null : sum + value;
      }, 0),
    ),
  );
}

/** The last step of which a line knows something; the very last where none does. */
export function latest(lines: readonly Line[]): number {
  const steps = lines.map(({ values }) => values.findLastIndex((value) => value !== null));
  const last = Math.max(...steps);
  return last < 0 ? (lines[0]?.values.length ?? 0) - 1 : last;
}

export function isEmpty(lines: readonly Line[]): boolean {
  return lines.every(({ values }) => values.every((value) => value === null));
}
