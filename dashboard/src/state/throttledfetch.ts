// Repeated fetches of one thing, with a pause between them that protects the server.
//
// Promises: at most one fetch is under way, apart from aborted ones. After an answer there is a
// pause of `minPause`, or of SLOW_FACTOR times the fetch's duration if that is longer; after a
// failure, of `minPause` and a backoff. Each answer and each failure is reported once, that of an
// aborted fetch never.
import { Backoff } from "../api/backoff";

export const SLOW_FACTOR = 10; // times the duration of a fetch: the shortest pause after it

interface Receiver<Answer> {
  answered(answer: Answer): void;
  failed(error: unknown): void;
}

export class ThrottledFetch<Answer> {
  readonly #fetchIt: (signal: AbortSignal) => Promise<Answer>;
  readonly #receiver: Receiver<Answer>;
  readonly #minPause: number;
  readonly #backoff = new Backoff();
  #current: AbortController | null = null;
  #isRequested = false;
  #isClosed = false;
  #notBefore = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    fetchIt: (signal: AbortSignal) => Promise<Answer>,
    receiver: Receiver<Answer>,
    minPause: number,
  ) {
    this.#fetchIt = fetchIt;
    this.#receiver = receiver;
    this.#minPause = minPause;
  }

  /** Fetch once the pause is over. Several calls lead to one fetch. */
  soon(): void {
    this.#isRequested = true;
    if (!this.#isClosed && this.#current === null) {
      clearTimeout(this.#timer);
      const pause = Math.max(0, this.#notBefore - performance.now());
      this.#timer = setTimeout(() => {
        this.#isRequested = false;
        void this.#run();
      }, pause);
    }
  }

  /**
   * Fetch without the pause. A fetch under way is aborted: it began too early, or may never end.
   */
  now(): void {
    this.#current?.abort();
    this.#current = null;
    this.#notBefore = 0;
    this.soon();
  }

  close(): void {
    this.#isClosed = true;
    this.#current?.abort();
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    const current = (this.#current = new AbortController());
    const begun = performance.now();
    let pause = this.#minPause;
    try {
      const answer = await this.#fetchIt(current.signal);
      if (current.signal.aborted) {
        return;
      }
      pause = Math.max(pause, SLOW_FACTOR * (performance.now() - begun));
      this.#backoff.reset();
      this.#receiver.answered(answer);
    } catch (error) {
      if (current.signal.aborted) {
        return;
      }
      pause += this.#backoff.next(error);
      this.#receiver.failed(error);
    }
    this.#current = null;
    this.#notBefore = performance.now() + pause;
    if (this.#isRequested) {
      this.soon();
    }
  }
}
