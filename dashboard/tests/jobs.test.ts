import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refusal } from "../src/api/client";
import type { Job } from "../src/api/types";
import type { Filter } from "../src/model/filters";
import { paused } from "../src/state/connection";
import { Jobs } from "../src/state/jobs";
import { board, change, job } from "./board";

const server = vi.hoisted(() => ({
  asked: 0,
  takes: 0, // milliseconds
  refuses: null as Error | null,
  rows: [] as Job[],
}));

vi.mock("../src/api/client", async (importOriginal) => ({
  ...(await importOriginal<object>()),
  jobs: async () => {
    server.asked += 1;
    if (server.takes > 0) {
      await new Promise((resolve) => setTimeout(resolve, server.takes));
    }
    if (server.refuses !== null) {
      throw server.refuses;
    }
    return { rows: server.rows, isMore: false };
  },
}));

const page = { hidden: false };
vi.stubGlobal("document", page);

const LINGER = 3_000; // milliseconds for which a row stays that the filters find no longer
const ASK = 2_000; // between two fetches
const UNCLAIMED: Filter = { field: "state", negated: false, value: "UNCLAIMED" };
const TEXT: Filter = { field: "q", negated: false, value: "only the server knows" };

describe("a board's jobs", () => {
  let jobs: Jobs;
  let revision: number;

  beforeEach(() => {
    vi.useFakeTimers();
    Object.assign(server, { asked: 0, takes: 0, refuses: null, rows: [job] });
    revision = 10;
  });

  afterEach(() => {
    jobs.close();
    paused.value = false;
    page.hidden = false;
    vi.useRealTimers();
  });

  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
  const open = async (filter: Filter) => {
    jobs = new Jobs(board.path, [filter]);
    void jobs.load();
    await pass(server.takes);
  };
  const becomes = (state: Job["state"], more: object = {}) => {
    revision += 1;
    jobs.take([change(revision, state, more)]);
  };
  const rows = () => jobs.rows.value.all.size;

  it("stay for a moment when the filters find them no longer", async () => {
    await open(UNCLAIMED);
    becomes("CLAIMED");
    await pass(LINGER - 1);
    expect([rows(), jobs.leaving.value.size]).toEqual([1, 1]);
    await pass(1);
    expect([rows(), jobs.leaving.value.size]).toEqual([0, 0]);
  });

  it("stay as long as the page is paused", async () => {
    await open(UNCLAIMED);
    becomes("CLAIMED");
    paused.value = true;
    await pass(10 * LINGER);
    expect(rows()).toBe(1);
    paused.value = false;
    await pass(LINGER);
    expect(rows()).toBe(0);
  });

  it("stay for as long again when they were found meanwhile", async () => {
    await open(UNCLAIMED);
    becomes("CLAIMED");
    await pass(1_000);
    becomes("UNCLAIMED");
    await pass(1_000);
    becomes("CLAIMED");
    await pass(LINGER - 1);
    expect(rows()).toBe(1);
    await pass(1);
    expect(rows()).toBe(0);
  });

  it("are asked for anew where only the server knows, once in a while", async () => {
    await open(TEXT);
    becomes("CLAIMED");
    becomes("UNCLAIMED");
    await pass(ASK - 1);
    expect(server.asked).toBe(1);
    await pass(1);
    expect(server.asked).toBe(2);
  });

  it("are asked for less often where the server is slow", async () => {
    server.takes = 1_000;
    await open(TEXT);
    becomes("CLAIMED");
    await pass(9_999);
    expect(server.asked).toBe(1);
    await pass(1);
    expect(server.asked).toBe(2);
  });

  it("are not asked for while nobody sees the page, and soon when somebody does", async () => {
    await open(TEXT);
    page.hidden = true;
    becomes("CLAIMED");
    await pass(60_000);
    expect(server.asked).toBe(1);
    page.hidden = false;
    await pass(ASK);
    expect(server.asked).toBe(2);
  });

  it("are not asked for again where the server refuses for good", async () => {
    server.refuses = new Refusal(400, "no");
    await open(TEXT);
    expect(jobs.error.value).toEqual({ text: "no", isFinal: true });
    becomes("CLAIMED");
    await pass(60_000);
    expect(server.asked).toBe(1);
  });

  it("are asked for again where it refuses for now", async () => {
    server.refuses = new Refusal(503, "no");
    await open(TEXT);
    server.refuses = null;
    await pass(ASK);
    expect([server.asked, rows(), jobs.error.value]).toEqual([2, 1, null]);
  });

  it("are no more than twice those that were asked for, until they are fetched anew", async () => {
    await open({ field: "state", negated: true, value: "COMPLETE" });
    const most = jobs.rows.value.extent;
    for (let number = 0; number < 2 * most + 10; number += 1) {
      becomes("UNCLAIMED", { name: `job${number}`, state_before: null });
    }
    expect(rows()).toBe(2 * most);
    await pass(ASK);
    expect([server.asked, rows()]).toEqual([2, 1]);
  });
});
