// Which rows are shown to who reads further down: those that were there, so that nothing moves under
// their eyes. What is new waits until they return to the top, or ask for it.
import type { Row } from "./moves";

type Keys = ReadonlySet<string>;

const keysOf = (rows: readonly Row[]): Keys => new Set(rows.map(({ key }) => key));

/** One list's memory of what it shows. */
export class Calm {
  #last: readonly Row[] = [];
  #shown: Keys | null = null; // null while all is
  #extent = 0;

  /**
   * Return those of `all` rows that are shown. Where `extent` is another one, who reads has asked
   * for more: then only those wait that waited before.
   */
  rows(all: readonly Row[], isAtTop: boolean, extent: number): readonly Row[] {
    const before = this.#last;
    const isMore = extent !== this.#extent;
    this.#last = all;
    this.#extent = extent;
    if (isAtTop) {
      this.#shown = null;
      return all;
    }
    const shown = (this.#shown ??= keysOf(before));
    if (isMore) {
      const waiting = keysOf(before.filter(({ key }) => !shown.has(key)));
      this.#shown = keysOf(all.filter(({ key }) => !waiting.has(key)));
    }
    const known = this.#shown;
    return all.filter(({ key }) => known.has(key));
  }
}
