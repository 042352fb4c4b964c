import { describe, expect, it } from "vitest";
import type { Change, Conductor } from "../src/api/types";
import { holdersAfter } from "../src/model/holders";
import { change } from "./board";

const ann: Conductor = {
  name: "ann@host:1",
  owner: "ann",
  path: "/a/jobs",
  host: "host",
  pid: 1,
  session: "0x1",
  holder: "registered",
  alive: true,
  registered_for: ["/a/jobs"],
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

describe("the holder of a claim", () => {
  it("is the conductor with its session, whoever held the job before", () => {
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

  it("is only one of the entries with its session; if not registered, the one with its owner", () => {
    expect(holds(holdersAfter([ann, { ...ann, name: "ann@host:2" }], claim("0x1")))).toEqual([
      ["job1"],
      [],
    ]);
    const gone = {
      ...bob,
      name: null,
      holder: "unregistered" as const,
      holds: [{ ...HELD, znode: "other" }],
    };
    const claims = [gone, { ...gone, owner: "ann" }];
    expect(holds(holdersAfter(claims, claim("0x2")))).toEqual([["other"], ["other", "job1"]]);
  });

  it("is nobody after the job was abandoned or has ended", () => {
    const held = holdersAfter([ann, bob], claim("0x1"));
    for (const state of ["UNCLAIMED", "COMPLETE"] as const) {
      const after = change(7, state, { name: "job1", session: "0x1" });
      expect(holds(holdersAfter(held, after))).toEqual([[], []]);
    }
  });

  it("is not known if its session is not", () => {
    const other = [{ ...ann, session: null }, bob];
    expect(holdersAfter(other, claim(null))).toBe(other);
    expect(holdersAfter(other, claim("0x3"))).toBe(other);
  });

  it("is on the claim's board; other boards stay as they are", () => {
    const elsewhere = [{ ...ann, path: "/b/jobs" }];
    expect(holdersAfter(elsewhere, claim("0x1"))).toBe(elsewhere);
  });

  it("is removed from the list without claims, if it is not registered", () => {
    const orphan = { ...bob, owner: "ann", name: null, holder: "unregistered" as const };
    const held = holdersAfter([ann, orphan], claim("0x2"));
    expect(holds(held)).toEqual([[], ["job1"]]);
    expect(holdersAfter(held, change(7, "UNCLAIMED", { name: "job1" }))).toEqual([ann]);
  });

  describe("when a claimed job is edited by hand", () => {
    const at = "2026-11-25T12:00:00.000Z";
    const edit = { edits: 1, before: null, changed: [] };
    const side = { name: "built", owner: "eve", priority: null, size: 0, sha256: null };
    const after = { ...side, uuid: "u-9", malformed: null };
    const edited = (of: "job" | "lock", more: Partial<Change> = {}) =>
      change(7, "CLAIMED", {
        kind: "edited",
        state_before: "CLAIMED",
        name: "job2",
        uuid: "u-9",
        job_name: "built",
        moment: at,
        edit: { ...edit, of, after },
        ...more,
      });
    const since = "2026-11-25T09:00:00.000Z";
    const held = { ...HELD, claimed_at: since };
    const other = { ...HELD, znode: "job3" };
    const holding = { ...ann, holds: [held, other] };

    it("stays the same, with the time of the claim", () => {
      const shown = { ...held, uuid: "u-9", name: "built" };
      const expected = [{ ...ann, holds: [shown, other] }, bob];
      for (const of of ["job", "lock"] as const) {
        expect(holdersAfter([holding, bob], edited(of))).toEqual(expected);
        const without = edited(of, { session: null });
        expect(holdersAfter([holding, bob], without), "no session").toEqual(expected);
      }
    });

    it("is still unknown if it was unknown", () => {
      const unheld = [ann, bob];
      expect(holdersAfter(unheld, edited("job"))).toBe(unheld);
      expect(holdersAfter(unheld, edited("lock"))).toBe(unheld);
    });

    it("is the new owner with the same session, if that is not a registered conductor's", () => {
      const nameless = { ...ann, name: null, holder: "unregistered" as const };
      const mine = { ...nameless, holds: [held] };
      const eve = { ...nameless, owner: "eve", holds: [other] };
      const shown = { ...held, uuid: "u-9", name: "built" };
      const byEve = edited("lock", { owner: "eve" });
      expect(holdersAfter([mine, eve], byEve)).toEqual([{ ...eve, holds: [other, shown] }]);
      expect(holdersAfter([mine, bob], byEve), "not listed yet").toEqual([bob]);
      expect(holdersAfter([holding, bob], byEve)[0]?.holds[0], "registered").toEqual(shown);
    });
  });
});
