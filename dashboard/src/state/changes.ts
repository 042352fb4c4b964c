// Changes as they are shown: together, at most ten times a second, the first of them at once, and less
// often where drawing takes long; held back while the page is paused, or while what they change is
// still being fetched.
import { batch, signal } from "@preact/signals";
import type { Change, Gap } from "../api/types";
import { passed } from "../model/times";
import { takeChanges } from "./boards";
import { paused } from "./connection";

const FLUSH = 100; // milliseconds from one drawing's beginning to the next's, at least
const SHARE = 2; // times what a drawing took: for so long a processor is left to others behind it
const LONGEST = 400; // milliseconds of that, at most
const HELD = 20_000; // changes kept while paused; beyond, all is fetched anew afterwards
const LAGS = 200;

/** How many changes wait to be shown. */
export const held = signal(0);
/** How late Canary saw the last changes, in seconds, the newest last. */
export const lags = signal<readonly number[]>([]);
/** Whether the boards are there that changes are about. */
export const isReady = signal(false);

let queue: Change[] = [];
let count = 0; // changes that came since some were shown last, those of the queue and others
let isStale = false; // whether all is to be fetched anew, so that none need be queued
let due = 0; // when more may be shown, by performance.now()
let isMeasuring = false; // how long a drawing takes
let timer: ReturnType<typeof setTimeout> | undefined;

const takers = new Set<(changes: readonly Change[]) => void>();
const gapTakers = new Set<(gap: Gap) => void>();
const resetters = new Set<() => void>();

/** Have `take` called with changes as they are shown. Returns what ends that. */
export function onChanges(take: (changes: readonly Change[]) => void): () => void {
  takers.add(take);
  return () => takers.delete(take);
}

export function onGap(take: (gap: Gap) => void): () => void {
  gapTakers.add(take);
  return () => gapTakers.delete(take);
}

/** Have `fetchAnew` called when what was fetched may have missed something. */
export function onReset(fetchAnew: () => void): () => void {
  resetters.add(fetchAnew);
  return () => resetters.delete(fetchAnew);
}

export function tellGap(gap: Gap): void {
  gapTakers.forEach((take) => take(gap));
}

/** Forget what is queued, and have all be fetched anew; while the page is paused, afterwards. */
export function reset(): void {
  queue = [];
  isStale = paused.value;
  if (!isStale) {
    count = 0;
    resetters.forEach((fetchAnew) => fetchAnew());
  }
}

export function take(change: Change): void {
  count += 1;
  if (queue.length >= HELD) {
    queue = [];
    isStale = true;
  }
  if (!isStale) {
    queue.push(change);
  }
  if (paused.value) {
    held.value = count;
  } else {
    // Not at once, even where that is due: what arrived together is shown together.
    wait();
  }
}

function wait(): void {
  timer ??= setTimeout(
    () => {
      timer = undefined;
      // The last drawing may have taken long since.
      if (performance.now() < due) {
        wait();
      } else {
        flush();
      }
    },
    Math.max(0, due - performance.now()),
  );
}

/** Show what is queued, if that may be. */
export function flush(): void {
  clearTimeout(timer);
  timer = undefined;
  if (!isReady.value || paused.value) {
    held.value = paused.value ? count : 0;
    return;
  }
  const begun = performance.now();
  due = begun + FLUSH;
  const changes = queue;
  queue = [];
  count = 0;
  batch(() => {
    held.value = 0;
    if (isStale) {
      reset();
    } else if (changes.length > 0) {
      takeChanges(changes);
      note(changes);
      takers.forEach((each) => each(changes));
    }
  });
  measure(begun);
}

/** Note how long it takes until what was flushed is drawn; a page that nobody sees is not drawn. */
function measure(begun: number): void {
  if (isMeasuring || document.hidden) {
    return;
  }
  isMeasuring = true;
  requestAnimationFrame(() => {
    setTimeout(() => {
      isMeasuring = false;
      const drawn = performance.now();
      due = Math.max(due, drawn + Math.min(LONGEST, SHARE * (drawn - begun)));
    });
  });
}

function note(changes: readonly Change[]): void {
  const late = changes.flatMap(({ at, seen_at: seenAt }) =>
    at === null ? [] : [passed(Date.parse(at), Date.parse(seenAt))],
  );
  lags.value = [...lags.value, ...late].slice(-LAGS);
}
