// Which conductor holds which jobs: updates the server's answer by changes, until the next answer.
import type { Change, Conductor } from "../api/types";

export const isRegistered = ({ holder }: Conductor): boolean => holder === "registered";

/** Return the conductors as they are after a change; the same array if it affects none of them. */
export function holdersAfter(conductors: Conductor[], change: Change): Conductor[] {
  if (change.kind === "edited") {
    return holdersAfterEdit(conductors, change);
  }
  const { path, name: znode, session } = change;
  const isClaim = change.state === "CLAIMED" && session !== null;
  const holder = isClaim ? conductors.find((one) => claimIsOf(one, change)) : undefined;
  const isHolding = ({ path: board, holds }: Conductor) =>
    board === path && holds.some((job) => job.znode === znode);
  if (holder === undefined && !conductors.some(isHolding)) {
    return conductors;
  }
  const claimed = {
    uuid: change.uuid,
    name: change.job_name,
    znode,
    claimed_at: change.moment,
  };
  return conductors
    .map((one) => {
      const others = isHolding(one) ? one.holds.filter((job) => job.znode !== znode) : one.holds;
      return { ...one, holds: one === holder ? [...others, claimed] : others };
    })
    .filter(isKept);
}

/**
 * Whether a change's claim is of this conductor: same board and session, and also the same owner if
 * the conductor is not registered.
 */
function claimIsOf(one: Conductor, { path, session, owner }: Change): boolean {
  return one.path === path && one.session === session && (isRegistered(one) || one.owner === owner);
}

/** Whether a conductor stays in the list: it is registered or holds a job. */
function isKept(one: Conductor): boolean {
  return isRegistered(one) || one.holds.length > 0;
}

/**
 * Return the conductors after an edit by hand. An edit is not a claim: the job stays with its
 * holder, and keeps the time of its claim. If the edited lock no longer fits the holder's entry,
 * the job moves to the entry that it fits, if there is one.
 */
function holdersAfterEdit(conductors: Conductor[], change: Change): Conductor[] {
  const { path, name: znode, uuid, job_name: name } = change;
  const holder = conductors.find(
    (one) => one.path === path && one.holds.some((job) => job.znode === znode),
  );
  if (holder === undefined) {
    return conductors; // the holder is not known
  }
  const isNewOwner =
    change.edit?.of === "lock" && change.session !== null && !claimIsOf(holder, change);
  const next = isNewOwner ? conductors.find((one) => claimIsOf(one, change)) : holder;
  const held = holder.holds.map((job) => (job.znode === znode ? { ...job, uuid, name } : job));
  return conductors
    .map((one) => {
      if (one === holder) {
        return { ...one, holds: isNewOwner ? held.filter((job) => job.znode !== znode) : held };
      }
      const moved = one === next ? held.filter((job) => job.znode === znode) : [];
      return { ...one, holds: [...one.holds, ...moved] };
    })
    .filter(isKept);
}
