import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Board, Gap } from "../src/api/types";
import { boards, fetchAll, refresh, takeChanges, takeGap } from "../src/state/boards";
import { board, change, POSTED } from "./board";
import { deferred, type Deferred } from "./deferred";

const { asked, ask } = vi.hoisted(() => {
  const made: Deferred<Board[]>[] = [];
  return { asked: made, ask: vi.fn<() => Promise<Board[]>>() };
});

vi.mock("../src/api/client", () => ({ boards: ask }));

const SOON = 2_000; // milliseconds until a gap's numbers are fetched

const gap: Gap = {
  path: board.path,
  from: POSTED,
  to: POSTED,
  reason: "late",
  creates: 3,
  deletes: 0,
};
const WITH_GAP: Board = {
  ...board,
  account: { unseen_creates: 3, unseen_deletes: 0, complete: false },
};

describe("a gap", () => {
  beforeEach(async () => {
    vi.useFakeTimers();
    asked.length = 0;
    ask.mockImplementation(() => {
      const answer = deferred<Board[]>();
      asked.push(answer);
      return answer.promise;
    });
    const first = fetchAll(() => true);
    asked[0]?.resolve([board]);
    await first;
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const shown = () => boards.value.get(board.path)?.account;
  const answer = async (told: Board) => {
    asked.at(-1)?.resolve([told]);
    await vi.advanceTimersByTimeAsync(0);
  };

  it("that an answer already contained is not counted twice", async () => {
    void refresh(null);
    await vi.advanceTimersByTimeAsync(1);
    await answer(WITH_GAP);
    takeGap(gap);
    expect(shown()).toEqual(WITH_GAP.account);
    await vi.advanceTimersByTimeAsync(SOON);
    await answer(WITH_GAP);
    expect(shown()).toEqual(WITH_GAP.account);
  });

  it("that comes during a fetch is not lost", async () => {
    void refresh(null);
    await vi.advanceTimersByTimeAsync(1);
    takeGap(gap);
    await answer(board);
    expect(shown()?.complete).toBe(false);
    await vi.advanceTimersByTimeAsync(SOON);
    await answer(WITH_GAP);
    expect(shown()).toEqual(WITH_GAP.account);
    expect(asked).toHaveLength(3);
  });

  it("is not lost when an older answer arrives late", async () => {
    void refresh(null);
    await vi.advanceTimersByTimeAsync(1);
    takeGap(gap);
    await vi.advanceTimersByTimeAsync(SOON);
    await answer(WITH_GAP);
    asked[1]?.resolve([board]);
    await vi.advanceTimersByTimeAsync(0);
    expect(shown()?.complete).toBe(false);
    await vi.advanceTimersByTimeAsync(SOON);
    await answer(WITH_GAP);
    expect(shown()).toEqual(WITH_GAP.account);
  });

  it("that comes before the board is shown is not lost", async () => {
    const whole = fetchAll(() => true);
    boards.value = new Map();
    await vi.advanceTimersByTimeAsync(1);
    takeGap(gap);
    await answer(board);
    await whole;
    expect(boards.value.get(board.path)).toMatchObject({ hasGaps: true });
    await vi.advanceTimersByTimeAsync(SOON);
    await answer(WITH_GAP);
    expect(shown()).toEqual(WITH_GAP.account);
  });
});

describe("the longest wait", () => {
  const shown = () => boards.value.get(board.path)?.longestWaitFrom;
  const at = (time: string) => Date.parse(`2026-11-25T10:0${time}.000Z`);
  const show = async (first: Board) => {
    ask.mockResolvedValue([first]);
    await fetchAll(() => true);
  };
  const abandoned = (revision: number, waiting: number) =>
    change(revision, "UNCLAIMED", { kind: "abandoned", state_before: "CLAIMED", waiting });

  it("includes the time before an abandoned claim", async () => {
    await show({ ...board, revision: 100, unclaimed: 0, claimed: 1, oldest_unclaimed: null });
    takeChanges([abandoned(101, 20)]);
    expect(shown()).toBe(at("0:40"));
  });

  it("may be that of an abandoned job, beside others", async () => {
    await show({ ...board, revision: 200, unclaimed: 0, claimed: 2, oldest_unclaimed: null });
    takeChanges([abandoned(201, 20), abandoned(202, 10)]);
    expect(shown()).toBe(at("0:40"));
    takeChanges([abandoned(203, 30)]);
    expect(shown()).toBe(at("0:30"));
  });

  it("is not changed by a change that the answer already contains", async () => {
    await show({ ...board, revision: 300, unclaimed: 1, oldest_unclaimed: 0 });
    const before = shown();
    takeChanges([
      change(299, "UNCLAIMED", {
        kind: "posted",
        state_before: null,
        waiting: 0,
        moment: "2026-11-25T09:00:00.000Z",
      }),
    ]);
    expect(shown()).toBe(before);
  });

  it("is the server's if the page has lost the longest one", async () => {
    await show({ ...board, revision: 400, unclaimed: 2, oldest_unclaimed: 600 });
    takeChanges([change(401, "CLAIMED", { waiting: 600 })]);
    await show({ ...board, revision: 400, unclaimed: 1, oldest_unclaimed: 5 });
    expect(shown()).toBeGreaterThan(Date.parse(POSTED) - 60_000); // the server's clock is at POSTED
  });
});
