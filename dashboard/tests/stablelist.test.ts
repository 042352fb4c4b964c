import { describe, expect, it } from "vitest";
import { StableList } from "../src/model/stablelist";
import { rowOf, type Row } from "../src/model/moves";
import { job } from "./board";

const SOME = 10;
const MORE = 20;

function rows(...names: string[]): Row[] {
  return names.map((znode) => rowOf({ ...job, znode }));
}

function names(shown: readonly Row[]): string {
  return shown.map(({ znode }) => znode).join("");
}

describe("a list that is scrolled", () => {
  it("shows all rows at its top, and further down those that were there", () => {
    const list = new StableList();
    expect(names(list.rows(rows("a", "b"), true, SOME))).toBe("ab");
    expect(names(list.rows(rows("c", "a", "b"), false, SOME))).toBe("ab");
    expect(names(list.rows(rows("d", "c", "a"), false, SOME))).toBe("a");
    expect(names(list.rows(rows("d", "c", "a"), true, SOME))).toBe("dca");
  });

  it("shows rows that the user asked for further down, and no others", () => {
    const calm = new StableList();
    calm.rows(rows("a", "b"), true, SOME);
    calm.rows(rows("c", "a", "b"), false, SOME);
    expect(names(calm.rows(rows("c", "a", "b", "y", "z"), false, MORE))).toBe("abyz");
    expect(names(calm.rows(rows("d", "c", "a", "b", "y", "z"), false, MORE))).toBe("abyz");
  });

  it("shows all rows of a new list", () => {
    expect(names(new StableList().rows(rows("a", "b"), false, SOME))).toBe("ab");
  });
});
