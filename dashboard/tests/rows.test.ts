import { describe, expect, it } from "vitest";
import { COLUMNS, comparatorOf, isColumn, orderFrom, type Order } from "../src/model/columns";
import { rowOf, type Row } from "../src/model/moves";
import { Rows } from "../src/model/rows";
import { job } from "./board";

const NOW = Date.parse("2026-11-25T11:00:00.000Z");
const NEWEST = orderFrom(null);

/** A row made from two numbers. Many rows have the same owner, and some have none. */
function row(number: number, run: number): Row {
  return rowOf({
    ...job,
    znode: `job${String(number).padStart(10, "0")}`,
    posted_at: new Date(NOW - (number % 50) * 1000).toISOString(),
    name: run % 6 === 0 ? null : `name-${run % 6}`,
    uuid: run % 8 === 0 ? null : `uuid-${run % 9}`,
    claims: run % 10,
    since: new Date(NOW - (run % 40) * 1000).toISOString(),
    owner: run % 3 === 0 ? null : `owner-${run % 3}`,
    state: run % 2 === 0 ? "UNCLAIMED" : "CLAIMED",
    waiting: run % 5 === 0 ? null : run % 7,
    running: run % 4 === 0 ? null : run % 11,
  });
}

/** Numbers from 0 to below `most`, the same in each run (Lehmer's generator, MINSTD). */
function numbers(seed: number) {
  let state = seed;
  return (most: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % most;
  };
}

const ORDERS: Order[] = Object.keys(COLUMNS)
  .filter(isColumn)
  .flatMap((column) => [true, false].map((isDescending) => ({ column, isDescending })));

describe("rows in order", () => {
  it.each(ORDERS)("are as if all were sorted: by $column, descending: $isDescending", (order) => {
    const any = numbers(7);
    const begun = Array.from({ length: 300 }, (_, number) => row(number, number));
    const rows = new Rows(begun);
    const known = new Map(begun.map((each) => [each.key, each]));
    for (let turn = 0; turn < 200; turn += 1) {
      // Up to 20 changes: sometimes more than are moved singly, sometimes the same row twice.
      for (let left = any(20); left > 0; left -= 1) {
        const next = row(any(400), any(1_000));
        if (any(3) === 0) {
          rows.delete(next.key);
          known.delete(next.key);
        } else {
          rows.set(next);
          known.set(next.key, next);
        }
      }
      const anew = [...known.values()].sort(comparatorOf(order, NOW));
      expect(rows.sorted(order, NOW)).toEqual(anew);
      expect(rows.size).toBe(known.size);
    }
  });

  it("are sorted again for another column and another time", () => {
    const waits = { ...row(1, 2), waitingFrom: NOW - 10_000 };
    const waited = { ...row(2, 1), waitingFrom: null, waiting: 20 };
    const rows = new Rows([waits, waited]);
    const longest = orderFrom("-waiting");
    expect(rows.sorted(longest, NOW)).toEqual([waited, waits]);
    expect(rows.sorted(longest, NOW + 15_000)).toEqual([waits, waited]);
    expect(rows.sorted(NEWEST, NOW)).toEqual([waits, waited]);
    expect(rows.sorted(orderFrom("posted_at"), NOW)).toEqual([waited, waits]);
  });

  it("are the same array until a row changes", () => {
    const rows = new Rows([row(1, 1), row(2, 2)]);
    const before = rows.sorted(NEWEST, 0);
    expect(rows.sorted(NEWEST, 0)).toBe(before);
    rows.set(row(3, 3));
    expect(rows.sorted(NEWEST, 0)).toHaveLength(3);
    expect(before).toHaveLength(2);
  });

  it("are the same array if a row is added and deleted between two drawings", () => {
    const rows = new Rows([row(1, 1)]);
    const before = rows.sorted(NEWEST, 0);
    rows.set(row(2, 2));
    rows.delete(row(2, 2).key);
    expect(rows.sorted(NEWEST, 0)).toBe(before);
  });

  it("are compared only a few times if few have changed", () => {
    let reads = 0;
    const counted = (number: number): Row =>
      Object.defineProperty(row(number, number), "postedAt", {
        get: () => {
          reads += 1;
          return NOW - number * 1000;
        },
      });
    const rows = new Rows(Array.from({ length: 10_000 }, (_, number) => counted(number)));
    rows.sorted(NEWEST, 0);
    for (let turn = 0; turn < 10; turn += 1) {
      rows.set(counted(turn * 900));
      rows.delete(row(turn * 900 + 1, turn * 900 + 1).key);
      rows.set(counted(10_000 + turn));
      reads = 0;
      rows.sorted(NEWEST, 0);
      expect(reads).toBeLessThan(3 * 2 * 2 * 14 + 10); // 14 halvings of 10,000, twice each at most
    }
  });
});
