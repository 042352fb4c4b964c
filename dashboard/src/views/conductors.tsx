// The conductors of the boards and the jobs that they hold: registered conductors, owners that are
// not registered, and orphaned claims.
import * as api from "../api/client";
import type { Conductor } from "../api/types";
import { jobAt } from "../model/address";
import { holdersAfter, isRegistered } from "../model/holders";
import { memo } from "../parts/memo";
import { BOARD, PlainTable, type PlainColumn } from "../parts/plaintable";
import { Failure, Foreign, Loading, Name, Since } from "../parts/words";
import { usePolling } from "../state/polling";

const SHOWN = 20; // jobs of one conductor that are listed

export function Conductors() {
  const { answer, error } = usePolling("all conductors", (signal) => api.conductors([], signal), {
    interval: 3_000,
    minPause: 1_000,
    applyChange: holdersAfter,
  });
  const all = answer ?? [];
  const unregistered = all.filter(({ holder }) => holder === "unregistered");
  const orphaned = all.reduce(
    (sum, { holder, holds }) => sum + (holder === "orphaned" ? holds.length : 0),
    0,
  );
  return (
    <main>
      <div class="head">
        <h1>Conductors</h1>
        {answer && (
          <p class="quiet sum">
            {answer.filter(isRegistered).length} registered
            {unregistered.length > 0 &&
              `, ${unregistered.length} not registered but with a live session`}
            {orphaned > 0 && (
              <strong class="bad">
                , {orphaned} {orphaned === 1 ? "orphaned claim" : "orphaned claims"}
              </strong>
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

const ORDER: readonly Conductor["holder"][] = ["orphaned", "unregistered", "unknown", "registered"];

interface Properties {
  conductors: readonly Conductor[];
  withPath: boolean;
}

export const ConductorTable = memo(({ conductors, withPath }: Properties) => {
  if (conductors.length === 0) {
    return <p class="empty">No conductor is registered, and no job is claimed.</p>;
  }
  const sorted = [...conductors].sort((a, b) => ORDER.indexOf(a.holder) - ORDER.indexOf(b.holder));
  return (
    <PlainTable
      label="Conductors"
      columns={withPath ? [WHO, BOARD, ...REST] : [WHO, ...REST]}
      rows={sorted}
      keyOf={({ path, session, name, owner }) => `${path} ${session ?? ""} ${name ?? owner ?? ""}`}
      classOf={({ holder }) => (holder === "orphaned" ? "orphan" : "")}
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
    cell: (conductor) => <Holder conductor={conductor} />,
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
    <span
      class="badge busy"
      title="The board is not live, so it is not known whether the conductor is alive now."
    >
      ? alive when last seen
    </span>
  );
}

function Holder({ conductor }: { conductor: Conductor }) {
  switch (conductor.holder) {
    case "registered":
      return <Alive conductor={conductor} />;
    case "unregistered":
      return (
        <span
          class="badge busy"
          title="The session that made the claim is alive, but no conductor is registered with it. A conductor that restarts with the same host name and process number is not registered by TaskFlow."
        >
          ◐ not registered, session alive
        </span>
      );
    case "orphaned":
      return (
        <span
          class="badge bad"
          title="The lock is not ephemeral: somebody created it by hand, and it stays until somebody deletes it."
        >
          ✕ no session
        </span>
      );
    default:
      return (
        <span
          class="badge busy"
          title="An ACL hides the claim or the registered conductors from Canary."
        >
          ? not known
        </span>
      );
  }
}

function Holds({ conductor: { holds, path, registered_for: boards } }: { conductor: Conductor }) {
  if (holds.length === 0) {
    const others = boards.filter((board) => board !== path);
    return (
      <span class="quiet" title={others.join("\n")}>
        {others.length === 0
          ? "no jobs"
          : `no jobs on this board; also registered for ${others.length === 1 ? "another board" : `${others.length} other boards`}`}
      </span>
    );
  }
  return (
    <ul class="held">
      {holds.slice(0, SHOWN).map((job) => (
        <li key={job.znode}>
          <a href={jobAt({ ...job, path })}>
            <Name text={job.name ?? job.znode} />
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
