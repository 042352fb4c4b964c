import { describe, expect, it } from "vitest";
import { Calm } from "../src/model/calm";
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

describe("a list that somebody reads", () => {
  it("shows all at its top, and further down what was there", () => {
    const calm = new Calm();
    expect(names(calm.rows(rows("a", "b"), true, SOME))).toBe("ab");
    expect(names(calm.rows(rows("c", "a", "b"), false, SOME))).toBe("ab");
    expect(names(calm.rows(rows("d", "c", "a"), false, SOME))).toBe("a");
    expect(names(calm.rows(rows("d", "c", "a"), true, SOME))).toBe("dca");
  });

  it("shows what was asked for further down, and no more", () => {
    const calm = new Calm();
    calm.rows(rows("a", "b"), true, SOME);
    calm.rows(rows("c", "a", "b"), false, SOME);
    expect(names(calm.rows(rows("c", "a", "b", "y", "z"), false, MORE))).toBe("abyz");
    expect(names(calm.rows(rows("d", "c", "a", "b", "y", "z"), false, MORE))).toBe("abyz");
  });

  it("shows all of a list that is new", () => {
    expect(names(new Calm().rows(rows("a", "b"), false, SOME))).toBe("ab");
  });
});
