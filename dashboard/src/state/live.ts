// Keeps the page up to date: connects the event stream to what the page shows, and works out the
// page's condition.
//
// There is one stream for the whole page, and one more for Canary's own board while that is shown.
// Promises: the condition is "live" only if the server can reach MongoDB, both streams have reached
// the present, and the boards were fetched since the stream was opened or reset. While the page is
// paused, that fetch is deferred to the end of the pause.
import { effect, signal } from "@preact/signals";
import { Backoff } from "../api/backoff";
import * as api from "../api/client";
import { signInMethods } from "../api/credentials";
import { Stream, type Listener } from "../api/stream";
import {
  discardFetches,
  fetchAll,
  invalidate,
  ownPaths,
  refresh,
  takeGap,
  takeState,
  windowSeconds,
} from "./boards";
import { messageOf } from "../model/text";
import { flush, isReady, notifyGap, onReset, reset, take } from "./changes";
import { isLive, now, paused, serverNow, setCondition } from "./connection";

const REFRESH_INTERVAL = 30_000; // milliseconds between fetches of what changes do not say
const TICK = 1_000; // milliseconds between two updates of the timers

/** Whether the boards were ever fetched. */
export const isLoaded = signal(false);
/** Why the boards could not be fetched, until they are. */
export const failure = signal<string | null>(null);

let isOpen = false;
let isFetchDeferred = false; // whether the boards are to be fetched after the pause
let hasReached = false; // everything from before the stream was opened or reset has come
let hasOwnBoardReached = true; // the same for the stream of Canary's own board, if there is one
let storeDownSince: number | null = null;
let storeDownReason = "MongoDB does not answer";
let pageStream: Stream | null = null;
const backoff = new Backoff();

function updateCondition(): void {
  if (!isOpen) {
    return;
  }
  if (storeDownSince !== null) {
    setCondition("disconnected", { why: storeDownReason, since: storeDownSince });
  } else {
    setCondition(isReady.value && hasReached && hasOwnBoardReached ? "live" : "catching_up");
  }
}

/** Whether the page is paused and shows something, so that no answer may replace it. */
function isFrozen(): boolean {
  return paused.value && isLoaded.value;
}

function deferFetch(): void {
  isFetchDeferred = isReady.value = true;
  updateCondition();
}

async function load(): Promise<void> {
  if (isFrozen()) {
    deferFetch();
    return;
  }
  isReady.value = false;
  updateCondition();
  try {
    if (await fetchAll(() => !isFrozen())) {
      isReady.value = isLoaded.value = true;
      failure.value = null;
      backoff.reset();
      flush();
      updateCondition();
    } else if (isFrozen()) {
      deferFetch();
    }
  } catch (error) {
    failure.value = messageOf(error);
    setTimeout(() => {
      if (isOpen && !isReady.value) {
        void load();
      }
    }, backoff.next(error));
  }
}

const listener: Listener = {
  board: takeState,
  change: take,
  gap(gap) {
    takeGap(gap);
    notifyGap(gap);
  },
  store(available, since, reason) {
    storeDownSince = available ? null : Date.parse(since);
    storeDownReason = reason ?? "MongoDB does not answer";
    updateCondition();
  },
  reset() {
    hasReached = false;
    updateCondition();
    reset();
  },
  opened() {
    isOpen = true;
    hasReached = false;
    storeDownSince = null;
    signInMethods.value = null;
    void load();
    api.canary().then(
      ({ interval: seconds }) => (windowSeconds.value = seconds),
      () => undefined, // the stream fails too, and its failure is shown
    );
  },
  reached() {
    hasReached = true;
    updateCondition();
  },
  lost(why, pause) {
    isOpen = false;
    discardFetches();
    if (!isLoaded.value) {
      failure.value = why;
    }
    setCondition("disconnected", { why, next: Date.now() + pause });
  },
  rested() {
    isOpen = false;
    discardFetches();
    setCondition("resting");
  },
};

/**
 * Follow Canary's own board, which is not in the page's stream. Return a function that stops that.
 */
export function followOwnBoard(path: string): () => void {
  ownPaths.add(path);
  void refresh([path]);
  let isFirst = true;
  const setReached = (reached: boolean) => {
    hasOwnBoardReached = reached;
    updateCondition();
  };
  const stream = new Stream([["path", path]], {
    ...listener,
    store: () => undefined, // the page's stream reports that
    opened() {
      if (isFirst) {
        isFirst = false;
        reset(); // what was fetched before the stream was open may have missed changes
      }
    },
    reset() {
      setReached(false);
      reset();
    },
    reached: () => setReached(true),
    lost: () => setReached(false),
    rested: () => setReached(false),
  });
  setReached(false);
  stream.start();
  return () => {
    ownPaths.delete(path);
    stream.stop();
    setReached(true);
  };
}

/** Show what came while the page was paused, and fetch what was deferred. */
function resume(): void {
  if (isFetchDeferred) {
    isFetchDeferred = false;
    void load();
  } else {
    flush();
    void refresh(null);
  }
}

/** Try to connect at once, for example after signing in. */
export function retry(): void {
  pageStream?.retry();
}

/** Start following the server; called once. */
export function start(): void {
  pageStream = new Stream([], listener);
  pageStream.start();
  onReset(() => {
    invalidate();
    void load();
  });
  setInterval(() => {
    if (isLive.value && !paused.value) {
      now.value = serverNow();
    }
  }, TICK);
  setInterval(() => {
    if (isLive.value && !document.hidden && !paused.value) {
      void refresh(null);
    }
  }, REFRESH_INTERVAL);
  paused.subscribe((isPaused) => {
    if (!isPaused && isLoaded.value) {
      resume();
    }
  });
  effect(() => {
    if (isLive.value && !paused.value) {
      now.value = serverNow();
    }
  });
}
