// Rows by key and in order, for thousands of rows of which few change between two drawings.
//
// Promises: `sorted` returns what sorting all rows would return, but if few rows have changed it
// moves only those.
import { comparatorOf, type Order } from "./columns";
import type { Row } from "./moves";

const MOVE_SHARE = 0.05; // share of rows up to which moving the changed ones is faster than sorting

export class Rows {
  readonly #byKey: Map<string, Row>;
  #order: Order | null = null;
  #now = 0;
  #sorted: Row[] = [];
  /** The rows that have changed since the last sort, as they were then, by key. */
  #changed = new Map<string, Row | undefined>();

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
    this.#remember(row.key);
    this.#byKey.set(row.key, row);
  }

  delete(key: string): void {
    this.#remember(key);
    this.#byKey.delete(key);
    if (this.#changed.get(key) === undefined) {
      this.#changed.delete(key); // it was added and deleted since the last sort
    }
  }

  /**
   * Return all rows in this order. Timers are compared as they are at `now`, in milliseconds by the
   * server's clock. An array that was returned is never changed.
   */
  sorted(order: Order, now: number): readonly Row[] {
    const { column, isDescending } = order;
    const isSame =
      column === this.#order?.column &&
      isDescending === this.#order.isDescending &&
      now === this.#now;
    if (!isSame || this.#changed.size > 0) {
      const compare = comparatorOf(order, now);
      const isFew = this.#changed.size <= this.size * MOVE_SHARE;
      const moved = isSame && isFew ? this.#sortedByMoving(compare) : null;
      this.#sorted = moved ?? [...this.#byKey.values()].sort(compare);
      this.#order = order;
      this.#now = now;
      this.#changed.clear();
    }
    return this.#sorted;
  }

  #remember(key: string): void {
    if (!this.#changed.has(key)) {
      this.#changed.set(key, this.#byKey.get(key));
    }
  }

  /**
   * Return the last sorted array with each changed row at its new place, or null if a row is not
   * found at its old place.
   */
  #sortedByMoving(compare: (one: Row, other: Row) => number): Row[] | null {
    const rows = this.#sorted.slice();
    for (const [key, before] of this.#changed) {
      const after = this.#byKey.get(key);
      const from = before ? indexFor(before, rows, compare) : -1;
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
        rows.splice(indexFor(after, rows, compare), 0, after);
      }
    }
    return rows;
  }
}

/** Return the index of the first of `rows` that does not sort before `row`, by binary search. */
function indexFor(
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
