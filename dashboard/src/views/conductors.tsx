// Who is registered on the boards, who holds what, and claims that nobody alive has.
import * as api from "../api/client";
import type { Conductor } from "../api/types";
import { jobAt } from "../model/address";
import { holdersAfter } from "../model/holders";
import { memo } from "../parts/memo";
import { BOARD, PlainTable, type PlainColumn } from "../parts/plaintable";
import { Failure, Foreign, Loading, Since } from "../parts/words";
import { useAsked } from "../state/asked";

const SHOWN = 20; // held jobs of one conductor

export function Conductors() {
  const { answer, error } = useAsked("all conductors", (signal) => api.conductors([], signal), {
    interval: 3_000,
    least: 1_000,
    after: holdersAfter,
  });
  const orphaned = (answer ?? []).filter(({ alive }) => !alive);
  return (
    <main>
      <div class="head">
        <h1>Conductors</h1>
        {answer && (
          <p class="quiet sum">
            {answer.length - orphaned.length} alive
            {orphaned.length > 0 && (
              <strong class="bad">, claims of {orphaned.length} that are not</strong>
            )}
          </p>
        )}
      </div>
      <Failure error={error} />
      {answer === null ? (
        <Loading what="conductors" />
      ) : (
        <ConductorTable conductors={answer} withPath />
      )}
    </main>
  );
}

interface Properties {
  conductors: readonly Conductor[];
  withPath: boolean;
}

export const ConductorTable = memo(({ conductors, withPath }: Properties) => {
  if (conductors.length === 0) {
    return <p class="empty">No conductor is registered, and nobody claims a job.</p>;
  }
  const sorted = [...conductors].sort((a, b) => Number(a.alive) - Number(b.alive));
  return (
    <PlainTable
      label="Conductors"
      columns={withPath ? [WHO, BOARD, ...REST] : [WHO, ...REST]}
      rows={sorted}
      keyOf={({ path, session, name, owner }) => `${path} ${session ?? ""} ${name ?? owner ?? ""}`}
      classOf={({ alive }) => (alive ? "" : "orphan")}
    />
  );
});

const WHO: PlainColumn<Conductor> = {
  name: "Conductor",
  cell: ({ name, owner }) => <Foreign text={name ?? owner} />,
};

const REST: readonly PlainColumn<Conductor>[] = [
  {
    name: "Alive",
    cell: (conductor) => (conductor.alive ? <Alive conductor={conductor} /> : <Orphan />),
  },
  { name: "Since", cell: ({ since }) => <Since iso={since} /> },
  {
    name: "Host",
    cell: ({ host, pid }) => (
      <>
        <Foreign text={host} />
        {pid !== null && ` (${pid})`}
      </>
    ),
  },
  { name: "Holds", cell: (conductor) => <Holds conductor={conductor} /> },
];

function Alive({ conductor }: { conductor: Conductor }) {
  return conductor.freshness === "live" || conductor.freshness === "catching_up" ? (
    <span class="badge good">● alive</span>
  ) : (
    <span class="badge busy" title="Its board is not live">
      ? when last seen
    </span>
  );
}

function Orphan() {
  return (
    <span class="badge bad" title="No conductor is registered with the session of this claim.">
      ✕ nobody
    </span>
  );
}

function Holds({ conductor: { holds, path } }: { conductor: Conductor }) {
  if (holds.length === 0) {
    return <span class="quiet">nothing</span>;
  }
  return (
    <ul class="held">
      {holds.slice(0, SHOWN).map((job) => (
        <li key={job.znode}>
          <a href={jobAt({ ...job, path })}>
            <Foreign text={job.name ?? job.znode} most={60} />
          </a>{" "}
          <span class="quiet">
            <Since iso={job.claimed_at} />
          </span>
        </li>
      ))}
      {holds.length > SHOWN && <li class="quiet">and {holds.length - SHOWN} more</li>}
    </ul>
  );
}
