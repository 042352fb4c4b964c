// Applies a change to a board's counts and to a job's row.
//
// Promises: a change whose revision is not higher than that of the row or board has no effect, so a
// change that a fetched answer already contains is not counted twice.
import type { Board, Change, Job } from "../api/types";

/** A job as a row of the table. Its timers count from times by the server's clock. */
export interface Row extends Omit<Job, "claims"> {
  key: string;
  /** Null if the row was made from a later change, which does not say how many there were. */
  claims: number | null;
  /** When the timer starts, milliseconds since 1970; null if it does not run or is not known. */
  waitingFrom: number | null;
  runningFrom: number | null;
  /** `posted_at` and `since` as milliseconds since 1970, so that sorting need not parse them. */
  postedAt: number;
  sinceAt: number;
}

export function keyOf(znode: string, postedAt: string | null): string {
  return `${znode} ${postedAt ?? ""}`; // a board that is created again reuses znode names
}

/** Return the row of a job from an answer of the API. */
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

/**
 * Return the row after a change, or the same row if the change has no effect. For a job without a
 * row the result is a new row, but not for an edit: an edit does not say when the job was claimed.
 */
export function rowAfter(row: Row | undefined, change: Change): Row | undefined {
  if (change.state === null || (row && change.revision <= row.revision)) {
    return row;
  }
  if (change.kind === "edited") {
    return row && editedRow(row, change);
  }
  const at = change.moment;
  const moment = Date.parse(at);
  const before = row ?? newRow(change);
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

/** Return the row after an edit by hand: its state and timers stay. */
function editedRow(row: Row, change: Change): Row {
  const { revision, uuid, owner, edit, job_name: name } = change;
  return {
    ...row,
    revision,
    uuid,
    name,
    owner: row.state === "CLAIMED" ? owner : row.owner,
    malformed: edit?.of === "job" ? edit.after.malformed : row.malformed,
  };
}

function newRow(change: Change): Row {
  const postedAt = change.posted_at ?? change.moment;
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
    in_trash: null,
    malformed: change.kind === "malformed" ? "malformed" : null,
    truncated: false, // a change does not say
    revision: 0,
    waitingFrom: null,
    runningFrom: null,
    postedAt: Date.parse(postedAt),
    sinceAt: Date.parse(postedAt),
  };
}

/** Return the board after a change, or the same board if the change has no effect. */
export function boardAfter(board: Board, change: Change): Board {
  if (change.revision <= board.revision) {
    return board;
  }
  const difference = (state: Board | string) =>
    Number(change.state === state) - Number(change.state_before === state);
  return {
    ...board,
    revision: change.revision,
    unclaimed: Math.max(0, board.unclaimed + difference("UNCLAIMED")),
    claimed: Math.max(0, board.claimed + difference("CLAIMED")),
    ended: board.ended + Number(change.state === "COMPLETE"),
  };
}
