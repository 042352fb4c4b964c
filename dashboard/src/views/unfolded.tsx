// The details of a job below its row in the table.
import * as api from "../api/client";
import type { Row } from "../model/moves";
import { At, Foreign } from "../parts/words";
import { usePolling } from "../state/polling";

export function Unfolded({ row }: { row: Row }) {
  return (
    <dl class="unfolded">
      <dt>UUID</dt>
      <dd>
        <Foreign text={row.uuid} />
      </dd>
      <dt>Znode</dt>
      <dd>
        <Foreign text={`${row.path}/${row.znode}`} />
      </dd>
      <dt>Posted</dt>
      <dd>
        <At iso={row.posted_at} />
      </dd>
      <dt>Claimed</dt>
      <dd>
        {row.claimed_at === null && row.state !== "UNCLAIMED" ? (
          <ClaimTime row={row} />
        ) : (
          <At iso={row.claimed_at} />
        )}
      </dd>
      <dt>Ended</dt>
      <dd>
        <At iso={row.ended_at} />
      </dd>
    </dl>
  );
}

/**
 * When a job was claimed, fetched from the server. A row that was made from a later change does not
 * have this time.
 */
function ClaimTime({ row: { path, uuid, znode, posted_at: postedAt } }: { row: Row }) {
  const name = uuid ?? znode;
  const { answer } = usePolling(
    `claim ${path} ${name} ${postedAt}`,
    (signal) => api.job({ uuid, znode, path, postedAt }, signal),
    { interval: 30_000 },
  );
  return answer === null ? <>…</> : <At iso={answer.job.claimed_at} />;
}
