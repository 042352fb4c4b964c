import { describe, expect, it } from "vitest";
import type { Board } from "../src/api/types";
import { boardAt, hashOf, jobAt, placeOf } from "../src/model/address";
import { byUrgency } from "../src/model/attention";
import { gridOf, orderFrom } from "../src/model/columns";
import {
  filtersFrom,
  findsEnded,
  isTimed,
  matches,
  queryOf,
  withFilter,
} from "../src/model/filters";
import { counted, keyOf, moved, rowOf, type Row } from "../src/model/moves";
import { Rows } from "../src/model/rows";
import { pretty, visible } from "../src/model/text";
import { counting, duration, exact, NEAREST, precise, regions } from "../src/model/times";
import { board, change, job, POSTED } from "./board";

describe("a row", () => {
  it("waits from when it was posted, by the server's clock", () => {
    expect(rowOf(job).waitingFrom).toBe(Date.parse(POSTED));
    expect(rowOf({ ...job, waiting: null }).waitingFrom).toBeNull();
  });

  it("is claimed, abandoned and ended by changes, each told once", () => {
    const claimed = moved(rowOf(job), change(6, "CLAIMED", { running: 0 }));
    expect(claimed).toMatchObject({ state: "CLAIMED", owner: "ann", claims: 1, waitingFrom: null });
    expect(claimed?.runningFrom).toBe(Date.parse("2026-11-25T10:01:00.000Z"));
    expect(moved(claimed, change(6, "CLAIMED"))).toBe(claimed);
    const abandoned = moved(claimed, change(7, "UNCLAIMED", { kind: "abandoned", running: 4 }));
    expect(abandoned).toMatchObject({ state: "UNCLAIMED", owner: null, runningFrom: null });
    expect(abandoned?.running, "it goes on from there when it is claimed again").toBe(4);
    expect(abandoned?.waitingFrom).toBe(Date.parse("2026-11-25T10:00:00.000Z"));
    const ended = moved(abandoned, change(8, "COMPLETE", { kind: "removed", outcome: "removed" }));
    expect(ended).toMatchObject({ state: "COMPLETE", outcome: "removed", waitingFrom: null });
  });

  it("goes on running where it had run before", () => {
    const again = moved(rowOf(job), change(6, "CLAIMED", { running: 10 }));
    expect(again?.runningFrom).toBe(Date.parse("2026-11-25T10:00:50.000Z"));
  });

  it("begins with the change that posts it", () => {
    const first = { kind: "posted", state_before: null, waiting: 0 } as const;
    const posted = moved(undefined, change(6, "UNCLAIMED", first));
    expect(posted).toMatchObject({ key: keyOf("job0000000001", POSTED), name: "build", claims: 0 });
  });

  it("begins with a later change without what that does not tell", () => {
    const claimed = moved(undefined, change(6, "CLAIMED", { running: 3 }));
    expect(claimed).toMatchObject({ state: "CLAIMED", owner: "ann", claims: null });
    expect(claimed?.runningFrom).toBe(Date.parse("2026-11-25T10:00:57.000Z"));
    const again = moved(claimed, change(7, "CLAIMED", { running: 3 }));
    expect(again?.claims).toBeNull();
  });

  it("has a timer only where it is known for how long it has run", () => {
    const claimed = moved(rowOf(job), change(6, "CLAIMED", { running: null }));
    expect(claimed).toMatchObject({ claims: 1, running: null, runningFrom: null });
  });

  it("is none for a node that is no job", () => {
    expect(moved(undefined, { ...change(6, "CLAIMED"), state: null })).toBeUndefined();
  });
});

describe("a board's counts", () => {
  it("follow from where a job was and where it is", () => {
    const claimed = counted(board, change(6, "CLAIMED"));
    expect(claimed).toMatchObject({ unclaimed: 0, claimed: 1, ended: 0, revision: 6 });
    expect(counted(claimed, change(6, "CLAIMED"))).toBe(claimed);
    const ended = counted(claimed, change(7, "COMPLETE", { state_before: "CLAIMED" }));
    expect(ended).toMatchObject({ unclaimed: 0, claimed: 0, ended: 1 });
    const posted = counted(ended, change(8, "UNCLAIMED", { state_before: null }));
    expect(posted).toMatchObject({ unclaimed: 1, claimed: 0 });
  });
});

describe("boards that need a look", () => {
  it("come first: not live, orphans, gaps, long waits", () => {
    const boards: Board[] = [
      board,
      { ...board, path: "/b", oldest_unclaimed: 9_000 },
      { ...board, path: "/c", account: { ...board.account, complete: false } },
      { ...board, path: "/d", freshness: "unwatched" },
      { ...board, path: "/e", freshness: "catching_up" },
      { ...board, path: "/f" },
    ];
    const orphans = new Map([["/f", 2]]);
    expect(byUrgency(boards, orphans).map(({ path }) => path)).toEqual([
      "/d",
      "/e",
      "/f",
      "/c",
      "/b",
      "/a/jobs",
    ]);
  });
});

describe("filters", () => {
  const row = rowOf(job);

  it("are the API's own, there and back", () => {
    const query = [
      ["state", "CLAIMED"],
      ["owner!", "ann"],
      ["age>", "5m"],
    ] as const;
    expect(queryOf(filtersFrom([["path", "/a"], ...query]))).toEqual(query);
  });

  it("have one value, or several where the API takes several", () => {
    const one = withFilter([], { field: "age>", negated: false, value: "5m" });
    expect(withFilter(one, { field: "age>", negated: false, value: "1h" })).toHaveLength(1);
    const two = withFilter([{ field: "state", negated: false, value: "CLAIMED" }], {
      field: "state",
      negated: false,
      value: "COMPLETE",
    });
    expect(two).toHaveLength(2);
    expect(withFilter(two, { field: "q", negated: false, value: "" })).toHaveLength(2);
  });

  it("find any of their values, and narrow together", () => {
    const states = filtersFrom([
      ["state", "CLAIMED"],
      ["state", "UNCLAIMED"],
    ]);
    expect(matches(row, states)).toBe(true);
    expect(matches(row, [...states, ...filtersFrom([["name", "other"]])])).toBe(false);
    expect(matches(row, filtersFrom([["state!", "UNCLAIMED"]]))).toBe(false);
    expect(matches(row, filtersFrom([["owner!", "ann"]]))).toBe(true);
    expect(matches(row, filtersFrom([["owner", "ann"]]))).toBe(false);
  });

  it("say whether they find ended jobs, and whether time alone changes what they find", () => {
    const ended = (...query: [string, string][]) => findsEnded(filtersFrom(query));
    expect(ended()).toBe(true);
    expect(ended(["state", "COMPLETE"], ["state", "CLAIMED"])).toBe(true);
    expect(ended(["state", "CLAIMED"])).toBe(false);
    expect(ended(["state!", "COMPLETE"])).toBe(false);
    expect(ended(["state!", "CLAIMED"])).toBe(true);
    expect(isTimed(filtersFrom([["waiting>", "5m"]]))).toBe(true);
    expect(isTimed(filtersFrom([["age>!", "5m"]]))).toBe(true);
    expect(isTimed(filtersFrom([["since", "2026-11-25T16:00Z"]]))).toBe(false);
  });

  it("say that only the server knows", () => {
    expect(matches(row, filtersFrom([["q", "x"]]))).toBeNull();
    expect(
      matches(
        row,
        filtersFrom([
          ["q", "x"],
          ["state", "CLAIMED"],
        ]),
      ),
    ).toBe(false);
  });
});

describe("addresses", () => {
  it("come back as they were", () => {
    const place = {
      view: "board",
      query: [
        ["path", "/a b/ü"],
        ["age>", "5m"],
        ["q", "a&b=c#d"],
      ],
    };
    expect(placeOf(hashOf(place as never))).toEqual(place);
    expect(placeOf("")).toEqual({ view: "overview", query: [] });
    expect(boardAt("/a/jobs")).toBe("#/board?path=/a/jobs");
  });

  it("name a job by its znode where its uuid is no plain name", () => {
    expect(jobAt(job)).toBe("#/job?uuid=u-1&path=/a/jobs");
    for (const uuid of [null, "..", "../x", "a/b", "", "x".repeat(300), "<b>"]) {
      expect(jobAt({ ...job, uuid })).toBe("#/job?znode=job0000000001&path=/a/jobs");
    }
  });
});

describe("the order of rows", () => {
  const rows: Row[] = [
    { ...rowOf(job), key: "1", name: "b", runningFrom: 1_000 },
    { ...rowOf(job), key: "2", name: "a", runningFrom: null, running: 99 },
    { ...rowOf(job), key: "3", name: null, runningFrom: null },
  ];
  const all = new Rows(rows);
  const keys = (text: string) => all.sorted(orderFrom(text), 11_000).map(({ key }) => key);

  it("is by a column, and what has no value comes last either way", () => {
    expect(keys("name")).toEqual(["2", "1", "3"]);
    expect(keys("-name")).toEqual(["1", "2", "3"]);
    expect(keys("running")).toEqual(["1", "2", "3"]);
    expect(keys("-running")).toEqual(["2", "1", "3"]);
  });

  it("gives exact times the room that they take", () => {
    const relative = gridOf(["state", "posted_at"], false);
    const exact = gridOf(["state", "posted_at"], true);
    expect(relative.grid).toBe("minmax(5.75rem, 1fr) minmax(7rem, 1fr)");
    expect(exact.grid).toBe("minmax(5.75rem, 1fr) minmax(12.5rem, 1fr)");
    expect([relative.least, exact.least]).toEqual([15, 20.5]);
  });

  it("is the newest first for nonsense", () => {
    expect(orderFrom("toString")).toEqual({ column: "posted_at", isDescending: true });
  });
});

describe("times", () => {
  it("are told in two units at most", () => {
    expect([0.063, 0.44, 12, 185, 7_260, 100_000, null, -5].map(duration)).toEqual([
      "63 ms",
      "0.4 s",
      "12 s",
      "3 min 5 s",
      "2 h 1 min",
      "1 d 3 h",
      "–",
      "0.0 s",
    ]);
  });

  it("that still count up are whole seconds", () => {
    expect([0.9, 9.99, 12.3, 185.5, -1].map(counting)).toEqual([
      "0 s",
      "9 s",
      "12 s",
      "3 min 5 s",
      "0 s",
    ]);
  });

  it("are exact in the zone that is wished", () => {
    expect(exact(POSTED, "UTC")).toBe("2026-11-25 10:00:00 UTC");
    expect(precise("2026-11-25T23:59:59.007Z", "Europe/Berlin")).toBe("2026-11-26 00:59:59.007");
  });

  it("offer each zone once, UTC first", () => {
    const all = [...NEAREST, ...[...regions().values()].flat()];
    expect(all[0]).toBe("UTC");
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(300);
    expect(regions().get("Pacific")).toContain("Pacific/Auckland");
  });
});

describe("text of others", () => {
  it("has no character that can't be seen", () => {
    expect(visible("a\u202eb\u0000c\u200b\ufeffd")).toBe("a⟨202E⟩b⟨0000⟩c⟨200B⟩⟨FEFF⟩d");
    expect(visible("\u{e0041}\u3164\u2800")).toBe("⟨E0041⟩⟨3164⟩⟨2800⟩");
    expect(visible("עברית 日本 🙂\n\tx")).toBe("עברית 日本 🙂\n\tx");
    expect(visible("x".repeat(400))).toHaveLength(301);
  });

  it("is JSON of a bounded size", () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n]));
    const { text, isCut } = pretty(many);
    expect(isCut).toBe(true);
    expect(text.split("\n")).toHaveLength(1_000);
    expect(pretty({ a: "\u202e" })).toEqual({ text: '{\n  "a": "⟨202E⟩"\n}', isCut: false });
  });
});
