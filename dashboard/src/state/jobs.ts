// The jobs of one board that match the filters, as rows that are updated by changes.
//
// If the page can decide whether a job matches, a change adds, updates or removes its row at once.
// If only the server can, the jobs are fetched again. A row that no longer matches is removed after
// LINGER. While the page is paused, no row is removed, and an answer is shown only if the
// user asked for more rows.
import { signal } from "@preact/signals";
import { Backoff } from "../api/backoff";
import * as api from "../api/client";
import type { Change } from "../api/types";
import { findsEnded, isTimed, matches, queryOf, type Filter } from "../model/filters";
import { keyOf, rowAfter, rowOf } from "../model/moves";
import { Rows } from "../model/rows";
import { messageOf } from "../model/text";
import { isLive, paused } from "./connection";
import { SLOW_FACTOR } from "./throttledfetch";

const FETCH_SIZE = 10_000; // rows that are fetched first, and that each `more` adds
const LINGER = 3_000; // milliseconds until a row is removed that no longer matches
const REFETCH_INTERVAL = 2_000; // milliseconds to the next fetch if only the server knows
const GROWTH = 2; // times the rows that were asked for: the most rows that are held, with new ones
const TIMED_INTERVAL = 5_000; // milliseconds between fetches if the matches depend on the time
const ENDED_INTERVAL = 60_000; // the same if ended jobs match: no change says that one has expired

export class Jobs {
  /**
   * All rows. The object is a new one whenever a row has changed, but `all` is changed in place:
   * there are too many rows to copy them each time. `limit` is how many rows were asked for.
   */
  readonly rows = signal<{ readonly all: Rows; readonly limit: number }>({
    all: new Rows(),
    limit: FETCH_SIZE,
  });
  /** Keys of rows that are about to be removed. */
  readonly leaving = signal<ReadonlySet<string>>(new Set());
  readonly isLoading = signal(true);
  /** Why the last fetch failed. If `isFinal`, it is not tried again. */
  readonly error = signal<{ readonly text: string; readonly isFinal: boolean } | null>(null);
  /** Whether the server has more jobs than were fetched. */
  readonly isMore = signal(false);

  readonly #path: string;
  readonly #filters: readonly Filter[];
  #all = new Rows();
  #fetching: AbortController | null = null;
  #changesDuringFetch: Change[] = [];
  readonly #removalTimers = new Map<string, ReturnType<typeof setTimeout>>(); // by key
  #fetchDuration = 0; // milliseconds, of the last fetch
  #refetchTimer: ReturnType<typeof setTimeout> | undefined;
  #isRefetchDue = false; // whether a refetch was wanted while a fetch was under way
  #intervalTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #backoff = new Backoff();
  #hasAnswer = false;
  #limit = FETCH_SIZE;
  #fetchedLimit = FETCH_SIZE;

  constructor(path: string, filters: readonly Filter[]) {
    this.#path = path;
    this.#filters = filters;
  }

  close(): void {
    this.#fetching?.abort();
    clearTimeout(this.#refetchTimer);
    clearTimeout(this.#intervalTimer);
    this.#removalTimers.forEach(clearTimeout);
  }

  /** Fetch again, with FETCH_SIZE more rows. */
  more(): void {
    this.#limit += FETCH_SIZE;
    this.isLoading.value = true;
    void this.load();
  }

  async load(): Promise<void> {
    this.#fetching?.abort();
    const fetching = (this.#fetching = new AbortController());
    clearTimeout(this.#intervalTimer);
    this.#changesDuringFetch = [];
    const begun = performance.now();
    try {
      const query = [["path", this.#path] as const, ...queryOf(this.#filters)];
      const limit = this.#limit;
      const { rows, isMore } = await api.jobs(query, limit, fetching.signal);
      if (fetching.signal.aborted) {
        return;
      }
      if (paused.value && this.#hasAnswer && !this.isLoading.value) {
        this.#fetching = null; // the page was paused, and the user does not wait for more rows
        this.#refetchSoon();
        return;
      }
      this.#fetching = null;
      this.#hasAnswer = true;
      this.#backoff.reset();
      this.isMore.value = isMore;
      this.error.value = null;
      this.isLoading.value = false;
      this.#removalTimers.forEach(clearTimeout);
      this.#removalTimers.clear();
      this.#all = new Rows(rows.map(rowOf));
      this.#fetchedLimit = limit;
      this.#apply(this.#changesDuringFetch);
      this.#changesDuringFetch = [];
      this.#fetchDuration = performance.now() - begun;
      this.#scheduleRefetch();
    } catch (error) {
      if (!fetching.signal.aborted) {
        this.#fetching = null;
        this.isLoading.value = false;
        const isFinal = error instanceof api.HttpError && error.isFinal;
        this.error.value = {
          text: messageOf(error),
          isFinal,
        };
        if (!isFinal) {
          this.#refetchSoon(REFETCH_INTERVAL + this.#backoff.next(error));
        }
      }
    }
  }

  take(changes: readonly Change[]): void {
    const mine = changes.filter((change) => change.path === this.#path && change.state !== null);
    if (mine.length === 0) {
      return;
    }
    if (this.#fetching) {
      this.#changesDuringFetch.push(...mine);
    }
    this.#apply(mine);
  }

  #apply(changes: readonly Change[]): void {
    for (const change of changes) {
      const key = keyOf(change.name, change.posted_at);
      const before = this.#all.get(key);
      const after = rowAfter(before, change);
      if (!before && change.kind === "edited") {
        this.#refetchSoon(); // it may match now, but an edit does not say enough for a row
      }
      if (after === undefined || after === before) {
        continue;
      }
      const isMatch = matches(after, this.#filters);
      const hasRoom = this.#all.size < GROWTH * this.#fetchedLimit;
      if (isMatch === null || (isMatch && !before && !hasRoom)) {
        this.#refetchSoon();
      }
      if (before || (isMatch && hasRoom)) {
        this.#all.set(after);
      }
      if (before && isMatch === false) {
        this.#removeSoon(key);
      } else {
        clearTimeout(this.#removalTimers.get(key));
        this.#removalTimers.delete(key);
      }
    }
    this.#show();
  }

  #show(): void {
    this.leaving.value = new Set(this.#removalTimers.keys());
    this.rows.value = { all: this.#all, limit: this.#fetchedLimit };
  }

  /** Remove a row after LINGER, or later while the page is paused. */
  #removeSoon(key: string): void {
    const remove = () => {
      if (paused.value) {
        this.#removalTimers.set(key, setTimeout(remove, LINGER));
      } else {
        this.#removalTimers.delete(key);
        this.#all.delete(key);
        this.#show();
      }
    };
    if (!this.#removalTimers.has(key)) {
      this.#removalTimers.set(key, setTimeout(remove, LINGER));
    }
  }

  /** Fetch again in `pause` milliseconds. Calls until then have no further effect. */
  #refetchSoon(pause = Math.max(REFETCH_INTERVAL, SLOW_FACTOR * this.#fetchDuration)): void {
    if (this.error.value?.isFinal) {
      return;
    }
    const refetch = () => {
      this.#refetchTimer = undefined;
      if (this.#fetching) {
        this.#isRefetchDue = true; // if each change restarted the fetch, it would never finish
      } else if (this.#mayRefetch) {
        void this.load();
      } else {
        this.#refetchSoon(REFETCH_INTERVAL);
      }
    };
    this.#refetchTimer ??= setTimeout(refetch, pause);
  }

  /** Plan the next fetch, if one is due or the filters need regular ones. */
  #scheduleRefetch(): void {
    if (this.#isRefetchDue) {
      this.#isRefetchDue = false;
      this.#refetchSoon();
    }
    const pause = isTimed(this.#filters)
      ? TIMED_INTERVAL
      : findsEnded(this.#filters)
        ? ENDED_INTERVAL
        : null;
    if (pause !== null) {
      const refetch = () => {
        if (isLive.value && this.#mayRefetch) {
          void this.load();
        } else {
          this.#intervalTimer = setTimeout(refetch, REFETCH_INTERVAL);
        }
      };
      this.#intervalTimer = setTimeout(refetch, Math.max(pause, SLOW_FACTOR * this.#fetchDuration));
    }
  }

  /** Whether an answer would be shown and seen. */
  get #mayRefetch(): boolean {
    return !document.hidden && !(paused.value && this.#hasAnswer);
  }
}
