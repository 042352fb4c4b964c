// Who holds what, as changes tell it between two answers of the server.
import type { Change, Conductor } from "../api/types";

/** Return conductors as they are after a change; the same array where it is none of theirs. */
export function holdersAfter(conductors: Conductor[], change: Change): Conductor[] {
  const { path, name: znode, session } = change;
  const isOf = (one: Conductor) => one.path === path && session !== null && one.session === session;
  const isHolding = ({ path: board, holds }: Conductor) =>
    board === path && holds.some((job) => job.znode === znode);
  const isClaim = change.state === "CLAIMED";
  if (!conductors.some((one) => isHolding(one) || (isClaim && isOf(one)))) {
    return conductors;
  }
  const claimed = {
    uuid: change.uuid,
    name: change.job_name,
    znode,
    claimed_at: change.at ?? change.seen_at,
  };
  return conductors
    .map((one) => {
      const others = isHolding(one) ? one.holds.filter((job) => job.znode !== znode) : one.holds;
      return { ...one, holds: isClaim && isOf(one) ? [...others, claimed] : others };
    })
    .filter(({ alive, holds }) => alive || holds.length > 0); // nobody's claims that are none now
}
