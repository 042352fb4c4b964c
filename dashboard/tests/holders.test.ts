import { describe, expect, it } from "vitest";
import type { Conductor } from "../src/api/types";
import { holdersAfter } from "../src/model/holders";
import { change } from "./board";

const ann: Conductor = {
  name: "ann@host:1",
  owner: "ann",
  path: "/a/jobs",
  host: "host",
  pid: 1,
  session: "0x1",
  alive: true,
  since: null,
  seen_at: null,
  freshness: "live",
  holds: [],
};
const bob: Conductor = { ...ann, name: "bob@host:2", owner: "bob", session: "0x2" };

const HELD = { uuid: "u-2", name: "build", znode: "job2", claimed_at: null };

const holds = (conductors: Conductor[]) =>
  conductors.map(({ holds: held }) => held.map(({ znode }) => znode));

const claim = (session: string | null, name = "job1") => change(6, "CLAIMED", { name, session });

describe("who holds what", () => {
  it("is whose session the claim is, whoever held it before", () => {
    const first = holdersAfter([ann, bob], claim("0x1"));
    expect(holds(first)).toEqual([["job1"], []]);
    expect(first[0]?.holds[0]).toEqual({
      uuid: "u-1",
      name: "build",
      znode: "job1",
      claimed_at: "2026-11-25T10:01:00.000Z",
    });
    expect(holds(holdersAfter(first, claim("0x2")))).toEqual([[], ["job1"]]);
    expect(holds(holdersAfter(first, claim("0x1"))), "told twice").toEqual([["job1"], []]);
  });

  it("is one of those with its session: of those that are not alive, whose owner's it is", () => {
    expect(holds(holdersAfter([ann, { ...ann, name: "ann@host:2" }], claim("0x1")))).toEqual([
      ["job1"],
      [],
    ]);
    const gone = { ...bob, name: null, alive: false, holds: [{ ...HELD, znode: "other" }] };
    const claims = [gone, { ...gone, owner: "ann" }];
    expect(holds(holdersAfter(claims, claim("0x2")))).toEqual([["other"], ["other", "job1"]]);
  });

  it("is nobody after an abandonment or an end", () => {
    const held = holdersAfter([ann, bob], claim("0x1"));
    for (const state of ["UNCLAIMED", "COMPLETE"] as const) {
      const after = change(7, state, { name: "job1", session: "0x1" });
      expect(holds(holdersAfter(held, after))).toEqual([[], []]);
    }
  });

  it("is not known of a claim whose session is not", () => {
    const other = [{ ...ann, session: null }, bob];
    expect(holdersAfter(other, claim(null))).toBe(other);
    expect(holdersAfter(other, claim("0x3"))).toBe(other);
  });

  it("goes by the board, and leaves the rest as it is", () => {
    const elsewhere = [{ ...ann, path: "/b/jobs" }];
    expect(holdersAfter(elsewhere, claim("0x1"))).toBe(elsewhere);
  });

  it("tells no longer of nobody's claims when there are none", () => {
    const orphan = { ...bob, owner: "ann", name: null, alive: false };
    const held = holdersAfter([ann, orphan], claim("0x2"));
    expect(holds(held)).toEqual([[], ["job1"]]);
    expect(holdersAfter(held, change(7, "UNCLAIMED", { name: "job1" }))).toEqual([ann]);
  });
});
