import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Turns } from "../src/state/turns";
import { later, type Later } from "./later";

const LEAST = 1_000;

interface Asked extends Later<string> {
  signal: AbortSignal;
}

describe("turns", () => {
  let asked: Asked[];
  let told: string[];
  let turns: Turns<string>;

  beforeEach(() => {
    vi.useFakeTimers();
    [asked, told] = [[], []];
    const fetchIt = (signal: AbortSignal) => {
      const answer = { ...later<string>(), signal };
      asked.push(answer);
      return answer.promise;
    };
    const taker = {
      answered: (answer: string) => told.push(answer),
      failed: (error: unknown) => told.push(String(error)),
    };
    turns = new Turns<string>(fetchIt, taker, LEAST);
  });

  afterEach(() => {
    turns.close();
    vi.useRealTimers();
  });

  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

  it("make one fetch of many calls, and the next not at once", async () => {
    turns.soon();
    turns.soon();
    await pass(0);
    turns.soon();
    asked[0]?.resolve("one");
    await pass(LEAST - 1);
    expect([told, asked.length]).toEqual([["one"], 1]);
    await pass(1);
    expect(asked).toHaveLength(2);
  });

  it("give up what is under way when it is wanted now", async () => {
    turns.soon();
    await pass(0);
    turns.now();
    await pass(0);
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    asked[1]?.resolve("new");
    asked[0]?.resolve("old");
    await pass(0);
    expect(told).toEqual(["new"]);
  });

  it("go on after a fetch that was given up has failed", async () => {
    turns.soon();
    await pass(0);
    turns.now();
    await pass(0);
    asked[0]?.reject(new Error("aborted"));
    asked[1]?.reject(new Error("refused"));
    turns.soon();
    await pass(LEAST);
    expect(told).toEqual(["Error: refused"]);
    expect(asked).toHaveLength(3);
  });

  it("end with what is under way", async () => {
    turns.soon();
    await pass(0);
    turns.close();
    expect(asked[0]?.signal.aborted).toBe(true);
    asked[0]?.resolve("late");
    turns.soon();
    await pass(LEAST);
    expect([told, asked.length]).toEqual([[], 1]);
  });
});
