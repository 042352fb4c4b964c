// The event stream of canary-server, with reconnects.
//
// The stream is read as JSON lines with fetch(), because an EventSource cannot send an
// Authorization header, cannot be told that the machine was asleep, and does not say why it failed.
//
// Promises: a lost connection is tried again until `stop`, with a backoff that is reset once the
// stream has reached the present. Each reconnect asks for the events after the last id that was
// received; if the server no longer has them, it sends a reset. A connection without data for
// MAX_SILENCE counts as lost. A hidden tab closes its connection ("resting") after REST_AFTER, or
// at once if another tab needs a connection. It connects again when it is visible.
import { messageOf } from "../model/text";
import { Backoff } from "./backoff";
import { address, httpErrorOf, type Query } from "./client";
import { connectionHint, onConnectionWanted, watchRequest } from "./connectionlimit";
import { authHeaders } from "./credentials";
import type { BoardState, Change, Gap } from "./types";

const MAX_SILENCE = 5_000; // milliseconds; a heartbeat comes every two seconds
const REST_AFTER = 30_000; // milliseconds that a tab is hidden until its connection is closed
const CHECK_INTERVAL = 1_000; // milliseconds between checks for silence and sleep
const SLEEP_LAG = 5_000; // milliseconds; if a check comes later than this, the machine was asleep

export interface Listener {
  board(state: BoardState): void;
  change(change: Change): void;
  gap(gap: Gap): void;
  store(available: boolean, since: string, reason: string | null): void;
  /** Events were missed: everything that is shown must be fetched again. */
  reset(): void;
  /** The server has accepted the connection; no event has been read yet. */
  opened(): void;
  /**
   * Everything that happened until now has been received. Called with each heartbeat that says so.
   */
  reached(): void;
  /** The connection failed or ended. It is tried again in `pause` milliseconds. */
  lost(why: string, pause: number): void;
  /** The tab is hidden and its connection is closed, until the tab is visible again. */
  rested(): void;
}

interface StreamLine {
  event: string;
  id: string | null;
  data?: unknown;
}

export class Stream {
  readonly #query: Query;
  readonly #listener: Listener;
  #lastId: string | null = null;
  readonly #backoff: Backoff;
  #isStopped = false;
  #isResting = false;
  #retriesAtOnce = false; // no pause once the current connection has been aborted
  #connection: AbortController | null = null;
  #isAnswered = false; // whether the server has answered on the current connection
  #lastReceived = 0; // when data was last received, by performance.now()
  #wake: () => void = () => undefined;
  #checkTimer: ReturnType<typeof setInterval> | undefined;
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  #stopListening: () => void = () => undefined;

  constructor(query: Query, listener: Listener, random?: () => number) {
    this.#query = query;
    this.#listener = listener;
    this.#backoff = new Backoff(random);
  }

  start(): void {
    let lastCheck = performance.now();
    let lastCheckByDate = Date.now(); // performance.now() may stand still while the machine sleeps
    this.#checkTimer = setInterval(() => {
      const now = performance.now();
      const lateness = Math.max(now - lastCheck, Date.now() - lastCheckByDate) - CHECK_INTERVAL;
      // In a hidden tab the checks are late too, because browsers throttle its timers.
      const hasSlept = lateness > SLEEP_LAG && !document.hidden;
      lastCheck = now;
      lastCheckByDate = Date.now();
      if (hasSlept || (this.#connection && now - this.#lastReceived > MAX_SILENCE)) {
        const reason = this.#isAnswered
          ? `no data from the server for ${MAX_SILENCE / 1000} s`
          : `the server did not answer within ${MAX_SILENCE / 1000} s${connectionHint()}`;
        this.#connection?.abort(new Error(hasSlept ? "this computer was asleep" : reason));
        if (hasSlept) {
          this.retry();
        }
      }
    }, CHECK_INTERVAL);
    addEventListener("online", this.retry);
    document.addEventListener("visibilitychange", this.#onVisibilityChange);
    this.#stopListening = onConnectionWanted(() => {
      if (document.hidden) {
        this.#closeWhileHidden();
      }
    });
    this.#isResting = document.hidden; // a tab opened in the background connects when visible
    void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#isResting = false;
    clearInterval(this.#checkTimer);
    clearTimeout(this.#restTimer);
    removeEventListener("online", this.retry);
    document.removeEventListener("visibilitychange", this.#onVisibilityChange);
    this.#stopListening();
    this.#connection?.abort();
    this.#wake();
  }

  /** Reset the backoff, and end the wait for the next try. */
  readonly retry = (): void => {
    this.#backoff.reset();
    this.#retriesAtOnce = this.#connection?.signal.aborted ?? false;
    this.#wake();
  };

  readonly #onVisibilityChange = (): void => {
    clearTimeout(this.#restTimer);
    if (document.hidden) {
      this.#restTimer = setTimeout(() => this.#closeWhileHidden(), REST_AFTER);
    } else {
      this.#isResting = false;
      this.retry();
    }
  };

  /** Close the connection until the tab is visible again. */
  #closeWhileHidden(): void {
    if (!this.#isResting) {
      this.#isResting = true;
      this.#connection?.abort();
      this.#listener.rested();
    }
  }

  async #run(): Promise<void> {
    let pause = 0;
    for (;;) {
      await this.#sleep(pause);
      while (this.#isResting) {
        await this.#sleep(null);
      }
      if (this.#isStopped) {
        return;
      }
      let failure: unknown = new Error("the server ended the stream");
      try {
        await this.#readStream();
      } catch (error) {
        failure = error;
        this.#connection?.abort(); // still open if a line could not be handled
      }
      this.#connection = null;
      pause = this.#retriesAtOnce ? 0 : this.#backoff.next(failure);
      this.#retriesAtOnce = false;
      if (this.#isFollowing()) {
        this.#listener.lost(messageOf(failure), pause);
      }
    }
  }

  #isFollowing(): boolean {
    return !this.#isStopped && !this.#isResting;
  }

  /** Wait for `pause` milliseconds, or without a limit if it is null; `#wake` ends the wait. */
  #sleep(pause: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = pause === null ? undefined : setTimeout(resolve, pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #readStream(): Promise<void> {
    const connection = (this.#connection = new AbortController());
    this.#lastReceived = performance.now();
    const lastIdHeader = this.#lastId === null ? {} : { "Last-Event-ID": this.#lastId };
    const auth = authHeaders();
    this.#isAnswered = false;
    const answer = await watchRequest(
      fetch(address("v2/stream", this.#query), {
        cache: "no-store",
        headers: { ...auth, ...lastIdHeader, Accept: "application/x-ndjson" },
        signal: connection.signal,
      }),
    );
    this.#isAnswered = true;
    if (!answer.ok || answer.body === null) {
      throw await httpErrorOf(answer, auth);
    }
    this.#listener.opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let incomplete = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      this.#lastReceived = performance.now();
      const lines = (incomplete + value).split("\n");
      incomplete = lines.pop() ?? "";
      for (const line of lines) {
        if (line !== "") {
          this.#dispatch(JSON.parse(line) as StreamLine);
        }
      }
    }
  }

  #dispatch({ event, id, data }: StreamLine): void {
    switch (event) {
      case "board":
        this.#listener.board(data as BoardState);
        break;
      case "change":
        this.#listener.change(data as Change);
        break;
      case "gap":
        this.#listener.gap(data as Gap);
        break;
      case "store": {
        const { available, since, reason } = data as {
          available: boolean;
          since: string;
          reason?: string | null;
        };
        this.#listener.store(available, since, reason ?? null);
        break;
      }
      case "reset":
        this.#listener.reset();
        break;
      case "heartbeat":
        // False while missed events are still being sent, and if the server has lost its position.
        if ((data as { reached: boolean }).reached) {
          this.#backoff.reset(); // not in `opened`, or streams that end at once have no pause
          this.#listener.reached();
        }
        break;
      case "dropped":
        throw new Error((data as { reason: string }).reason);
    }
    this.#lastId = id ?? this.#lastId;
  }
}
