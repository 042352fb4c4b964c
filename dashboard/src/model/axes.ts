// The ticks of charts' axes, and their labels. All values on an axis have the same unit and the
// same number of digits after the point.
import { dayOf, timeOfDay } from "./times";

/** An axis of values: the distances that its ticks may have, and the labels of ticks. */
export interface Axis {
  steps: readonly number[];
  labels: (ticks: readonly number[]) => string[];
}

const DAY = 86_400;

function decades(from: number, to: number): number[] {
  const tens = Array.from({ length: to - from + 1 }, (_, number) => from + number);
  return tens.flatMap((ten) => [1, 2, 5].map((each) => Number(`${each}e${ten}`)));
}

/** Jobs: whole numbers only. */
export const COUNTS: Axis = { steps: decades(0, 9), labels: numbers };

export const RATES: Axis = { steps: decades(-2, 9), labels: numbers };

export const DURATIONS: Axis = {
  steps: [
    ...decades(-3, 0),
    ...[10, 15, 30, 60, 120, 300, 600, 900, 1_800],
    ...[1, 2, 6, 12].map((hours) => hours * 3_600),
    ...decades(0, 4).map((days) => days * DAY),
  ],
  labels: durations,
};

function stepOf(ticks: readonly number[]): number {
  const [first = 0, second = 1] = ticks;
  return second - first;
}

function fixed(ticks: readonly number[], unit: number): string[] {
  const step = stepOf(ticks) / unit;
  const isWhole = (digits: number) => Math.abs(((step * 10 ** digits + 0.5) % 1) - 0.5) < 1e-6;
  const digits = [0, 1, 2].find(isWhole) ?? 3;
  return ticks.map((tick) =>
    (tick / unit).toLocaleString("en", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    }),
  );
}

function numbers(ticks: readonly number[]): string[] {
  return fixed(ticks, 1);
}

function durations(ticks: readonly number[]): string[] {
  const step = stepOf(ticks);
  const units = [[DAY, "d"] as const, [3_600, "h"] as const, [60, "min"] as const];
  const [unit, name] = units.find(([each]) => step >= each) ?? [1, "s"];
  return fixed(ticks, unit).map((text) => `${text} ${name}`);
}

/**
 * Return the labels of a time axis: times of day, with seconds only if a tick is not at a full
 * minute. If the window from `low` to `high` (seconds since 1970) is not within one day, the label
 * of the first tick of each day has the date in a second line.
 */
export function timeLabels(
  ticks: readonly number[],
  [low, high]: readonly [number, number],
  zone: string,
): string[] {
  const isDated = dayOf(low * 1000, zone) !== dayOf(high * 1000, zone);
  const isFine = ticks.some((tick) => tick % 60 !== 0);
  let before = "";
  return ticks.map((tick) => {
    const time = timeOfDay(tick * 1000, zone, isFine);
    const day = dayOf(tick * 1000, zone);
    const isNew = isDated && day !== before;
    before = day;
    return isNew ? `${time}\n${day}` : time;
  });
}
