import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Listener } from "../src/api/stream";
import type { Board } from "../src/api/types";
import { boards } from "../src/state/boards";
import { heldCount, onReset, take } from "../src/state/changes";
import { connection, paused } from "../src/state/connection";
import { start } from "../src/state/live";
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
  canary: () => Promise.resolve({ interval: 600 }),
}));
vi.mock("../src/api/stream", () => ({
  Stream: class {
    constructor(_: unknown, listener: Listener) {
      listeners.push(listener);
    }
    start(): void {
      // The test calls the listener.
    }
  },
}));
vi.stubGlobal("document", { hidden: false, addEventListener: () => undefined });
vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(draw));

const MANY = 20_000; // changes that are queued while the page is paused
const AFTER = 100; // milliseconds within which changes are shown

describe("a page that is paused", () => {
  let stream: Listener;
  let unclaimed: () => number | undefined;

  beforeEach(async () => {
    vi.useFakeTimers();
    if (listeners.length === 0) {
      start();
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
    stream.lost("the test is over", 0);
    vi.useRealTimers();
  });

  const connect = async () => {
    stream.opened();
    stream.reached();
    await vi.advanceTimersByTimeAsync(AFTER);
  };

  it("stays as it is over a reconnect, and is fetched after the pause", async () => {
    answer.boards = [{ ...board, unclaimed: 7, revision: 9 }];
    stream.lost("gone", 0);
    await connect();
    expect(connection.value.condition).toBe("live");
    expect(unclaimed()).toBe(1);
    paused.value = false;
    await vi.advanceTimersByTimeAsync(AFTER);
    expect(unclaimed()).toBe(7);
  });

  it("does not show an answer to a request from just before", async () => {
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

  it("fetches again after a reset only when the pause ends", async () => {
    const fetchAnew = vi.fn();
    const end = onReset(fetchAnew);
    stream.reset();
    stream.change(change(6, "CLAIMED"));
    expect(heldCount.value).toBe(1);
    await vi.advanceTimersByTimeAsync(AFTER);
    expect(fetchAnew).not.toHaveBeenCalled();
    paused.value = false;
    expect(fetchAnew).toHaveBeenCalledOnce();
    expect(heldCount.value).toBe(0);
    end();
  });

  it("is not live between a reset and the present", () => {
    stream.reset();
    expect(connection.value.condition).toBe("catching_up");
    stream.reached();
    expect(connection.value.condition).toBe("live");
  });

  it("counts all new changes, however many", () => {
    const fetchAnew = vi.fn();
    const end = onReset(fetchAnew);
    for (let revision = 6; revision < 6 + MANY + 5; revision += 1) {
      take(change(revision, "CLAIMED"));
    }
    expect(heldCount.value).toBe(MANY + 5);
    paused.value = false;
    expect(fetchAnew).toHaveBeenCalledOnce();
    end();
  });

  it("counts changes that were not shown yet, from 0 after each pause", () => {
    paused.value = false;
    take(change(6, "CLAIMED"));
    paused.value = true;
    take(change(7, "CLAIMED"));
    expect(heldCount.value).toBe(2);
    paused.value = false;
    paused.value = true;
    take(change(8, "CLAIMED"));
    expect(heldCount.value).toBe(1);
  });
});
