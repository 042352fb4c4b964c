// What keeps the page up to date: one stream for all of it, and one more for Canary's own board while
// that is looked at.
import { effect, signal } from "@preact/signals";
import * as api from "../api/client";
import { refused } from "../api/credentials";
import { Stream, type Listener } from "../api/stream";
import {
  distrust,
  fetchAll,
  interval,
  outdate,
  owned,
  refresh,
  takeGap,
  takeState,
} from "./boards";
import { messageOf } from "../model/text";
import { flush, isReady, onReset, reset, take, tellGap } from "./changes";
import { isLive, now, paused, serverNow, settle } from "./connection";

const REFRESH = 30_000; // milliseconds between fetches of what changes do not tell
const RETRY = 1_000;
const TICK = 1_000;

/** Whether boards were ever fetched, and why they could not be. */
export const isLoaded = signal(false);
export const failure = signal<string | null>(null);

let isOpen = false;
let isOwed = false; // whether boards are to be fetched once the page goes on
let hasReached = false; // all that happened before the stream was opened, or reset, has come
let hasOwnReached = true; // the same of the stream of Canary's own board, while there is one
let storeAwaySince: number | null = null;
let main: Stream | null = null;

function judge(): void {
  if (!isOpen) {
    return;
  }
  if (storeAwaySince !== null) {
    settle("disconnected", "MongoDB does not answer", storeAwaySince);
  } else {
    settle(isReady.value && hasReached && hasOwnReached ? "live" : "catching_up");
  }
}

/** Whether what is shown must stay, and a fetch wait. */
function isHeld(): boolean {
  return paused.value && isLoaded.value;
}

function owe(): void {
  isOwed = isReady.value = true;
  judge();
}

async function load(): Promise<void> {
  if (isHeld()) {
    owe();
    return;
  }
  isReady.value = false;
  judge();
  try {
    if (await fetchAll(() => !isHeld())) {
      isReady.value = isLoaded.value = true;
      failure.value = null;
      flush();
      judge();
    } else if (isHeld()) {
      owe();
    }
  } catch (error) {
    failure.value = messageOf(error);
    setTimeout(() => {
      if (isOpen && !isReady.value) {
        void load();
      }
    }, RETRY);
  }
}

const listener: Listener = {
  board: takeState,
  change: take,
  gap(gap) {
    takeGap(gap);
    tellGap(gap);
  },
  store(available, since) {
    storeAwaySince = available ? null : Date.parse(since);
    judge();
  },
  reset() {
    hasReached = false;
    judge();
    reset();
  },
  opened() {
    isOpen = true;
    hasReached = false;
    storeAwaySince = null;
    refused.value = null;
    void load();
    api.itself().then(
      ({ interval: seconds }) => (interval.value = seconds),
      () => undefined, // the stream says what is wrong
    );
  },
  reached() {
    hasReached = true;
    judge();
  },
  lost(why) {
    isOpen = false;
    outdate();
    settle("disconnected", why);
  },
};

/** Follow Canary's own board as well, which the page's stream does not tell of. */
export function followOwn(path: string): () => void {
  owned.add(path);
  void refresh([path]);
  let isNew = true;
  const has = (reached: boolean) => {
    hasOwnReached = reached;
    judge();
  };
  const stream = new Stream([["path", path]], {
    ...listener,
    store: () => undefined, // the page's own stream tells that
    opened() {
      if (isNew) {
        isNew = false;
        reset(); // what was fetched before it was listened to may have missed something
      }
    },
    reset() {
      has(false);
      reset();
    },
    reached: () => has(true),
    lost: () => has(false),
  });
  has(false);
  stream.start();
  return () => {
    owned.delete(path);
    stream.stop();
    has(true);
  };
}

/** Show what came while the page was paused, and what was not fetched meanwhile. */
function goOn(): void {
  if (isOwed) {
    isOwed = false;
    void load();
  } else {
    flush();
    void refresh(null);
  }
}

/** Try to connect at once, as after signing in. */
export function retry(): void {
  main?.retry();
}

export function begin(): void {
  main = new Stream([], listener);
  main.start();
  onReset(() => {
    distrust();
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
  }, REFRESH);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !isOpen) {
      retry();
    }
  });
  paused.subscribe((isPaused) => {
    if (!isPaused && isLoaded.value) {
      goOn();
    }
  });
  effect(() => {
    if (isLive.value && !paused.value) {
      now.value = serverNow();
    }
  });
}
