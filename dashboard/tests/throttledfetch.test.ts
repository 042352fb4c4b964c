import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FIRST_SPAN } from "../src/api/backoff";
import { HttpError } from "../src/api/client";
import { ThrottledFetch } from "../src/state/throttledfetch";
import { deferred, type Deferred } from "./deferred";

const LEAST = 1_000;

interface Asked extends Deferred<string> {
  signal: AbortSignal;
}

describe("throttled fetches", () => {
  let asked: Asked[];
  let told: string[];
  let throttled: ThrottledFetch<string>;

  beforeEach(() => {
    vi.useFakeTimers();
    [asked, told] = [[], []];
    const fetchIt = (signal: AbortSignal) => {
      const answer = { ...deferred<string>(), signal };
      asked.push(answer);
      return answer.promise;
    };
    const receiver = {
      answered: (answer: string) => told.push(answer),
      failed: (error: unknown) => told.push(String(error)),
    };
    throttled = new ThrottledFetch<string>(fetchIt, receiver, LEAST);
  });

  afterEach(() => {
    throttled.close();
    vi.useRealTimers();
  });

  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

  it("are one for several calls, with a pause before the next", async () => {
    throttled.soon();
    throttled.soon();
    await pass(0);
    throttled.soon();
    asked[0]?.resolve("one");
    await pass(LEAST - 1);
    expect([told, asked.length]).toEqual([["one"], 1]);
    await pass(1);
    expect(asked).toHaveLength(2);
  });

  it("are aborted for one that is wanted now", async () => {
    throttled.soon();
    await pass(0);
    throttled.now();
    await pass(0);
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    asked[1]?.resolve("new");
    asked[0]?.resolve("old");
    await pass(0);
    expect(told).toEqual(["new"]);
  });

  it("continue after an aborted fetch has failed", async () => {
    throttled.soon();
    await pass(0);
    throttled.now();
    await pass(0);
    asked[0]?.reject(new Error("aborted"));
    asked[1]?.reject(new Error("refused"));
    throttled.soon();
    await pass(LEAST + FIRST_SPAN);
    expect(told).toEqual(["Error: refused"]);
    expect(asked).toHaveLength(3);
  });

  it("wait as long as Retry-After says", async () => {
    throttled.soon();
    await pass(0);
    asked[0]?.reject(new HttpError(429, "too often", 20_000));
    await pass(0);
    throttled.soon();
    await pass(LEAST + 19_999);
    expect(asked).toHaveLength(1);
    await pass(1 + FIRST_SPAN);
    expect(asked).toHaveLength(2);
  });

  it("end, and abort the one under way", async () => {
    throttled.soon();
    await pass(0);
    throttled.close();
    expect(asked[0]?.signal.aborted).toBe(true);
    asked[0]?.resolve("late");
    throttled.soon();
    await pass(LEAST);
    expect([told, asked.length]).toEqual([[], 1]);
  });
});
