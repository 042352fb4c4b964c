// Changes from the stream, passed on together at most ten times a second.
//
// The first change is passed on at once. If drawing takes long, the pauses are longer. While the
// page is paused, or the boards are still being fetched, changes are held back. Beyond MAX_QUEUED
// changes none are kept, and everything is fetched again instead.
import { batch, signal } from "@preact/signals";
import type { Change, Gap } from "../api/types";
import { elapsed } from "../model/times";
import { takeChanges } from "./boards";
import { paused } from "./connection";

const FLUSH_INTERVAL = 100; // milliseconds from one flush to the next, at least
const IDLE_FACTOR = 2; // times the duration of a drawing: the pause after it, for other work
const MAX_IDLE = 400; // milliseconds, the longest such pause
const MAX_QUEUED = 20_000; // changes; if more are held back, everything is fetched again
const MAX_LAGS = 200; // lags that are kept

/** How many changes are held back because the page is paused. */
export const heldCount = signal(0);
/** How late Canary saw the latest changes, in seconds, the newest last. */
export const lags = signal<readonly number[]>([]);
/** Whether the boards are shown, so that changes can be applied to them. */
export const isReady = signal(false);

let queue: Change[] = [];
let waitingCount = 0; // changes since the last flush, in the queue or not
let mustRefetch = false; // whether everything will be fetched again, and nothing is queued
let nextFlush = 0; // the earliest time of the next flush, by performance.now()
let isMeasuring = false; // whether the time of a drawing is being measured
let timer: ReturnType<typeof setTimeout> | undefined;

const changeListeners = new Set<(changes: readonly Change[]) => void>();
const gapListeners = new Set<(gap: Gap) => void>();
const resetListeners = new Set<() => void>();

/** Call `take` with changes when they are to be shown. Return a function that stops that. */
export function onChanges(take: (changes: readonly Change[]) => void): () => void {
  changeListeners.add(take);
  return () => changeListeners.delete(take);
}

export function onGap(take: (gap: Gap) => void): () => void {
  gapListeners.add(take);
  return () => gapListeners.delete(take);
}

/**
 * Call `refetch` when what was fetched may have missed changes. Return a function that stops that.
 */
export function onReset(refetch: () => void): () => void {
  resetListeners.add(refetch);
  return () => resetListeners.delete(refetch);
}

export function notifyGap(gap: Gap): void {
  gapListeners.forEach((take) => take(gap));
}

/** Drop the queued changes and have everything fetched again, or after the pause if paused. */
export function reset(): void {
  queue = [];
  mustRefetch = paused.value;
  if (!mustRefetch) {
    waitingCount = 0;
    resetListeners.forEach((refetch) => refetch());
  }
}

export function take(change: Change): void {
  waitingCount += 1;
  if (queue.length >= MAX_QUEUED) {
    queue = [];
    mustRefetch = true;
  }
  if (!mustRefetch) {
    queue.push(change);
  }
  if (paused.value) {
    heldCount.value = waitingCount;
  } else {
    // Never synchronously: changes that arrive together are to be shown together.
    scheduleFlush();
  }
}

function scheduleFlush(): void {
  timer ??= setTimeout(
    () => {
      timer = undefined;
      // A drawing that was measured meanwhile may have moved the time.
      if (performance.now() < nextFlush) {
        scheduleFlush();
      } else {
        flush();
      }
    },
    Math.max(0, nextFlush - performance.now()),
  );
}

/** Pass on the queued changes, unless they are held back. */
export function flush(): void {
  clearTimeout(timer);
  timer = undefined;
  if (!isReady.value || paused.value) {
    heldCount.value = paused.value ? waitingCount : 0;
    return;
  }
  const begun = performance.now();
  nextFlush = begun + FLUSH_INTERVAL;
  const changes = queue;
  queue = [];
  waitingCount = 0;
  batch(() => {
    heldCount.value = 0;
    if (mustRefetch) {
      reset();
    } else if (changes.length > 0) {
      takeChanges(changes);
      recordLags(changes);
      changeListeners.forEach((each) => each(changes));
    }
  });
  measureDrawing(begun);
}

/** Measure how long it takes to draw what was flushed. A hidden page is not drawn or measured. */
function measureDrawing(begun: number): void {
  if (isMeasuring || document.hidden) {
    return;
  }
  isMeasuring = true;
  requestAnimationFrame(() => {
    setTimeout(() => {
      isMeasuring = false;
      const drawn = performance.now();
      nextFlush = Math.max(nextFlush, drawn + Math.min(MAX_IDLE, IDLE_FACTOR * (drawn - begun)));
    });
  });
}

function recordLags(changes: readonly Change[]): void {
  const late = changes.flatMap(({ at, seen_at: seenAt }) =>
    at === null ? [] : [elapsed(Date.parse(at), Date.parse(seenAt))],
  );
  lags.value = [...lags.value, ...late].slice(-MAX_LAGS);
}
