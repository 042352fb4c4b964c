// Who is registered on the boards, who holds what, and claims that nobody alive has.
import * as api from "../api/client";
import type { Conductor } from "../api/types";
import { boardAt, jobAt } from "../model/address";
import { Failure, Foreign, Loading, Since } from "../parts/words";
import { useAsked } from "../state/asked";

const SHOWN = 20; // held jobs of one conductor

export function Conductors() {
  const { answer, error } = useAsked("all conductors", (signal) => api.conductors([], signal), {
    interval: 3_000,
    least: 1_000,
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

export function ConductorTable({ conductors, withPath }: Properties) {
  if (conductors.length === 0) {
    return <p class="empty">No conductor is registered, and nobody claims a job.</p>;
  }
  const sorted = [...conductors].sort((a, b) => Number(a.alive) - Number(b.alive));
  return (
    <div class="wide" tabIndex={0} role="region" aria-label="Conductors">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Conductor</th>
            {withPath && <th scope="col">Board</th>}
            <th scope="col">Alive</th>
            <th scope="col">Since</th>
            <th scope="col">Host</th>
            <th scope="col">Holds</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((conductor) => (
            <tr
              class={conductor.alive ? "" : "orphan"}
              key={`${conductor.path} ${conductor.session ?? ""} ${conductor.name ?? conductor.owner ?? ""}`}
            >
              <td>
                <Foreign text={conductor.name ?? conductor.owner} />
              </td>
              {withPath && (
                <td>
                  <a href={boardAt(conductor.path)}>
                    <Foreign text={conductor.path} />
                  </a>
                </td>
              )}
              <td>{conductor.alive ? <Alive conductor={conductor} /> : <Orphan />}</td>
              <td>
                <Since iso={conductor.since} />
              </td>
              <td>
                <Foreign text={conductor.host} />
                {conductor.pid !== null && ` (${conductor.pid})`}
              </td>
              <td>
                <Holds conductor={conductor} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

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
