import { describe, expect, it } from "vitest";
import { Backoff, FIRST_SPAN, MAX_SPAN, retryAfter } from "../src/api/backoff";
import { HttpError } from "../src/api/client";

describe("a backoff", () => {
  it("is a random part of a span that doubles, up to 30 seconds", () => {
    const longest = new Backoff(() => 1 - Number.EPSILON);
    const spans = Array.from({ length: 8 }, () => Math.round(longest.next()));
    expect(spans).toEqual([1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1000));
    const shortest = new Backoff(() => 0);
    expect([shortest.next(), shortest.next()]).toEqual([0, 0]);
    expect([FIRST_SPAN, MAX_SPAN]).toEqual([1_000, 30_000]);
  });

  it("spreads pages that failed at the same moment over the whole span", () => {
    const pauses = Array.from({ length: 1_000 }, () => {
      const backoff = new Backoff();
      for (let failures = 0; failures < 5; failures += 1) {
        backoff.next();
      }
      return backoff.next();
    });
    for (let third = 0; third < 3; third += 1) {
      const within = pauses.filter((pause) => Math.floor(pause / 10_000) === third);
      expect(within.length).toBeGreaterThan(230);
    }
  });

  it("begins again with the shortest span after a success", () => {
    const backoff = new Backoff(() => 0.5);
    backoff.next();
    backoff.next();
    backoff.reset();
    expect(backoff.next()).toBe(500);
  });

  it("waits at least as long as Retry-After says, up to five minutes", () => {
    const backoff = new Backoff(() => 0.5);
    expect(backoff.next(new HttpError(429, "too often", 7_000))).toBe(7_500);
    expect(backoff.next(new HttpError(503, "for ever", 1e12))).toBe(300_000 + 1_000);
    expect(backoff.next(new HttpError(503, "now"))).toBe(2_000);
    expect(backoff.next(new Error("gone"))).toBe(4_000);
  });
});

describe("Retry-After", () => {
  const now = Date.parse("2026-10-25T00:00:00Z");
  it.each([
    ["120", 120_000],
    ["0", 0],
    ["Sun, 25 Oct 2026 00:01:00 GMT", 60_000],
    ["Sat, 24 Oct 2026 00:00:00 GMT", 0],
    ["Sunday, 25-Oct-26 00:01:00 GMT", 60_000],
    ["Sun Oct 25 00:01:00 2026", 60_000],
    [" 120 ", 120_000],
    ["soon", null],
    ["1.5", null],
    ["-5", null],
    ["-1", null],
    ["+5", null],
    ["1e3", null],
    ["0x10", null],
    ["5 s", null],
    ["2026", 2_026_000],
    ["2026-10-25", null],
    ["9".repeat(10), null],
    ["9".repeat(5_000), null],
    ["Sun, 99 Oct 2026 00:01:00 GMT", null],
    ["", null],
    [null, null],
  ])("of %s is %s milliseconds", (header, pause) => {
    expect(retryAfter(header, now)).toBe(pause);
  });
});
