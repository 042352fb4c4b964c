// Rows by key and in order: thousands, of which few change between two drawings.
import { comparing, type Order } from "./columns";
import type { Row } from "./moves";

const FEW = 0.05; // the share of rows up to which moving each that changed is faster than to sort all

export class Rows {
  readonly #byKey: Map<string, Row>;
  #order: Order | null = null;
  #now = 0;
  #sorted: Row[] = [];
  /** What has changed since they were sorted last: by key the row as it was then. */
  #before = new Map<string, Row | undefined>();

  constructor(rows: readonly Row[] = []) {
    this.#byKey = new Map(rows.map((row) => [row.key, row]));
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Row | undefined {
    return this.#byKey.get(key);
  }

  set(row: Row): void {
    this.#note(row.key);
    this.#byKey.set(row.key, row);
  }

  delete(key: string): void {
    this.#note(key);
    this.#byKey.delete(key);
    if (this.#before.get(key) === undefined) {
      this.#before.delete(key); // it came and went
    }
  }

  /** Return all in this order, by the timers at `now`, milliseconds by the server's clock. An array
   * that was returned never changes. */
  sorted(order: Order, now: number): readonly Row[] {
    const { column, isDescending } = order;
    const isSame =
      column === this.#order?.column &&
      isDescending === this.#order.isDescending &&
      now === this.#now;
    if (!isSame || this.#before.size > 0) {
      const compare = comparing(order, now);
      const isFew = this.#before.size <= this.size * FEW;
      const moved = isSame && isFew ? this.#moved(compare) : null;
      this.#sorted = moved ?? [...this.#byKey.values()].sort(compare);
      this.#order = order;
      this.#now = now;
      this.#before.clear();
    }
    return this.#sorted;
  }

  #note(key: string): void {
    if (!this.#before.has(key)) {
      this.#before.set(key, this.#byKey.get(key));
    }
  }

  /** Return them as they were sorted last with each that has changed at its new place; null where
   * one is not found at its old. */
  #moved(compare: (one: Row, other: Row) => number): Row[] | null {
    const rows = this.#sorted.slice();
    for (const [key, before] of this.#before) {
      const after = this.#byKey.get(key);
      const from = before ? placeOf(before, rows, compare) : -1;
      if (before && rows[from] !== before) {
        return null;
      }
      if (before && after && compare(before, after) === 0) {
        rows[from] = after;
        continue;
      }
      if (before) {
        rows.splice(from, 1);
      }
      if (after) {
        rows.splice(placeOf(after, rows, compare), 0, after);
      }
    }
    return rows;
  }
}

/** Return the index of the first of `rows` that does not come before `row`. */
function placeOf(
  row: Row,
  rows: readonly Row[],
  compare: (one: Row, other: Row) => number,
): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = rows[middle];
    if (other && compare(other, row) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
