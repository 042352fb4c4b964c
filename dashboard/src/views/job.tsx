// The view of one job: its state, owners and times, its changes, and its payload.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import { JobHistory, STEP } from "../api/jobhistory";
import type { Change, JobAnswer, JobInFull } from "../api/types";
import { boardAt, jobAt, valueOf } from "../model/address";
import { pretty } from "../model/text";
import { rowOf } from "../model/moves";
import { Copy } from "../parts/copy";
import { At, Failure, Foreign, Loading, Note, StateBadge, Timer } from "../parts/words";
import { usePolling } from "../state/polling";
import { onChanges, onReset } from "../state/changes";
import { place } from "../state/place";
import { Timeline, type ShowMore } from "./timeline";

export function JobView() {
  const { query } = place.value;
  const path = valueOf(query, "path");
  const [uuid = null, znodeName = null, postedAt = null] = ["uuid", "znode", "posted_at"].map(
    (word) => valueOf(query, word),
  );
  const name = uuid ?? znodeName ?? "";
  const which = JSON.stringify([uuid, znodeName, path, postedAt]);
  const [request, setRequest] = useState({ which, more: 0 }); // more changes of a long history
  const more = request.which === which ? request.more : 0;
  const jobHistory = useMemo(() => ({ which, made: new JobHistory() }), [which]).made;
  const polled = usePolling(
    `job ${which} ${more}`,
    (signal) => {
      const job = { uuid, znode: znodeName, path, postedAt };
      return jobHistory.fetch((part) => api.job(job, signal, part), more, signal);
    },
    { interval: 30_000, minPause: 200 },
  );
  const { error, refetch } = polled;
  const latest = useRef<{ which: string; answer: JobAnswer } | null>(null);
  if (polled.answer !== null) {
    latest.current = { which, answer: polled.answer };
  }
  // While more changes are fetched, the last answer stays.
  const answer = latest.current?.which === which ? latest.current.answer : null;
  useEffect(() => onReset(() => jobHistory.forget()), [jobHistory]);
  const znode = answer?.job.znode;
  const board = answer?.job.path;
  useEffect(
    () =>
      onChanges((changes) => {
        const isOfJob = (change: Change) =>
          znode === undefined
            ? change.uuid === name || change.name === name // not answered yet
            : change.name === znode && change.path === board;
        if (changes.some(isOfJob)) {
          refetch();
        }
      }),
    [znode, board, name, refetch],
  );
  return (
    <main>
      <Failure error={error} />
      {answer === null && error !== null && (
        <p>
          <a href={path === null ? "#/" : boardAt(path)}>
            {path === null ? "All boards" : "The job’s board"}
          </a>
        </p>
      )}
      {answer ? (
        <Job
          answer={answer}
          showMore={polled.answer && (() => setRequest({ which, more: more + STEP }))}
        />
      ) : (
        error === null && <Loading what="the job" />
      )}
    </main>
  );
}

function Job({ answer, showMore }: { answer: JobAnswer; showMore: ShowMore }) {
  const { job, changes, others, left_out: leftOut } = answer;
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
      {job.in_trash !== null && (
        <Note kind="busy">
          This job cannot be moved to the trash: a job with the same number and the UUID{" "}
          <Foreign text={job.in_trash} /> is already there. If TaskFlow tries, this job stays
          claimed for ever. Delete the old job from the trash.
        </Note>
      )}
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
        <dt>All owners</dt>
        <dd>
          <Foreign text={ownersOf(changes)} maxLength={2_000} />
          {leftOut !== null && " and any owners in the changes that are not shown"}
        </dd>
        <dt>{row.waitingFrom === null ? "Waited" : "Waiting for"}</dt>
        <dd>
          <Timer from={row.waitingFrom} spent={job.waiting} />
        </dd>
        <dt>{row.runningFrom === null ? "Ran" : "Running for"}</dt>
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
          Other jobs with this UUID or name:{" "}
          {others.map((other) => (
            <>
              <a href={jobAt({ ...other, uuid: null })}>
                <Foreign text={`${other.path}/${other.znode}`} />
              </a>
              , posted <At iso={other.posted_at} />{" "}
            </>
          ))}
        </Note>
      )}
      <section>
        <h2>What happened</h2>
        <Timeline changes={changes} job={job} leftOut={leftOut} showMore={showMore} />
      </section>
      {job.malformed !== null && <Malformed job={job} />}
      <Payload title="Details" value={job.details} isCut={job.truncated} />
      {job.cuts.length > 0 && <Cuts job={job} />}
      {job.book && <Payload title="Logbook" value={job.book} isCut={false} />}
    </>
  );
}

function ownersOf(changes: readonly Change[]): string | null {
  const claims = changes.flatMap(({ kind, owner, edit }) =>
    (kind === "claimed" || edit?.of === "lock") && owner !== null ? [owner] : [],
  );
  return claims.length ? [...new Set(claims)].join(", ") : null;
}

function Malformed({ job }: { job: JobInFull }) {
  return (
    <section>
      <h2>Malformed</h2>
      <Note kind="bad">
        The payload cannot be read: <Foreign text={job.malformed} maxLength={1_000} />. A conductor
        cannot claim a job whose payload it cannot read.
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
          <h3>First bytes of the payload, masked and escaped</h3>
          <pre class="payload" tabIndex={0}>
            <Foreign text={job.excerpt} maxLength={20_000} />
          </pre>
        </>
      )}
    </section>
  );
}

function Cuts({ job: { cuts, cut_count: count } }: { job: JobInFull }) {
  return (
    <section>
      <h2>Truncated values</h2>
      <p class="quiet">
        The payload is larger than what Canary stores. The largest values were truncated first.
      </p>
      <ul class="cuts">
        {cuts.map((cut) => (
          <li>
            <code>
              <Foreign text={cut.pointer || "the whole payload"} maxLength={300} />
            </code>
            : {keptOf(cut)}
          </li>
        ))}
      </ul>
      {count > cuts.length && (
        <p class="quiet">and {(count - cuts.length).toLocaleString("en")} more</p>
      )}
    </section>
  );
}

function keptOf({ kept, size }: JobInFull["cuts"][number]): string {
  const of = size === null ? "" : ` of ${size.toLocaleString("en")}`;
  return `${kept.toLocaleString("en")}${of} kept`;
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
        {isCut && <span class="quiet">truncated; Canary does not store all of it</span>}
      </div>
      <pre class="payload" tabIndex={0}>
        {excerpt.text}
        {excerpt.isCut && "\n…"}
      </pre>
      {excerpt.isCut && (
        <button type="button" class="small" onClick={() => setWhole(true)}>
          Show all
        </button>
      )}
    </section>
  );
}
