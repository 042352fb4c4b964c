// What a row of a table of jobs tells when it is unfolded.
import * as api from "../api/client";
import type { Row } from "../model/moves";
import { At, Foreign } from "../parts/words";
import { useAsked } from "../state/asked";

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
          <AskedFor row={row} />
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

/** When a job was claimed whose row began with a later change, which does not tell. */
function AskedFor({ row: { path, uuid, znode } }: { row: Row }) {
  const name = uuid ?? znode;
  const { answer } = useAsked(`claim ${path} ${name}`, (signal) => api.job(name, path, signal), {
    interval: 30_000,
  });
  return answer === null ? <>…</> : <At iso={answer.job.claimed_at} />;
}
