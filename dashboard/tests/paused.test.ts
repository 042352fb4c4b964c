import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Listener } from "../src/api/stream";
import type { Board } from "../src/api/types";
import { boards } from "../src/state/boards";
import { held, onReset, take } from "../src/state/changes";
import { connection, paused } from "../src/state/connection";
import { begin } from "../src/state/live";
import { board, change } from "./board";

const { answer, listeners } = vi.hoisted(() => ({
  answer: { boards: [] as Board[], asked: 0 },
  listeners: [] as Listener[],
}));

vi.mock("../src/api/client", () => ({
  boards: () => {
    answer.asked += 1;
    return Promise.resolve(answer.boards);
  },
  itself: () => Promise.resolve({ interval: 600 }),
}));
vi.mock("../src/api/stream", () => ({
  Stream: class {
    constructor(_: unknown, listener: Listener) {
      listeners.push(listener);
    }
    start(): void {
      // A test says what comes.
    }
  },
}));
vi.stubGlobal("document", { hidden: false, addEventListener: () => undefined });
vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(draw));

const MANY = 20_000; // changes that are kept while the page is paused
const AFTER = 100; // milliseconds within which changes are shown

describe("a page that is paused", () => {
  let stream: Listener;
  let unclaimed: () => number | undefined;

  beforeEach(async () => {
    vi.useFakeTimers();
    if (listeners.length === 0) {
      begin();
    }
    const [first] = listeners;
    if (first === undefined) {
      throw new Error("nothing listens to the stream");
    }
    stream = first;
    unclaimed = () => boards.value.get(board.path)?.unclaimed;
    answer.boards = [{ ...board, unclaimed: 1 }];
    await connect();
    stream.reset();
    await vi.advanceTimersByTimeAsync(AFTER);
    expect(unclaimed()).toBe(1);
    paused.value = true;
  });

  afterEach(async () => {
    paused.value = false;
    await vi.advanceTimersByTimeAsync(AFTER);
    stream.lost("the test is over");
    vi.useRealTimers();
  });

  const connect = async () => {
    stream.opened();
    stream.reached();
    await vi.advanceTimersByTimeAsync(AFTER);
  };

  it("stays as it is over a reconnect, and is fetched when it goes on", async () => {
    answer.boards = [{ ...board, unclaimed: 7, revision: 9 }];
    stream.lost("gone");
    await connect();
    expect(connection.value.condition).toBe("live");
    expect(unclaimed()).toBe(1);
    paused.value = false;
    await vi.advanceTimersByTimeAsync(AFTER);
    expect(unclaimed()).toBe(7);
  });

  it("does not take an answer to what was asked just before", async () => {
    paused.value = false;
    answer.boards = [{ ...board, unclaimed: 7, revision: 9 }];
    stream.opened();
    paused.value = true;
    await vi.advanceTimersByTimeAsync(AFTER);
    expect(unclaimed()).toBe(1);
    paused.value = false;
    await vi.advanceTimersByTimeAsync(AFTER);
    expect(unclaimed()).toBe(7);
  });

  it("fetches anew after a reset only when it goes on", async () => {
    const fetchAnew = vi.fn();
    const end = onReset(fetchAnew);
    stream.reset();
    stream.change(change(6, "CLAIMED"));
    expect(held.value).toBe(1);
    await vi.advanceTimersByTimeAsync(AFTER);
    expect(fetchAnew).not.toHaveBeenCalled();
    paused.value = false;
    expect(fetchAnew).toHaveBeenCalledOnce();
    expect(held.value).toBe(0);
    end();
  });

  it("is not called live between a reset and when all has come again", () => {
    stream.reset();
    expect(connection.value.condition).toBe("catching_up");
    stream.reached();
    expect(connection.value.condition).toBe("live");
  });

  it("counts all that is new, however much", () => {
    const fetchAnew = vi.fn();
    const end = onReset(fetchAnew);
    for (let revision = 6; revision < 6 + MANY + 5; revision += 1) {
      take(change(revision, "CLAIMED"));
    }
    expect(held.value).toBe(MANY + 5);
    paused.value = false;
    expect(fetchAnew).toHaveBeenCalledOnce();
    end();
  });

  it("counts what has not been shown yet, and anew after each pause", () => {
    paused.value = false;
    take(change(6, "CLAIMED"));
    paused.value = true;
    take(change(7, "CLAIMED"));
    expect(held.value).toBe(2);
    paused.value = false;
    paused.value = true;
    take(change(8, "CLAIMED"));
    expect(held.value).toBe(1);
  });
});
