// Who holds what, as changes tell it between two answers of the server.
import type { Change, Conductor } from "../api/types";

/** Return conductors as they are after a change; the same array where it is none of theirs. */
export function holdersAfter(conductors: Conductor[], change: Change): Conductor[] {
  const { path, name: znode, session } = change;
  const isClaim = change.state === "CLAIMED" && session !== null;
  const isOf = (one: Conductor) =>
    one.path === path && one.session === session && (one.alive || one.owner === change.owner);
  const holder = isClaim ? conductors.find(isOf) : undefined;
  const isHolding = ({ path: board, holds }: Conductor) =>
    board === path && holds.some((job) => job.znode === znode);
  if (holder === undefined && !conductors.some(isHolding)) {
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
      return { ...one, holds: one === holder ? [...others, claimed] : others };
    })
    .filter(({ alive, holds }) => alive || holds.length > 0); // nobody's claims that are none now
}
