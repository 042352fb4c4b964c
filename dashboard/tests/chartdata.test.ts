import { describe, expect, it } from "vitest";
import type { Series } from "../src/api/types";
import { chartDataOf, isEmpty, latestStep, stacked } from "../src/model/chartdata";

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 25, 13, 30, seconds)).toISOString();

function gap(from: number, to: number): Series["gaps"][number] {
  return { path: "/a/jobs", from: at(from), to: at(to) } as Series["gaps"][number];
}

function series(more: Partial<Series> = {}): Series {
  return {
    path: "/a/jobs",
    start: at(0),
    step: 10,
    until: at(46),
    posted: [null, 3, 4, 5, 1],
    claimed: [null, 2, 2, 2, 1],
    ended: [null, 1, 2, 3, 1],
    jobs_unclaimed: [null, 6, 7, 8, 9],
    jobs_claimed: [null, 1, 2, 3, 4],
    waiting_p50: [null, 0.5, null, 0.7, 0.8],
    waiting_p95: [null, 0.5, null, 0.7, 0.8],
    running_p50: [null, null, null, null, null],
    running_p95: [null, null, null, null, null],
    gaps: [],
    ...more,
  };
}

describe("a board's chart data", () => {
  it("ends at the newest data", () => {
    const { begins, ends } = chartDataOf(series());
    const start = Date.parse(at(0)) / 1000;
    expect(begins.map((each) => each - start)).toEqual([0, 10, 20, 30, 40]);
    expect(ends.map((each) => each - start)).toEqual([10, 20, 30, 40, 46]);
  });

  it("has no rate for a step that is not over", () => {
    const [posted] = chartDataOf(series()).throughput;
    expect(posted?.values).toEqual([null, 18, 24, 30, null]);
  });

  it("says why a step has no number", () => {
    expect(chartDataOf(series()).reasons).toEqual(["not watched", "none", "none", "none", "none"]);
    expect(chartDataOf(series({ gaps: [gap(18, 31)] })).reasons[2]).toBe("unknown");
  });

  it("has no number for a step or an end of a step within a gap", () => {
    const data = chartDataOf(series({ gaps: [gap(18, 31)] }));
    expect(data.onBoard.map(({ values }) => values)).toEqual([
      [null, null, null, 8, 9],
      [null, null, null, 3, 4],
    ]);
    expect(data.throughput[0]?.values).toEqual([null, 18, null, 30, null]);
    expect(data.inGap).toEqual([false, true, true, true, false]);
  });

  it("keeps the numbers if a gap is within a step", () => {
    const data = chartDataOf(series({ gaps: [gap(22, 23)] }));
    expect(data.onBoard[0]?.values).toEqual([null, 6, 7, 8, 9]);
    expect(data.inGap).toEqual([false, false, true, false, false]);
  });

  it("stacks bands, and has no edge where a value is unknown", () => {
    expect(stacked(chartDataOf(series()).flow)).toEqual([
      [null, 8, 12, 17, 20],
      [null, 2, 5, 9, 11],
      [null, 1, 3, 6, 7],
    ]);
  });

  it("finds the latest step with a value, and whether there is one", () => {
    const { onBoard, times, throughput } = chartDataOf(series());
    expect([latestStep(onBoard), latestStep(throughput), isEmpty(onBoard)]).toEqual([4, 3, false]);
    expect([latestStep(times.slice(2)), isEmpty(times.slice(2))]).toEqual([4, true]);
  });
});
