// The boards as they are shown: fetched from the API, and updated by events of the stream.
//
// Promises: an answer is taken to be as old as the start of its request. Board events and gaps that
// came after that are not lost when the answer is shown. In the numbers of unclaimed and claimed
// jobs a change counts once, because boards and changes carry revisions.
import { signal } from "@preact/signals";
import * as api from "../api/client";
import type { Board, BoardState, Change, Gap } from "../api/types";
import { boardAfter } from "../model/moves";
import { paused, serverNow, syncClock } from "./connection";

const REFETCH_DELAY = 2_000; // milliseconds until a board is fetched for what an event does not say
const NEW_BOARD_DELAY = 100; // milliseconds until a new board is fetched, together with others
const MAX_PATHS = 100; // boards in one request: as many paths as the server accepts

/**
 * A board as it is shown. The two times are when its longest wait and its longest claim began, in
 * milliseconds since 1970 by the server's clock.
 */
export interface ShownBoard extends Board {
  longestWaitFrom: number | null;
  longestClaimFrom: number | null;
  /** Whether the stream has sent a gap of this board since the page was opened. */
  hasGaps: boolean;
}

export const boards = signal<ReadonlyMap<string, ShownBoard>>(new Map());
/** The window of the boards' counts and completeness, in seconds. */
export const windowSeconds = signal(600);
/** Boards that are followed although they are not registered: Canary's own. */
export const ownPaths = new Set<string>();

/** The last state of each board from the stream, and when it came, by performance.now(). */
const lastStates = new Map<string, { state: BoardState; at: number }>();
/** When the last gap of a board came. Answers to requests from before may not contain it. */
const lastGaps = new Map<string, number>();
const pathsToFetch = new Set<string>();
let fetchTimer: ReturnType<typeof setTimeout> | undefined;
let generation = 0;
let isInvalid = false;

/** Ignore the answers to all requests that are under way. */
export function discardFetches(): void {
  generation += 1;
}

/** Let the next `fetchAll` replace the counts that are shown, even if its revisions are lower. */
export function invalidate(): void {
  isInvalid = true;
}

/**
 * Fetch all boards and show them. If the fetch was discarded meanwhile, or `isWanted` returns false
 * once the answer is there, nothing is shown. Returns whether the boards were shown.
 */
export async function fetchAll(isWanted: () => boolean): Promise<boolean> {
  const mine = ++generation;
  const begun = performance.now();
  const fetched = await fetchEveryBoard();
  if (mine !== generation || !isWanted()) {
    return false;
  }
  show(fetched, begun, true);
  isInvalid = false;
  for (const [path, { state, at }] of lastStates) {
    if (at < begun) {
      lastStates.delete(path);
    } else if (state.registered && !boards.value.has(path)) {
      fetchSoon(path, NEW_BOARD_DELAY);
    }
  }
  lastGaps.forEach((at, path) => at < begun && lastGaps.delete(path));
  return true;
}

async function fetchEveryBoard(): Promise<Board[]> {
  const fetched = await api.boards();
  const own = await Promise.all([...ownPaths].map((path) => api.boards([["path", path]])));
  return [...fetched, ...own.flat()];
}

/**
 * Fetch and show some boards, or all if `paths` is null, for what changes do not say. A failure is
 * ignored: all boards are fetched regularly.
 */
export async function refresh(paths: readonly string[] | null): Promise<void> {
  const mine = generation;
  const begun = performance.now();
  try {
    const query = paths?.map((path) => ["path", path] as const);
    const fetched = await (query ? api.boards(query) : fetchEveryBoard());
    if (mine === generation) {
      show(fetched.filter(mayShow), begun, false);
    }
  } catch {
    // The stream fails too, and its failure is shown.
  }
}

/**
 * Whether an answer may be shown. While the page is paused, only one of Canary's own boards may
 * that was not shown before.
 */
function mayShow({ path }: Board): boolean {
  return !paused.value || (ownPaths.has(path) && !boards.value.has(path));
}

/** Fetch a board in `delay` milliseconds, or with the next fetch if one is planned already. */
function fetchSoon(path: string, delay: number): void {
  pathsToFetch.add(path);
  fetchTimer ??= setTimeout(() => {
    fetchTimer = undefined;
    const paths = [...pathsToFetch].slice(0, MAX_PATHS);
    paths.forEach((each) => pathsToFetch.delete(each));
    void refresh(paths);
    pathsToFetch.forEach((each) => fetchSoon(each, NEW_BOARD_DELAY));
  }, delay);
}

/** Show boards whose request began at `begun`. `whole`: there are no other boards. */
function show(fetched: readonly Board[], begun: number, whole: boolean): void {
  const liveUntil = fetched.flatMap((board) =>
    board.freshness === "live" && board.live_until !== null ? [Date.parse(board.live_until)] : [],
  );
  if (liveUntil.length) {
    syncClock(Math.max(...liveUntil));
  }
  const all = new Map(whole ? [] : boards.value);
  for (const answer of fetched) {
    const last = lastStates.get(answer.path);
    const state = last !== undefined && last.at >= begun ? last.state : null;
    if (state !== null && !state.registered && !ownPaths.has(answer.path)) {
      all.delete(answer.path);
    } else {
      const board = merged({ ...answer, ...state }, boards.value.get(answer.path));
      all.set(answer.path, withLateGap(board, begun));
    }
  }
  boards.value = all;
}

/** Return a board with its gaps: incomplete if one came after its request began at `begun`. */
function withLateGap(board: ShownBoard, begun: number): ShownBoard {
  const at = lastGaps.get(board.path);
  if (at === undefined || at < begun) {
    return { ...board, hasGaps: board.hasGaps || at !== undefined };
  }
  fetchSoon(board.path, REFETCH_DELAY);
  return incomplete(board);
}

function incomplete(board: ShownBoard): ShownBoard {
  return { ...board, account: { ...board.account, complete: false }, hasGaps: true };
}

/** Return a board as it was just fetched, with the counts that are shown if those are newer. */
function merged(board: Board, known: ShownBoard | undefined): ShownBoard {
  const hasGaps = known?.hasGaps ?? false;
  const waits = board.oldest_unclaimed;
  const waitFrom = waits === null ? null : serverNow() - waits * 1000;
  const lasts = board.oldest_claimed;
  const claimFrom = lasts === null ? null : serverNow() - lasts * 1000;
  if (known && known.revision > board.revision && !isInvalid) {
    const { revision, unclaimed, claimed } = known;
    // A wait that began before the longest one that the server knows has ended.
    const isWaitOver =
      waitFrom !== null && known.longestWaitFrom !== null && known.longestWaitFrom < waitFrom;
    const longestWaitFrom = isWaitOver ? waitFrom : known.longestWaitFrom;
    // A claim that began before the longest one that the server knows has ended.
    const isClaimOver =
      claimFrom !== null && known.longestClaimFrom !== null && known.longestClaimFrom < claimFrom;
    return {
      ...board,
      ...{ revision, unclaimed, claimed, longestWaitFrom, hasGaps },
      longestClaimFrom: isClaimOver ? claimFrom : known.longestClaimFrom,
    };
  }
  return { ...board, longestWaitFrom: waitFrom, longestClaimFrom: claimFrom, hasGaps };
}

/** Show a board's state from the stream: its freshness, or that it is new or was removed. */
export function takeState(state: BoardState): void {
  lastStates.set(state.path, { state, at: performance.now() });
  const known = boards.value.get(state.path);
  if (!state.registered && !ownPaths.has(state.path)) {
    if (known) {
      const all = new Map(boards.value);
      all.delete(state.path);
      boards.value = all;
    }
  } else if (known) {
    boards.value = new Map(boards.value).set(state.path, { ...known, ...state });
  } else {
    fetchSoon(state.path, NEW_BOARD_DELAY);
  }
}

/**
 * Mark a gap's board as incomplete. The gap's counts are fetched and not added, because nothing
 * says whether an answer contains them already.
 */
export function takeGap({ path }: Gap): void {
  lastGaps.set(path, performance.now());
  const board = boards.value.get(path);
  if (board && !paused.value) {
    boards.value = new Map(boards.value).set(path, incomplete(board));
    fetchSoon(path, REFETCH_DELAY);
  }
}

export function takeChanges(changes: readonly Change[]): void {
  const all = new Map(boards.value);
  for (const change of changes) {
    const board = all.get(change.path);
    if (board) {
      all.set(change.path, shownAfter(board, change));
    }
  }
  boards.value = all;
}

function shownAfter(board: ShownBoard, change: Change): ShownBoard {
  const { hasGaps } = board;
  let { longestWaitFrom, longestClaimFrom } = board;
  const next = boardAfter(board, change);
  if (next === board) {
    return board; // the board has this change already
  }
  if (next.unclaimed === 0) {
    longestWaitFrom = null;
  } else if (change.state === "UNCLAIMED" && change.waiting !== null) {
    const from = Date.parse(change.moment) - change.waiting * 1000;
    longestWaitFrom = board.unclaimed === 0 ? from : Math.min(longestWaitFrom ?? from, from);
  } else if (change.state_before === "UNCLAIMED") {
    fetchSoon(board.path, REFETCH_DELAY); // this job may have waited longest
  }
  if (next.claimed === 0) {
    longestClaimFrom = null;
  } else if (change.state === "CLAIMED") {
    const from = Date.parse(change.moment);
    longestClaimFrom = board.claimed === 0 ? from : Math.min(longestClaimFrom ?? from, from);
  } else if (change.state_before === "CLAIMED") {
    fetchSoon(board.path, REFETCH_DELAY); // this claim may have been the longest
  }
  return { ...next, longestWaitFrom, longestClaimFrom, hasGaps };
}
