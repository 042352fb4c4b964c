import type { Board } from "../src/api/types";

export const POSTED = "2026-11-25T10:00:00.000Z";

/** A board that is live, with one job that waits. */
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
  unclaimed: 1,
  claimed: 0,
  ended: 0,
  oldest_unclaimed: 30,
  per_minute: { posted: 0, claimed: 0, ended: 0 },
  account: { unseen_creates: 0, unseen_deletes: 0, complete: true },
};
