// The jobs of one board as rows that stay right while jobs come, move and go.
import { signal } from "@preact/signals";
import * as api from "../api/client";
import type { Change } from "../api/types";
import { findsEnded, isTimed, matches, queryOf, type Filter } from "../model/filters";
import { keyOf, moved, rowOf } from "../model/moves";
import { Rows } from "../model/rows";
import { messageOf } from "../model/text";
import { isLive, paused } from "./connection";
import { SLOW } from "./turns";

const MOST = 10_000; // rows that are fetched at once
const LINGER = 3_000; // milliseconds for which a row stays that the filters find no longer
const ASK = 2_000; // milliseconds between fetches where only the server knows what the filters find
const TIMES = 2; // times what was asked for: so many rows are held, with those that came since
const TIMED = 5_000; // milliseconds between fetches where time alone changes what they find
const ENDED = 60_000; // and where they find ended jobs, of which no change tells that they expired

export class Jobs {
  /** All rows. Anew whenever one has changed, around what is changed in place: there are too many of
   * them to be copied each time. `extent` is how many were asked for. */
  readonly rows = signal<{ readonly all: Rows; readonly extent: number }>({
    all: new Rows(),
    extent: MOST,
  });
  /** Keys of rows that are about to go. */
  readonly leaving = signal<ReadonlySet<string>>(new Set());
  readonly isLoading = signal(true);
  /** What went wrong, and whether it is tried again. */
  readonly error = signal<{ readonly text: string; readonly isFinal: boolean } | null>(null);
  readonly isMore = signal(false);

  readonly #path: string;
  readonly #filters: readonly Filter[];
  #all = new Rows();
  #load: AbortController | null = null;
  #during: Change[] = [];
  readonly #going = new Map<string, ReturnType<typeof setTimeout>>(); // of the rows that leave
  #took = 0; // milliseconds, the last fetch
  #asking: ReturnType<typeof setTimeout> | undefined;
  #isDue = false; // asked for while a fetch was under way
  #next: ReturnType<typeof setTimeout> | undefined;
  #hasAnswer = false;
  #most = MOST;
  #extent = MOST;

  constructor(path: string, filters: readonly Filter[]) {
    this.#path = path;
    this.#filters = filters;
  }

  close(): void {
    this.#load?.abort();
    clearTimeout(this.#asking);
    clearTimeout(this.#next);
    this.#going.forEach(clearTimeout);
  }

  more(): void {
    this.#most += MOST;
    this.isLoading.value = true;
    void this.load();
  }

  async load(): Promise<void> {
    this.#load?.abort();
    const load = (this.#load = new AbortController());
    clearTimeout(this.#next);
    this.#during = [];
    const begun = performance.now();
    try {
      const query = [["path", this.#path] as const, ...queryOf(this.#filters)];
      const most = this.#most;
      const { rows, isMore } = await api.jobs(query, most, load.signal);
      if (load.signal.aborted) {
        return;
      }
      if (paused.value && this.#hasAnswer && !this.isLoading.value) {
        this.#load = null; // nobody waits for it, and nothing is to move
        this.#ask();
        return;
      }
      this.#load = null;
      this.#hasAnswer = true;
      this.isMore.value = isMore;
      this.error.value = null;
      this.isLoading.value = false;
      this.#going.forEach(clearTimeout);
      this.#going.clear();
      this.#all = new Rows(rows.map(rowOf));
      this.#extent = most;
      this.#apply(this.#during);
      this.#during = [];
      this.#took = performance.now() - begun;
      this.#goOn();
    } catch (error) {
      if (!load.signal.aborted) {
        this.#load = null;
        this.isLoading.value = false;
        const isFinal = error instanceof api.Refusal && error.isFinal;
        this.error.value = {
          text: messageOf(error),
          isFinal,
        };
        if (!isFinal) {
          this.#ask(ASK);
        }
      }
    }
  }

  take(changes: readonly Change[]): void {
    const mine = changes.filter((change) => change.path === this.#path && change.state !== null);
    if (mine.length === 0) {
      return;
    }
    if (this.#load) {
      this.#during.push(...mine);
    }
    this.#apply(mine);
  }

  #apply(changes: readonly Change[]): void {
    for (const change of changes) {
      const key = keyOf(change.name, change.posted_at);
      const before = this.#all.get(key);
      const after = moved(before, change);
      if (after === undefined || after === before) {
        continue;
      }
      const isFound = matches(after, this.#filters);
      const isRoom = this.#all.size < TIMES * this.#extent;
      if (isFound === null || (isFound && !before && !isRoom)) {
        this.#ask();
      }
      if (before || (isFound && isRoom)) {
        this.#all.set(after);
      }
      if (before && isFound === false) {
        this.#leave(key);
      } else {
        clearTimeout(this.#going.get(key));
        this.#going.delete(key);
      }
    }
    this.#show();
  }

  #show(): void {
    this.leaving.value = new Set(this.#going.keys());
    this.rows.value = { all: this.#all, extent: this.#extent };
  }

  /** Have a row go in a while; as long as the page is paused none does. */
  #leave(key: string): void {
    const go = () => {
      if (paused.value) {
        this.#going.set(key, setTimeout(go, LINGER));
      } else {
        this.#going.delete(key);
        this.#all.delete(key);
        this.#show();
      }
    };
    if (!this.#going.has(key)) {
      this.#going.set(key, setTimeout(go, LINGER));
    }
  }

  /** Fetch it anew in a while; once for all that wish it by then. */
  #ask(pause = Math.max(ASK, SLOW * this.#took)): void {
    if (this.error.value?.isFinal) {
      return;
    }
    const ask = () => {
      this.#asking = undefined;
      if (this.#load) {
        this.#isDue = true; // a fetch that is begun anew again and again would never end
      } else if (this.#isWanted) {
        void this.load();
      } else {
        this.#ask(ASK);
      }
    };
    this.#asking ??= setTimeout(ask, pause);
  }

  /** Have the next fetch come, where one is due. */
  #goOn(): void {
    if (this.#isDue) {
      this.#isDue = false;
      this.#ask();
    }
    const pause = isTimed(this.#filters) ? TIMED : findsEnded(this.#filters) ? ENDED : null;
    if (pause !== null) {
      const next = () => {
        if (isLive.value && this.#isWanted) {
          void this.load();
        } else {
          this.#next = setTimeout(next, ASK);
        }
      };
      this.#next = setTimeout(next, Math.max(pause, SLOW * this.#took));
    }
  }

  /** Whether anybody looks whom it would serve. */
  get #isWanted(): boolean {
    return !document.hidden && !(paused.value && this.#hasAnswer);
  }
}
