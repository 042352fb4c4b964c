import type { Board, Change, Job } from "../src/api/types";

export const POSTED = "2026-11-25T10:00:00.000Z";

/** A live board with one unclaimed job. */
export const board: Board = {
  path: "/a/jobs",
  registered: true,
  freshness: "live",
  freshness_since: POSTED,
  watcher: "w",
  epoch: 1,
  revision: 5,
  watched_since: POSTED,
  live_until: POSTED,
  drift: 0,
  clock_offset: null,
  clock_off: false,
  unclaimed: 1,
  claimed: 0,
  ended: 0,
  oldest_claimed: null,
  trash_collisions: 0,
  oldest_unclaimed: 30,
  per_minute: { posted: 0, claimed: 0, ended: 0 },
  account: { unseen_creates: 0, unseen_deletes: 0, complete: true },
};

export const job: Job = {
  uuid: "u-1",
  name: "build",
  path: "/a/jobs",
  znode: "job0000000001",
  state: "UNCLAIMED",
  outcome: null,
  owner: null,
  posted_at: POSTED,
  since: POSTED,
  claimed_at: null,
  ended_at: null,
  age: 30,
  waiting: 30,
  running: null,
  claims: 0,
  in_trash: null,
  malformed: null,
  truncated: false,
  revision: 5,
};

/** A change of that job: a claim, unless `more` says otherwise. */
export function change(revision: number, state: Job["state"], more: Partial<Change> = {}): Change {
  return {
    path: "/a/jobs",
    revision,
    kind: "claimed",
    state,
    state_before: "UNCLAIMED",
    uuid: "u-1",
    name: "job0000000001",
    job_name: "build",
    owner: "ann",
    session: "0x1",
    outcome: null,
    at: "2026-11-25T10:01:00.000Z",
    seen_at: "2026-11-25T10:01:00.010Z",
    moment: "2026-11-25T10:01:00.000Z",
    posted_at: POSTED,
    waiting: 60,
    running: null,
    creates: 1,
    deletes: 0,
    edit: null,
    ...more,
  };
}
