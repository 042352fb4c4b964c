// When something is fetched again: soon, or now; each answer once, and no more often than a server
// bears.

export const SLOW = 10; // times what a fetch took: so long it is until the next at least

interface Taker<Answer> {
  answered(answer: Answer): void;
  failed(error: unknown): void;
}

/** Fetches by turns that are `least` milliseconds apart at least, one at a time. */
export class Turns<Answer> {
  readonly #fetchIt: (signal: AbortSignal) => Promise<Answer>;
  readonly #taker: Taker<Answer>;
  readonly #least: number;
  #underWay: AbortController | null = null;
  #isDue = false;
  #isOver = false;
  #next = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    fetchIt: (signal: AbortSignal) => Promise<Answer>,
    taker: Taker<Answer>,
    least: number,
  ) {
    this.#fetchIt = fetchIt;
    this.#taker = taker;
    this.#least = least;
  }

  /** Fetch it when its turn comes: many calls make one fetch. */
  soon(): void {
    this.#isDue = true;
    if (!this.#isOver && this.#underWay === null) {
      clearTimeout(this.#timer);
      const pause = Math.max(0, this.#next - performance.now());
      this.#timer = setTimeout(() => {
        this.#isDue = false;
        void this.#run();
      }, pause);
    }
  }

  /** Fetch it out of turn. What is under way is given up: it was asked too early, or never comes. */
  now(): void {
    this.#underWay?.abort();
    this.#underWay = null;
    this.#next = 0;
    this.soon();
  }

  close(): void {
    this.#isOver = true;
    this.#underWay?.abort();
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    const mine = (this.#underWay = new AbortController());
    const begun = performance.now();
    let pause = this.#least;
    try {
      const answer = await this.#fetchIt(mine.signal);
      if (mine.signal.aborted) {
        return;
      }
      pause = Math.max(pause, SLOW * (performance.now() - begun));
      this.#taker.answered(answer);
    } catch (error) {
      if (mine.signal.aborted) {
        return;
      }
      this.#taker.failed(error);
    }
    this.#underWay = null;
    this.#next = performance.now() + pause;
    if (this.#isDue) {
      this.soon();
    }
  }
}
