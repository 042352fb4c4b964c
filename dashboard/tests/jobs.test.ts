import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FIRST_SPAN } from "../src/api/backoff";
import { HttpError } from "../src/api/client";
import type { Job } from "../src/api/types";
import type { Filter } from "../src/model/filters";
import { paused } from "../src/state/connection";
import { Jobs } from "../src/state/jobs";
import { board, change, job } from "./board";

const server = vi.hoisted(() => ({
  asked: 0,
  takes: 0, // milliseconds for an answer
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

const LINGER = 3_000; // milliseconds until a row is removed that no longer matches
const REFETCH_INTERVAL = 2_000; // milliseconds between two fetches
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

  it("stay for a moment when they no longer match", async () => {
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

  it("stay for the full time again if they matched meanwhile", async () => {
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

  it("are fetched again if only the server knows, once for several changes", async () => {
    await open(TEXT);
    becomes("CLAIMED");
    becomes("UNCLAIMED");
    await pass(REFETCH_INTERVAL - 1);
    expect(server.asked).toBe(1);
    await pass(1);
    expect(server.asked).toBe(2);
  });

  it("are fetched again when a job without a row is edited", async () => {
    await open(UNCLAIMED);
    becomes("UNCLAIMED", { kind: "edited", name: "job0000000002" });
    await pass(REFETCH_INTERVAL - 1);
    expect([rows(), server.asked]).toEqual([1, 1]);
    await pass(1);
    expect(server.asked).toBe(2);
    becomes("UNCLAIMED", { kind: "edited" });
    await pass(60_000);
    expect(server.asked, "not for a job with a row: the edit says all").toBe(2);
  });

  it("are fetched less often if the server is slow", async () => {
    server.takes = 1_000;
    await open(TEXT);
    becomes("CLAIMED");
    await pass(9_999);
    expect(server.asked).toBe(1);
    await pass(1);
    expect(server.asked).toBe(2);
  });

  it("are not fetched while the page is hidden, and soon when it is visible", async () => {
    await open(TEXT);
    page.hidden = true;
    becomes("CLAIMED");
    await pass(60_000);
    expect(server.asked).toBe(1);
    page.hidden = false;
    await pass(REFETCH_INTERVAL);
    expect(server.asked).toBe(2);
  });

  it("are not fetched again after a final error", async () => {
    server.refuses = new HttpError(400, "no");
    await open(TEXT);
    expect(jobs.error.value).toEqual({ text: "no", isFinal: true });
    becomes("CLAIMED");
    await pass(60_000);
    expect(server.asked).toBe(1);
  });

  it("are fetched again after an error that may pass", async () => {
    server.refuses = new HttpError(503, "no");
    await open(TEXT);
    server.refuses = null;
    await pass(REFETCH_INTERVAL - 1);
    expect(server.asked).toBe(1);
    await pass(1 + FIRST_SPAN);
    expect([server.asked, rows(), jobs.error.value]).toEqual([2, 1, null]);
  });

  it("are at most twice as many as were asked for, until they are fetched again", async () => {
    await open({ field: "state", negated: true, value: "COMPLETE" });
    const most = jobs.rows.value.limit;
    for (let number = 0; number < 2 * most + 10; number += 1) {
      becomes("UNCLAIMED", { name: `job${number}`, state_before: null });
    }
    expect(rows()).toBe(2 * most);
    await pass(REFETCH_INTERVAL);
    expect([server.asked, rows()]).toEqual([2, 1]);
  });
});
