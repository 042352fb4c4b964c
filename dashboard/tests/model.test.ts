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
import { boardAfter, keyOf, rowAfter, rowOf, type Row } from "../src/model/moves";
import { Rows } from "../src/model/rows";
import { halves, pretty, visible } from "../src/model/text";
import durations from "../../tests/durations.json";
import {
  coarseTimerText,
  dateTimeToMs,
  dateTimeWithZone,
  duration,
  FIRST_ZONES,
  regions,
  timerText,
} from "../src/model/times";
import { board, change, job, POSTED } from "./board";

describe("a row", () => {
  it("waits from the time of posting, by the server's clock", () => {
    expect(rowOf(job).waitingFrom).toBe(Date.parse(POSTED));
    expect(rowOf({ ...job, waiting: null }).waitingFrom).toBeNull();
  });

  it("is claimed, abandoned and ended by changes, each counted once", () => {
    const claimed = rowAfter(rowOf(job), change(6, "CLAIMED", { running: 0 }));
    expect(claimed).toMatchObject({ state: "CLAIMED", owner: "ann", claims: 1, waitingFrom: null });
    expect(claimed?.runningFrom).toBe(Date.parse("2026-11-25T10:01:00.000Z"));
    expect(rowAfter(claimed, change(6, "CLAIMED"))).toBe(claimed);
    const abandoned = rowAfter(claimed, change(7, "UNCLAIMED", { kind: "abandoned", running: 4 }));
    expect(abandoned).toMatchObject({ state: "UNCLAIMED", owner: null, runningFrom: null });
    expect(abandoned?.running, "it continues from there when the job is claimed again").toBe(4);
    expect(abandoned?.waitingFrom).toBe(Date.parse("2026-11-25T10:00:00.000Z"));
    const ended = rowAfter(
      abandoned,
      change(8, "COMPLETE", { kind: "removed", outcome: "removed" }),
    );
    expect(ended).toMatchObject({ state: "COMPLETE", outcome: "removed", waitingFrom: null });
  });

  it("continues its running time after an earlier claim", () => {
    const again = rowAfter(rowOf(job), change(6, "CLAIMED", { running: 10 }));
    expect(again?.runningFrom).toBe(Date.parse("2026-11-25T10:00:50.000Z"));
  });

  it("is made by the change that posts the job", () => {
    const first = { kind: "posted", state_before: null, waiting: 0 } as const;
    const posted = rowAfter(undefined, change(6, "UNCLAIMED", first));
    expect(posted).toMatchObject({ key: keyOf("job0000000001", POSTED), name: "build", claims: 0 });
  });

  it("is made by a later change, without what that does not say", () => {
    const claimed = rowAfter(undefined, change(6, "CLAIMED", { running: 3 }));
    expect(claimed).toMatchObject({ state: "CLAIMED", owner: "ann", claims: null });
    expect(claimed?.runningFrom).toBe(Date.parse("2026-11-25T10:00:57.000Z"));
    const again = rowAfter(claimed, change(7, "CLAIMED", { running: 3 }));
    expect(again?.claims).toBeNull();
  });

  it("has a timer only if its running time is known", () => {
    const claimed = rowAfter(rowOf(job), change(6, "CLAIMED", { running: null }));
    expect(claimed).toMatchObject({ claims: 1, running: null, runningFrom: null });
  });

  it("keeps its state and timers when it is edited, and shows the new values", () => {
    const claimed = rowAfter(rowOf(job), change(6, "CLAIMED", { running: 0 }));
    const side = { name: "built", owner: "eve", priority: null, size: 0, sha256: null };
    const edit = {
      of: "job",
      edits: 2,
      before: null,
      after: { ...side, uuid: "u-2", malformed: "empty" },
      changed: [],
    } as const;
    const more = { kind: "edited", uuid: "u-2", job_name: "built", owner: "eve" } as const;
    const at = "2026-11-25T11:00:00.000Z";
    const edited = rowAfter(
      claimed,
      change(7, "CLAIMED", { ...more, at, edit: { ...edit, changed: [] } }),
    );
    expect(edited).toEqual({
      ...claimed,
      revision: 7,
      uuid: "u-2",
      name: "built",
      owner: "eve",
      malformed: "empty",
    });
    const of_claim = { ...edit, of: "lock", changed: [] } as const;
    const stays = rowAfter(
      edited,
      change(8, "CLAIMED", { ...more, edit: { ...of_claim, changed: [] } }),
    );
    expect(stays?.malformed).toBe("empty");
  });

  it("is not made by an edit, which does not say since when the job has its state", () => {
    for (const state of ["UNCLAIMED", "CLAIMED"] as const) {
      const more = { kind: "edited", state_before: state } as const;
      expect(rowAfter(undefined, change(6, state, more))).toBeUndefined();
    }
  });

  it("is not made for a node that is not a job", () => {
    expect(rowAfter(undefined, { ...change(6, "CLAIMED"), state: null })).toBeUndefined();
  });
});

describe("a board's counts", () => {
  it("follow from a job's state before and after a change", () => {
    const claimed = boardAfter(board, change(6, "CLAIMED"));
    expect(claimed).toMatchObject({ unclaimed: 0, claimed: 1, ended: 0, revision: 6 });
    expect(boardAfter(claimed, change(6, "CLAIMED"))).toBe(claimed);
    const ended = boardAfter(claimed, change(7, "COMPLETE", { state_before: "CLAIMED" }));
    expect(ended).toMatchObject({ unclaimed: 0, claimed: 0, ended: 1 });
    const posted = boardAfter(ended, change(8, "UNCLAIMED", { state_before: null }));
    expect(posted).toMatchObject({ unclaimed: 1, claimed: 0 });
  });
});

describe("boards that need attention", () => {
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

  it("are the API's own, and survive the way to a URL and back", () => {
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

  it("match any of their values, and all fields must match", () => {
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

  it("say whether ended jobs may match, and whether time alone changes the matches", () => {
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

describe("URLs", () => {
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

  it("name a job by its znode if its uuid is not safe", () => {
    const posted = "&posted_at=2026-11-25T10%3A00%3A00.000Z";
    expect(jobAt(job)).toBe(`#/job?uuid=u-1&path=/a/jobs${posted}`);
    expect(jobAt({ ...job, posted_at: undefined })).toBe("#/job?uuid=u-1&path=/a/jobs");
    for (const uuid of [null, "..", "../x", "a/b", "", "x".repeat(300), "<b>"]) {
      expect(jobAt({ ...job, uuid })).toBe(`#/job?znode=job0000000001&path=/a/jobs${posted}`);
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

  it("is by a column, and rows without a value come last in both directions", () => {
    expect(keys("name")).toEqual(["2", "1", "3"]);
    expect(keys("-name")).toEqual(["1", "2", "3"]);
    expect(keys("running")).toEqual(["1", "2", "3"]);
    expect(keys("-running")).toEqual(["2", "1", "3"]);
  });

  it("gives exact times the width that they need", () => {
    const relative = gridOf(["state", "posted_at"], false);
    const exact = gridOf(["state", "posted_at"], true);
    expect(relative.grid).toBe("minmax(5.75rem, 1fr) minmax(7rem, 1fr)");
    expect(exact.grid).toBe("minmax(5.75rem, 1fr) minmax(15rem, 1fr)");
    expect([relative.minWidth, exact.minWidth]).toEqual([15, 23]);
  });

  it("is the newest first if the column is not valid", () => {
    expect(orderFrom("toString")).toEqual({ column: "posted_at", isDescending: true });
  });
});

describe("times", () => {
  it("have at most two units", () => {
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

  it.each(durations)("are as on the command line: $seconds s", ({ seconds, page }) => {
    expect(duration(seconds)).toBe(page);
  });

  it("of running timers are whole seconds", () => {
    expect([0.9, 12.3, 1_274, 7_500, 90_000].map(coarseTimerText)).toEqual([
      "0 s",
      "12 s",
      "21 min",
      "2 h",
      "1 d",
    ]);
    expect([0.9, 9.99, 12.3, 185.5, -1].map(timerText)).toEqual([
      "0 s",
      "9 s",
      "12 s",
      "3 min 5 s",
      "0 s",
    ]);
  });

  it("are exact in the chosen time zone", () => {
    expect(dateTimeWithZone(POSTED, "UTC")).toBe("2026-11-25 10:00:00 UTC");
    expect(dateTimeToMs("2026-11-25T23:59:59.007Z", "Europe/Berlin")).toBe(
      "2026-11-26 00:59:59.007",
    );
  });

  it("offer each zone once, UTC first", () => {
    const all = [...FIRST_ZONES, ...[...regions().values()].flat()];
    expect(all[0]).toBe("UTC");
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(300);
    expect(regions().get("Pacific")).toContain("Pacific/Auckland");
  });
});

describe("text that others wrote", () => {
  it("has no invisible character", () => {
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

describe("long names with the same start", () => {
  it("are told apart by their ends", () => {
    const [start, end] = halves(
      "get_create_load_balancer_flow-0a1b2c3d-0000-4000-8000-00000000beef",
    );
    expect(end).toBe("00000beef");
    expect(start + end).toMatch(/-00000000beef$/);
    const ends = new Set(
      Array.from({ length: 20_000 }, (_, number) => {
        const uuid = `0a1b2c3d-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;
        return halves(`get_create_load_balancer_flow-${uuid}`)[1];
      }),
    );
    expect(ends.size).toBe(20_000);
  });

  it("are not cut if they are short, and never within a character", () => {
    expect(halves("rebuild listener 7")).toEqual(["rebuild listener 7", ""]);
    for (const character of ["🚒", "e\u0301"]) {
      const parts = ["x".repeat(30), `${character}${"y".repeat(8)}`];
      expect(halves(parts.join(""))).toEqual(parts);
    }
  });
});
