import { beforeEach, describe, expect, it } from "vitest";
import { JobHistory, STEP, type FetchJob } from "../src/api/jobhistory";
import type { Change, JobAnswer, JobInFull } from "../src/api/types";
import { change, job } from "./board";

const SENT = 1_000; // changes that the server sends by itself
const FIRST = 100; // of these from the beginning

/** Answers as the server does. */
class FakeServer {
  changes: Change[] = [];
  posted = job.posted_at;
  asked: ({ after: number; limit: number } | null)[] = [];

  constructor(count: number) {
    this.add(count);
  }

  add(count: number): void {
    for (let number = 0; number < count; number += 1) {
      const revision = 3 * (this.changes.length + 1); // revisions between are of other jobs
      this.changes.push(change(revision, this.changes.length % 2 ? "CLAIMED" : "UNCLAIMED"));
    }
  }

  readonly ask: FetchJob = (part) => {
    this.asked.push(part);
    const all = this.changes;
    const later = all.filter(({ revision }) => revision > (part?.after ?? 0));
    const isShort = part === null && all.length > SENT;
    const changes = isShort
      ? [...all.slice(0, FIRST), ...all.slice(FIRST - SENT)]
      : later.slice(0, part?.limit);
    const left = later.length - changes.length;
    const after = isShort ? all[FIRST - 1] : changes.at(-1);
    const of = { ...job, posted_at: this.posted, revision: all.at(-1)?.revision } as JobInFull;
    return Promise.resolve({
      job: of,
      changes,
      truncated: left > 0,
      left_out: left > 0 && after ? { changes: left, after: after.revision } : null,
      others: [],
    });
  };
}

const { signal } = new AbortController();
const revisions = ({ changes }: JobAnswer) => changes.map(({ revision }) => revision);

describe("a job's history", () => {
  let history: JobHistory;
  beforeEach(() => (history = new JobHistory()));

  const all = (server: FakeServer) => server.changes.map(({ revision }) => revision);

  it.each([0, 1, SENT])("is the server's answer if that has all changes: %s", async (count) => {
    const server = new FakeServer(count);
    for (const more of [0, STEP]) {
      const told = await history.fetch(server.ask, more, signal);
      expect([revisions(told), told.left_out]).toEqual([all(server), null]);
    }
    expect(server.asked).toEqual([null, null]);
  });

  it.each([SENT + 1, 10_000, 10_001, 23_456])("has all of %s changes in the end", async (count) => {
    const server = new FakeServer(count);
    let told = await history.fetch(server.ask, 0, signal);
    expect(told.left_out?.changes).toBe(count - SENT);
    for (let more = STEP; told.left_out !== null; more += STEP) {
      const before = told.left_out.changes;
      told = await history.fetch(server.ask, more, signal);
      expect(told.left_out?.changes ?? 0, "each step shows more").toBe(Math.max(0, before - STEP));
      expect(told.changes.length + (told.left_out?.changes ?? 0)).toBe(count);
      expect(told.truncated).toBe(told.left_out !== null);
    }
    expect(revisions(told)).toEqual(all(server));
    expect(server.asked.every((part) => part === null || part.limit <= STEP)).toBe(true);
  });

  it("fetches only new changes once it is complete", async () => {
    const server = new FakeServer(3_000);
    await history.fetch(server.ask, STEP, signal);
    server.add(2);
    server.asked = [];
    const told = await history.fetch(server.ask, STEP, signal);
    expect(revisions(told)).toEqual(all(server));
    expect(server.asked).toEqual([{ after: 9_000, limit: STEP }]);
    expect(revisions(await history.fetch(server.ask, STEP, signal)), "nothing new").toEqual(
      all(server),
    );
  });

  it("has no hole if many changes came at once", async () => {
    const server = new FakeServer(3_000);
    await history.fetch(server.ask, 2 * STEP, signal);
    server.add(STEP + 1);
    const told = await history.fetch(server.ask, 2 * STEP, signal);
    expect([revisions(told), told.left_out]).toEqual([all(server), null]);
  });

  it("reports what is left out when new changes come to an incomplete one", async () => {
    const server = new FakeServer(20_000);
    await history.fetch(server.ask, STEP, signal);
    server.add(10);
    server.asked = [];
    const told = await history.fetch(server.ask, STEP, signal);
    const [known, ends] = [all(server).slice(0, FIRST + STEP), all(server).slice(FIRST - SENT)];
    expect(revisions(told)).toEqual([...known, ...ends]);
    expect(told.left_out).toEqual({ changes: 20_010 - SENT - STEP, after: known.at(-1) });
    expect(server.asked, "and fetches none again").toEqual([null]);
  });

  it("begins again for another job with the same name, or an older state", async () => {
    const server = new FakeServer(3_000);
    await history.fetch(server.ask, STEP, signal);
    const later = new FakeServer(2_500);
    later.posted = "2026-11-26T10:00:00.000Z";
    expect(revisions(await history.fetch(later.ask, STEP, signal))).toEqual(all(later));
    const older = new FakeServer(2_000);
    older.posted = later.posted;
    expect(revisions(await history.fetch(older.ask, STEP, signal))).toEqual(all(older));
    history.forget();
    older.asked = [];
    await history.fetch(older.ask, STEP, signal);
    expect(older.asked[0], "what was forgotten is fetched again").toBeNull();
  });

  it("keeps nothing of an aborted fetch", async () => {
    const server = new FakeServer(3_000);
    const controller = new AbortController();
    const late: FetchJob = async (part) => {
      const told = await server.ask(part);
      controller.abort();
      return told;
    };
    await expect(history.fetch(late, STEP, controller.signal)).rejects.toThrow();
    expect(revisions(await history.fetch(server.ask, STEP, signal))).toEqual(all(server));
  });
});
