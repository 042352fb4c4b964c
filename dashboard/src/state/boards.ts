// The boards as they are shown: fetched, and kept up by what the stream tells of them. An answer is
// as old as its question: what the stream told meanwhile is newer.
import { signal } from "@preact/signals";
import * as api from "../api/client";
import type { Board, BoardState, Change, Gap } from "../api/types";
import { counted } from "../model/moves";
import { compare, paused, serverNow } from "./connection";

const DIRTY = 2_000; // milliseconds between fetches of boards of which changes and gaps tell too little
const NEW = 100; // milliseconds until new boards are fetched, together
const MOST = 100; // boards that are asked for by name at once, as many as the server takes

/** A board as it is shown: with the moment from which its oldest unclaimed job waits. */
export interface Shown extends Board {
  oldestFrom: number | null;
  /** Whether a gap of it has come since the page was opened. */
  hasGaps: boolean;
}

export const boards = signal<ReadonlyMap<string, Shown>>(new Map());
/** The window over which boards are counted, seconds. */
export const interval = signal(600);
/** Boards that nobody registered and that are followed all the same. */
export const owned = new Set<string>();

/** What the stream said last of each board, and when. */
const told = new Map<string, { state: BoardState; at: number }>();
/** When the stream told the last gap of a board, which answers to earlier questions may lack. */
const gapped = new Map<string, number>();
const wanted = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;
let generation = 0;
let isDistrusted = false;

/** Forget what is being fetched: it will be fetched anew. */
export function outdate(): void {
  generation += 1;
}

/** Forget what is known of boards as soon as they are fetched: what was told is not to be gone by. */
export function distrust(): void {
  isDistrusted = true;
}

/**
 * Fetch all boards and show them, unless that is outdated meanwhile or not wanted any more. Returns
 * whether it was done.
 */
export async function fetchAll(isWanted: () => boolean): Promise<boolean> {
  const mine = ++generation;
  const begun = performance.now();
  const fetched = await everyBoard();
  if (mine !== generation || !isWanted()) {
    return false;
  }
  show(fetched, begun, true);
  isDistrusted = false;
  for (const [path, { state, at }] of told) {
    if (at < begun) {
      told.delete(path);
    } else if (state.registered && !boards.value.has(path)) {
      want(path, NEW);
    }
  }
  gapped.forEach((at, path) => at < begun && gapped.delete(path));
  return true;
}

async function everyBoard(): Promise<Board[]> {
  const fetched = await api.boards();
  const own = await Promise.all([...owned].map((path) => api.boards([["path", path]])));
  return [...fetched, ...own.flat()];
}

/** Fetch what changes do not tell: of some boards, or of all. What fails is tried again later. */
export async function refresh(paths: readonly string[] | null): Promise<void> {
  const mine = generation;
  const begun = performance.now();
  try {
    const query = paths?.map((path) => ["path", path] as const);
    const fetched = await (query ? api.boards(query) : everyBoard());
    if (mine === generation) {
      show(fetched.filter(mayMove), begun, false);
    }
  } catch {
    // The stream says what is wrong.
  }
}

/** While the page is paused nothing moves; a board of its own that is opened then is shown. */
function mayMove({ path }: Board): boolean {
  return !paused.value || (owned.has(path) && !boards.value.has(path));
}

/** Fetch a board in a while, with others that are wanted by then. */
function want(path: string, delay: number): void {
  wanted.add(path);
  timer ??= setTimeout(() => {
    timer = undefined;
    const paths = [...wanted].slice(0, MOST);
    paths.forEach((each) => wanted.delete(each));
    void refresh(paths);
    wanted.forEach((each) => want(each, NEW));
  }, delay);
}

/** Show boards as they were fetched since `begun`; `whole` says that there are no others. */
function show(fetched: readonly Board[], begun: number, whole: boolean): void {
  const moments = fetched.flatMap((board) =>
    board.freshness === "live" && board.live_until !== null ? [Date.parse(board.live_until)] : [],
  );
  if (moments.length) {
    compare(Math.max(...moments));
  }
  const all = new Map(whole ? [] : boards.value);
  for (const answer of fetched) {
    const last = told.get(answer.path);
    const state = last !== undefined && last.at >= begun ? last.state : null;
    if (state !== null && !state.registered && !owned.has(answer.path)) {
      all.delete(answer.path);
    } else {
      const board = merged({ ...answer, ...state }, boards.value.get(answer.path));
      all.set(answer.path, accounted(board, begun));
    }
  }
  boards.value = all;
}

/** Return a board that was fetched since `begun` with what a gap says that has come since. */
function accounted(board: Shown, begun: number): Shown {
  const at = gapped.get(board.path);
  if (at === undefined || at < begun) {
    return { ...board, hasGaps: board.hasGaps || at !== undefined };
  }
  want(board.path, DIRTY);
  return gappy(board);
}

function gappy(board: Shown): Shown {
  return { ...board, account: { ...board.account, complete: false }, hasGaps: true };
}

/** Return a board as it was just fetched, but for what changes have told since. */
function merged(board: Board, known: Shown | undefined): Shown {
  const hasGaps = known?.hasGaps ?? false;
  const waits = board.oldest_unclaimed;
  const oldest = waits === null ? null : serverNow() - waits * 1000;
  if (known && known.revision > board.revision && !isDistrusted) {
    const { revision, unclaimed, claimed } = known;
    // What waited longer than any that the server knows of has been claimed.
    const isGone = oldest !== null && known.oldestFrom !== null && known.oldestFrom < oldest;
    const oldestFrom = isGone ? oldest : known.oldestFrom;
    return { ...board, revision, unclaimed, claimed, oldestFrom, hasGaps };
  }
  return { ...board, oldestFrom: oldest, hasGaps };
}

/** Take what the stream says of a board's freshness, or that it is new or gone. */
export function takeState(state: BoardState): void {
  told.set(state.path, { state, at: performance.now() });
  const known = boards.value.get(state.path);
  if (!state.registered && !owned.has(state.path)) {
    if (known) {
      const all = new Map(boards.value);
      all.delete(state.path);
      boards.value = all;
    }
  } else if (known) {
    boards.value = new Map(boards.value).set(state.path, { ...known, ...state });
  } else {
    want(state.path, NEW);
  }
}

/** Take a gap. What it adds is fetched: nothing tells whether an answer holds it already. */
export function takeGap({ path }: Gap): void {
  gapped.set(path, performance.now());
  const board = boards.value.get(path);
  if (board && !paused.value) {
    boards.value = new Map(boards.value).set(path, gappy(board));
    want(path, DIRTY);
  }
}

export function takeChanges(changes: readonly Change[]): void {
  const all = new Map(boards.value);
  for (const change of changes) {
    const board = all.get(change.path);
    if (board) {
      all.set(change.path, after(board, change));
    }
  }
  boards.value = all;
}

function after(board: Shown, change: Change): Shown {
  const { hasGaps } = board;
  let { oldestFrom } = board;
  const next = counted(board, change);
  if (next === board) {
    return board; // it is no news
  }
  if (next.unclaimed === 0) {
    oldestFrom = null;
  } else if (change.state === "UNCLAIMED" && change.waiting !== null) {
    const from = Date.parse(change.at ?? change.seen_at) - change.waiting * 1000;
    oldestFrom = board.unclaimed === 0 ? from : Math.min(oldestFrom ?? from, from);
  } else if (change.state_before === "UNCLAIMED") {
    want(board.path, DIRTY); // it may have been the one that had waited longest
  }
  return { ...next, oldestFrom, hasGaps };
}
