// The data of a board's charts: job counts and times, step by step.
//
// Promises: a value that is not known is null, never a number, and `reasons` says why.
import type { Gap, Series } from "../api/types";

export type Value = number | null;
export type Mark = "dots" | "lines" | "plain";

export interface Line {
  label: string;
  /** The name of a CSS variable, without the leading dashes. */
  colour: "unclaimed" | "claimed" | "ended";
  values: readonly Value[];
  /** The pattern of a band in a stack, for users who cannot distinguish the colours. */
  mark?: Mark;
  dash?: readonly number[];
}

export interface ChartData {
  /** When each step begins and ends, seconds since 1970. The last step ends at the newest data. */
  begins: readonly number[];
  ends: readonly number[];
  /** Why a step has no value, where it has none. */
  reasons: readonly ("not watched" | "unknown" | "none")[];
  /** Whether a part of the step is in a gap. */
  inGap: readonly boolean[];
  gaps: readonly Gap[];
  onBoard: readonly Line[];
  flow: readonly Line[];
  times: readonly Line[];
  throughput: readonly Line[];
}

const DOTTED = [2, 2];
const DASHED = [6, 3];

export function chartDataOf(series: Series): ChartData {
  const start = Date.parse(series.start) / 1000;
  const until = Date.parse(series.until) / 1000;
  const begins = series.posted.map((_, step) => start + series.step * step);
  const ends = begins.map((begin) => Math.min(begin + series.step, until));
  const gaps = series.gaps.map((gap) => [Date.parse(gap.from) / 1000, Date.parse(gap.to) / 1000]);
  const eachStep = (is: (from: number, to: number, begin: number, end: number) => boolean) =>
    begins.map((begin, step) => {
      const end = ends[step] ?? begin;
      return gaps.some(([from = 0, to = 0]) => is(from, to, begin, end));
    });
  const isAllGap = eachStep((from, to, begin, end) => from <= begin && end <= to);
  const endsInGap = eachStep((from, to, _, end) => from < end && end < to);
  const ofStep = (values: readonly Value[]) =>
    values.map((value, step) => (isAllGap[step] ? null : value));
  const atEnd = (values: readonly Value[]) =>
    values.map((value, step) => (isAllGap[step] || endsInGap[step] ? null : value));
  // The last step is not over, so its rate would not be comparable with the others.
  const perMinute = (values: readonly Value[]) =>
    ofStep(values).map((value, step) =>
      value === null || step === values.length - 1 ? null : (value * 60) / series.step,
    );
  let sum = 0;
  const endedSoFar = ofStep(series.ended).map((ended) => (ended === null ? null : (sum += ended)));
  const unclaimed: Line = {
    label: "unclaimed",
    colour: "unclaimed",
    values: atEnd(series.jobs_unclaimed),
    mark: "dots",
  };
  const claimed: Line = {
    label: "claimed",
    colour: "claimed",
    values: atEnd(series.jobs_claimed),
    mark: "lines",
  };
  const ended: Line = { label: "ended", colour: "ended", values: endedSoFar, mark: "plain" };
  return {
    begins,
    ends,
    reasons: series.posted.map((posted, step) =>
      posted === null ? "not watched" : isAllGap[step] || endsInGap[step] ? "unknown" : "none",
    ),
    inGap: eachStep((from, to, begin, end) => from < end && begin < to),
    gaps: series.gaps,
    onBoard: [unclaimed, claimed],
    flow: [unclaimed, claimed, ended],
    times: [
      { label: "waiting p50", colour: "unclaimed", values: ofStep(series.waiting_p50) },
      {
        label: "waiting p95",
        colour: "unclaimed",
        values: ofStep(series.waiting_p95),
        dash: DASHED,
      },
      { label: "running p50", colour: "claimed", values: ofStep(series.running_p50) },
      { label: "running p95", colour: "claimed", values: ofStep(series.running_p95), dash: DASHED },
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

/** Return the upper edges of stacked bands. The first line's band is on top. */
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

/** Return the last step in which a line has a value, or the last step if none has. */
export function latestStep(lines: readonly Line[]): number {
  const steps = lines.map(({ values }) => values.findLastIndex((value) => value !== null));
  const last = Math.max(...steps);
  return last < 0 ? (lines[0]?.values.length ?? 0) - 1 : last;
}

export function isEmpty(lines: readonly Line[]): boolean {
  return lines.every(({ values }) => values.every((value) => value === null));
}
