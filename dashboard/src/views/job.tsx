// One job: what happened to it, who had it, and what it says of itself.
import { useEffect, useState } from "preact/hooks";
import * as api from "../api/client";
import type { Change, JobAnswer, JobInFull } from "../api/types";
import { boardAt, jobAt, valueOf } from "../model/address";
import { pretty } from "../model/text";
import { rowOf } from "../model/moves";
import { duration } from "../model/times";
import { Copy } from "../parts/copy";
import { At, Failure, Foreign, Loading, Note, StateBadge, Timer } from "../parts/words";
import { useAsked } from "../state/asked";
import { onChanges } from "../state/changes";
import { place } from "../state/place";

export function JobView() {
  const { query } = place.value;
  const path = valueOf(query, "path");
  const name = valueOf(query, "uuid") ?? valueOf(query, "znode") ?? "";
  const { answer, error, again } = useAsked(
    `job ${path ?? ""} ${name}`,
    (signal) => api.job(name, path, signal),
    { interval: 30_000, least: 200 },
  );
  const znode = answer?.job.znode;
  const board = answer?.job.path;
  useEffect(
    () =>
      onChanges((changes) => {
        const isOfIt = (change: Change) =>
          znode === undefined
            ? change.uuid === name || change.name === name // not answered yet
            : change.name === znode && change.path === board;
        if (changes.some(isOfIt)) {
          again();
        }
      }),
    [znode, board, name, again],
  );
  return (
    <main>
      <Failure error={error} />
      {answer === null && error !== null && (
        <p>
          <a href={path === null ? "#/" : boardAt(path)}>
            {path === null ? "All boards" : "Its board"}
          </a>
        </p>
      )}
      {answer ? <Job answer={answer} /> : error === null && <Loading what="the job" />}
    </main>
  );
}

function Job({ answer: { job, changes, others } }: { answer: JobAnswer }) {
  const row = rowOf(job);
  return (
    <>
      <p class="quiet">
        <a href={boardAt(job.path)}>
          <Foreign text={job.path} />
        </a>{" "}
        / <Foreign text={job.znode} />
      </p>
      <div class="head">
        <h1>
          <Foreign text={job.name ?? job.znode} />
        </h1>
        <StateBadge job={job} />
      </div>
      <dl class="facts">
        <dt>UUID</dt>
        <dd>
          <Foreign text={job.uuid} />{" "}
          {job.uuid !== null && <Copy text={job.uuid} what="the UUID" />}
        </dd>
        <dt>Owner</dt>
        <dd>
          <Foreign text={job.owner} />
        </dd>
        <dt>Owners so far</dt>
        <dd>
          <Foreign text={ownersOf(changes)} most={2_000} />
        </dd>
        <dt>Waited</dt>
        <dd>
          <Timer from={row.waitingFrom} spent={job.waiting} />
        </dd>
        <dt>Ran</dt>
        <dd>
          <Timer from={row.runningFrom} spent={job.running} />
        </dd>
        <dt>Claims</dt>
        <dd>{job.claims}</dd>
        <dt>Priority</dt>
        <dd>
          <Foreign text={job.priority} />
        </dd>
      </dl>
      {others.length > 0 && (
        <Note kind="busy">
          Other jobs have the same UUID:{" "}
          {others.map((other) => (
            <a href={jobAt({ uuid: null, ...other })}>
              <Foreign text={`${other.path}/${other.znode}`} />{" "}
            </a>
          ))}
        </Note>
      )}
      <section>
        <h2>What happened</h2>
        <Timeline changes={changes} job={job} />
      </section>
      {job.malformed !== null && <Malformed job={job} />}
      <Payload title="Details" value={job.details} isCut={job.truncated} />
      {job.book && <Payload title="Logbook" value={job.book} isCut={false} />}
    </>
  );
}

function ownersOf(changes: readonly Change[]): string | null {
  const claims = changes.flatMap(({ kind, owner }) =>
    kind === "claimed" && owner !== null ? [owner] : [],
  );
  return claims.length ? [...new Set(claims)].join(", ") : null;
}

const WORDS: Record<Change["kind"], string> = {
  posted: "Posted",
  malformed: "Posted, malformed",
  claimed: "Claimed",
  abandoned: "Abandoned",
  consumed: "Consumed: done",
  trashed: "Trashed",
  removed: "Removed by hand",
  ended: "Ended; how is not known",
  node_created: "Node created",
  node_deleted: "Node deleted",
};

function Timeline({ changes, job }: { changes: readonly Change[]; job: JobInFull }) {
  const row = rowOf(job);
  return (
    <ol class="timeline">
      {changes.map((change, number) => {
        const at = change.at ?? change.seen_at;
        const next = changes[number + 1];
        const until = next ? Date.parse(next.at ?? next.seen_at) : null;
        return (
          <li key={change.revision} class={`kind-${change.kind}`}>
            <strong>{WORDS[change.kind]}</strong>
            {change.owner !== null && (
              <>
                {" "}
                by <Foreign text={change.owner} />
              </>
            )}
            <div class="quiet">
              <At iso={at} />
              {change.at === null && " (when Canary saw it; ZooKeeper tells no time of it)"}
            </div>
            {change.state !== "COMPLETE" && (
              <div class="span">
                {change.state === "CLAIMED" ? "ran" : "waited"}{" "}
                {until === null ? (
                  <>
                    <Timer from={row.runningFrom ?? row.waitingFrom} /> until now, in all
                  </>
                ) : (
                  duration((until - Date.parse(at)) / 1000)
                )}
              </div>
            )}
          </li>
        );
      })}
    </ol>
  );
}

function Malformed({ job }: { job: JobInFull }) {
  return (
    <section>
      <h2>Malformed</h2>
      <Note kind="bad">
        No conductor can take it: <Foreign text={job.malformed} most={1_000} />
      </Note>
      <dl class="facts">
        <dt>Size</dt>
        <dd>{job.size === null ? "unknown" : `${job.size.toLocaleString("en")} bytes`}</dd>
        <dt>SHA-256</dt>
        <dd>
          <Foreign text={job.sha256} />{" "}
          {job.sha256 !== null && <Copy text={job.sha256} what="the SHA-256" />}
        </dd>
      </dl>
      {job.excerpt !== null && (
        <>
          <h3>Its first bytes, masked and escaped</h3>
          <pre class="payload" tabIndex={0}>
            <Foreign text={job.excerpt} most={20_000} />
          </pre>
        </>
      )}
    </section>
  );
}

interface PayloadProperties {
  title: string;
  value: Record<string, unknown>;
  isCut: boolean;
}

function Payload({ title, value, isCut }: PayloadProperties) {
  const [isWhole, setWhole] = useState(false);
  const excerpt = isWhole ? pretty(value, Infinity, 1_000_000) : pretty(value);
  return (
    <section>
      <div class="head">
        <h2>{title}</h2>
        <Copy text={JSON.stringify(value, null, 2)} what={title.toLowerCase()} />
        {isCut && <span class="quiet">cut to what Canary keeps</span>}
      </div>
      <pre class="payload" tabIndex={0}>
        {excerpt.text}
        {excerpt.isCut && "\n…"}
      </pre>
      {excerpt.isCut && (
        <button type="button" class="small" onClick={() => setWhole(true)}>
          Show all of it
        </button>
      )}
    </section>
  );
}
