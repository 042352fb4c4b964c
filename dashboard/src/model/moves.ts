// What a change does to a board's counts and to a job's row. Revisions tell what is news: what a row
// or a board was fetched with is not told twice.
import type { Board, Change, Job } from "../api/types";

/** A job as a row: with the moments from which its timers count, by the server's clock. */
export interface Row extends Omit<Job, "claims"> {
  key: string;
  /** Null where the page has seen but its later changes, which do not tell it. */
  claims: number | null;
  /** Milliseconds since 1970 from which it waits, or runs; null while it does not or is unknown. */
  waitingFrom: number | null;
  runningFrom: number | null;
  /** When it was posted and when its state began, so that sorting thousands of rows parses none. */
  postedAt: number;
  sinceAt: number;
}

export function keyOf(znode: string, postedAt: string | null): string {
  return `${znode} ${postedAt ?? ""}`; // znode names come again with a new life of a board
}

/** Make a row of an answer that was given `at`, milliseconds by the server's clock. */
export function rowOf(job: Job): Row {
  const at = Date.parse(job.posted_at) + job.age * 1000;
  return {
    ...job,
    key: keyOf(job.znode, job.posted_at),
    postedAt: Date.parse(job.posted_at),
    sinceAt: Date.parse(job.since),
    waitingFrom: job.state === "UNCLAIMED" && job.waiting !== null ? at - job.waiting * 1000 : null,
    runningFrom: job.state === "CLAIMED" && job.running !== null ? at - job.running * 1000 : null,
  };
}

/** Return the row as it is after a change; the row itself where that is no news. */
export function moved(row: Row | undefined, change: Change): Row | undefined {
  if (change.state === null || (row && change.revision <= row.revision)) {
    return row;
  }
  const at = change.at ?? change.seen_at;
  const moment = Date.parse(at);
  const before = row ?? begun(change);
  const { state, waiting, running, revision, owner } = change;
  const uuid = before.uuid ?? change.uuid;
  const spent = { waiting, running };
  const common = { ...before, ...spent, state, revision, since: at, sinceAt: moment, uuid };
  switch (state) {
    case "UNCLAIMED":
      return {
        ...common,
        owner: null,
        claimed_at: null,
        waitingFrom: waiting === null ? null : moment - waiting * 1000,
        runningFrom: null,
      };
    case "CLAIMED":
      return {
        ...common,
        owner,
        claimed_at: at,
        claims: before.claims === null ? null : before.claims + 1,
        waitingFrom: null,
        runningFrom: running === null ? null : moment - running * 1000,
      };
    case "COMPLETE":
      return {
        ...common,
        owner,
        outcome: change.outcome,
        ended_at: at,
        waitingFrom: null,
        runningFrom: null,
      };
  }
}

function begun(change: Change): Row {
  const postedAt = change.posted_at ?? change.at ?? change.seen_at;
  return {
    key: keyOf(change.name, change.posted_at),
    uuid: change.uuid,
    name: change.job_name,
    path: change.path,
    znode: change.name,
    state: "UNCLAIMED",
    outcome: null,
    owner: null,
    posted_at: postedAt,
    since: postedAt,
    claimed_at: null,
    ended_at: null,
    age: 0,
    waiting: null,
    running: null,
    claims: change.state_before === null ? 0 : null,
    malformed: change.kind === "malformed" ? "malformed" : null,
    revision: 0,
    waitingFrom: null,
    runningFrom: null,
    postedAt: Date.parse(postedAt),
    sinceAt: Date.parse(postedAt),
  };
}

/** Return a board as it is after a change of it; the board itself where that is no news. */
export function counted(board: Board, change: Change): Board {
  if (change.revision <= board.revision) {
    return board;
  }
  const after = (state: Board | string) =>
    Number(change.state === state) - Number(change.state_before === state);
  return {
    ...board,
    revision: change.revision,
    unclaimed: Math.max(0, board.unclaimed + after("UNCLAIMED")),
    claimed: Math.max(0, board.claimed + after("CLAIMED")),
    ended: board.ended + Number(change.state === "COMPLETE"),
  };
}
