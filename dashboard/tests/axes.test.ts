import { describe, expect, it } from "vitest";
import { COUNTS, DURATIONS, RATES, timeLabels } from "../src/model/axes";

describe("axes", () => {
  it("have one unit and one number of digits each", () => {
    expect(RATES.labels([0, 20, 40])).toEqual(["0", "20", "40"]);
    expect(RATES.labels([0, 0.5, 1])).toEqual(["0.0", "0.5", "1.0"]);
    expect(DURATIONS.labels([0, 2, 4])).toEqual(["0 s", "2 s", "4 s"]);
    expect(DURATIONS.labels([0, 0.2, 0.4])).toEqual(["0.0 s", "0.2 s", "0.4 s"]);
    expect(DURATIONS.labels([0, 60, 120])).toEqual(["0 min", "1 min", "2 min"]);
    expect(DURATIONS.labels([0, 86_400])).toEqual(["0 d", "1 d"]);
    expect(COUNTS.labels([0, 1_000])).toEqual(["0", "1,000"]);
    expect(Math.min(...COUNTS.steps)).toBe(1);
  });

  it("show the date if the window crosses midnight, and seconds if ticks are within a minute", () => {
    const noon = Date.UTC(2026, 10, 25, 12) / 1000;
    const hours = (...each: number[]) => each.map((hour) => noon + hour * 3_600);
    expect(timeLabels(hours(6, 12, 18), [noon, noon + 86_400], "UTC")).toEqual([
      "18:00\n25 Nov",
      "00:00\n26 Nov",
      "06:00",
    ]);
    expect(timeLabels(hours(1, 2), [noon, noon + 8_000], "UTC")).toEqual(["13:00", "14:00"]);
    expect(timeLabels([noon, noon + 30], [noon, noon + 60], "UTC")).toEqual([
      "12:00:00",
      "12:00:30",
    ]);
    const inTokyo = timeLabels(hours(1, 5), [noon, noon + 20_000], "Asia/Tokyo");
    expect(inTokyo).toEqual(["22:00\n25 Nov", "02:00\n26 Nov"]);
  });
});
