import { describe, expect, it } from "vitest";
import type { Series } from "../src/api/types";
import { courseOf, isEmpty, latest, stacked } from "../src/model/course";

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

describe("a board's course", () => {
  it("ends where it has been told up to", () => {
    const { begins, moments: ends } = courseOf(series());
    const start = Date.parse(at(0)) / 1000;
    expect(begins.map((each) => each - start)).toEqual([0, 10, 20, 30, 40]);
    expect(ends.map((each) => each - start)).toEqual([10, 20, 30, 40, 46]);
  });

  it("has no rate of a step that is not over", () => {
    const [posted] = courseOf(series()).throughput;
    expect(posted?.values).toEqual([null, 18, 24, 30, null]);
  });

  it("says why there is no number", () => {
    expect(courseOf(series()).words).toEqual(["not watched", "none", "none", "none", "none"]);
    expect(courseOf(series({ gaps: [gap(18, 31)] })).words[2]).toBe("unknown");
  });

  it("has no number of a step that is all gap, nor of a moment within one", () => {
    const course = courseOf(series({ gaps: [gap(18, 31)] }));
    expect(course.there.map(({ values }) => values)).toEqual([
      [null, null, null, 8, 9],
      [null, null, null, 3, 4],
    ]);
    expect(course.throughput[0]?.values).toEqual([null, 18, null, 30, null]);
    expect(course.inGap).toEqual([false, true, true, true, false]);
  });

  it("keeps what there was where a gap was short", () => {
    const course = courseOf(series({ gaps: [gap(22, 23)] }));
    expect(course.there[0]?.values).toEqual([null, 6, 7, 8, 9]);
    expect(course.inGap).toEqual([false, false, true, false, false]);
  });

  it("lays bands on each other, and nothing on what is unknown", () => {
    expect(stacked(courseOf(series()).flow)).toEqual([
      [null, 8, 12, 17, 20],
      [null, 2, 5, 9, 11],
      [null, 1, 3, 6, 7],
    ]);
  });

  it("knows what was last, and whether there is anything", () => {
    const { there, times, throughput } = courseOf(series());
    expect([latest(there), latest(throughput), isEmpty(there)]).toEqual([4, 3, false]);
    expect([latest(times.slice(2)), isEmpty(times.slice(2))]).toEqual([4, true]);
  });
});
