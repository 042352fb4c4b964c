// The event stream, kept alive: JSON lines by fetch, since an EventSource can't sign in, can't be
// told that a laptop slept, and hides why it failed.
import { messageOf } from "../model/text";
import { address, refusal, type Query } from "./client";
import { headers } from "./credentials";
import type { BoardState, Change, Gap } from "./types";

const SILENCE = 5_000; // milliseconds; a heartbeat comes every two seconds
const PAUSES = [0, 250, 500, 1_000]; // milliseconds before each new try; then the last one again
const LOOK = 1_000; // milliseconds between looks at whether the machine has slept
const SLEPT = 5_000; // milliseconds by which such a look was late

export interface Listener {
  board(state: BoardState): void;
  change(change: Change): void;
  gap(gap: Gap): void;
  store(available: boolean, since: string): void;
  /** Events were missed: everything that is shown is to be fetched anew. */
  reset(): void;
  opened(): void;
  /** Everything that happened up to now has come; so it is said again and again. */
  reached(): void;
  lost(why: string): void;
}

interface Line {
  event: string;
  id: string | null;
  data?: unknown;
}

export class Stream {
  readonly #query: Query;
  readonly #listener: Listener;
  #lastId: string | null = null;
  #stopping = false;
  #tries = 0;
  #connection: AbortController | null = null;
  #heard = 0; // when something came last, by the page's own clock
  #wake: () => void = () => undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(query: Query, listener: Listener) {
    this.#query = query;
    this.#listener = listener;
  }

  start(): void {
    let last = performance.now();
    let lastByDate = Date.now(); // the other clock stands still while a machine sleeps
    this.#watch = setInterval(() => {
      const now = performance.now();
      const late = Math.max(now - last, Date.now() - lastByDate) - LOOK;
      // The looks of a tab that nobody sees are late too, for browsers hold them back.
      const slept = late > SLEPT && !document.hidden;
      last = now;
      lastByDate = Date.now();
      if (slept || (this.#connection && now - this.#heard > SILENCE)) {
        this.#connection?.abort(new Error(slept ? "this machine slept" : "nothing came any more"));
        this.retry();
      }
    }, LOOK);
    addEventListener("online", this.retry);
    void this.#run();
  }

  stop(): void {
    this.#stopping = true;
    clearInterval(this.#watch);
    removeEventListener("online", this.retry);
    this.#connection?.abort();
    this.#wake();
  }

  /** Try again at once. */
  readonly retry = (): void => {
    this.#tries = 0;
    this.#wake();
  };

  async #run(): Promise<void> {
    for (;;) {
      await this.#pause();
      if (this.#stopping) {
        return;
      }
      this.#tries += 1;
      try {
        await this.#follow();
        this.#lose("the server ended the stream");
      } catch (error) {
        this.#connection?.abort(); // it may be what came that was wrong, and not the connection
        this.#lose(messageOf(error));
      }
    }
  }

  #lose(why: string): void {
    this.#connection = null;
    if (!this.#stopping) {
      this.#listener.lost(why);
    }
  }

  #pause(): Promise<void> {
    const pause = PAUSES[Math.min(this.#tries, PAUSES.length - 1)] ?? 0;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #follow(): Promise<void> {
    const connection = (this.#connection = new AbortController());
    this.#heard = performance.now();
    const resuming = this.#lastId === null ? {} : { "Last-Event-ID": this.#lastId };
    const signed = headers();
    const answer = await fetch(address("v2/stream", this.#query), {
      cache: "no-store",
      headers: { ...signed, ...resuming, Accept: "application/x-ndjson" },
      signal: connection.signal,
    });
    if (!answer.ok || answer.body === null) {
      throw await refusal(answer, signed);
    }
    this.#tries = 1;
    this.#listener.opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      this.#heard = performance.now();
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line !== "") {
          this.#take(JSON.parse(line) as Line);
        }
      }
    }
  }

  #take({ event, id, data }: Line): void {
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
        const { available, since } = data as { available: boolean; since: string };
        this.#listener.store(available, since);
        break;
      }
      case "reset":
        this.#listener.reset();
        break;
      case "heartbeat":
        // One within what was missed, or of a server that has lost its place, says otherwise.
        if ((data as { reached: boolean }).reached) {
          this.#listener.reached();
        }
        break;
      case "dropped":
        throw new Error((data as { reason: string }).reason);
    }
    this.#lastId = id ?? this.#lastId;
  }
}
