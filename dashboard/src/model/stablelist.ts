// Which rows of a list are shown while the user has scrolled down: only those that were there
// before, so that no new row moves the others. New rows wait until the user returns to the top.
import type { Row } from "./moves";

type Keys = ReadonlySet<string>;

const keysOf = (rows: readonly Row[]): Keys => new Set(rows.map(({ key }) => key));

/** Remembers which rows one list shows, from one call of `rows` to the next. */
export class StableList {
  #previous: readonly Row[] = [];
  #shown: Keys | null = null; // null if all rows are shown
  #limit = 0;

  /**
   * Return the rows of `all` that are shown. If `limit` has changed, the user has asked for more
   * rows: then all rows are shown but those that waited before.
   */
  rows(all: readonly Row[], isAtTop: boolean, limit: number): readonly Row[] {
    const before = this.#previous;
    const hasAskedForMore = limit !== this.#limit;
    this.#previous = all;
    this.#limit = limit;
    if (isAtTop) {
      this.#shown = null;
      return all;
    }
    const shown = (this.#shown ??= keysOf(before));
    if (hasAskedForMore) {
      const waiting = keysOf(before.filter(({ key }) => !shown.has(key)));
      this.#shown = keysOf(all.filter(({ key }) => !waiting.has(key)));
    }
    const known = this.#shown;
    return all.filter(({ key }) => known.has(key));
  }
}
