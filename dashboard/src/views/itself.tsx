// Canary itself: its own board, its workers, who watches what, and what it has missed.
import { useEffect } from "preact/hooks";
import * as api from "../api/client";
import type { Worker } from "../api/types";
import { boardAt } from "../model/address";
import { duration } from "../model/times";
import { Completeness, Failure, Foreign, FreshnessBadge, Loading, Since } from "../parts/words";
import { useAsked } from "../state/asked";
import { boards, type Shown } from "../state/boards";
import { lags, onGap } from "../state/changes";
import { followOwn } from "../state/live";
import { GapList } from "./gaps";

export function ItselfView() {
  const { answer, error } = useAsked("itself", api.itself, { interval: 2_000 });
  const gaps = useAsked("all gaps", (signal) => api.gaps([], signal), { interval: 30_000 });
  const { again } = gaps;
  useEffect(() => onGap(again), [again]);
  const own = answer?.jobboard;
  useEffect(() => (own === undefined ? undefined : followOwn(own)), [own]);
  if (!answer) {
    return (
      <main>
        <Failure error={error} />
        {error === null && <Loading what="Canary" />}
      </main>
    );
  }
  const all = [...boards.value.values()].filter(({ path }) => path !== own);
  const ownBoard = own === undefined ? undefined : boards.value.get(own);
  return (
    <main>
      <div class="head">
        <h1>Canary</h1>
        <p class="quiet sum">version {answer.version}</p>
      </div>
      <Failure error={error} />
      <Lag />
      <section>
        <h2>Its own board</h2>
        {ownBoard ? <OwnBoard board={ownBoard} /> : <p class="quiet">No worker watches it.</p>}
      </section>
      <section>
        <h2>Workers</h2>
        {answer.workers.length === 0 ? (
          <p class="empty">
            No worker has been seen. Start one: <code>canary-worker</code>
          </p>
        ) : (
          <Workers workers={answer.workers} />
        )}
      </section>
      <section>
        <h2>Who watches what</h2>
        <Watched boards={all} />
      </section>
      <section>
        <h2>Gaps of all boards</h2>
        <GapList gaps={gaps.answer} withPath />
      </section>
    </main>
  );
}

function Lag() {
  const sorted = [...lags.value].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? null;
  const milliseconds = (seconds: number | null) =>
    seconds === null ? "–" : `${(seconds * 1000).toFixed(0)} ms`;
  return (
    <ul class="tiles">
      <li>
        <strong>{milliseconds(at(0.5))}</strong> Watch lag, median
      </li>
      <li>
        <strong>{milliseconds(at(0.99))}</strong> 99th percentile
      </li>
      <li>
        <strong>{sorted.length}</strong> Changes measured since this page was opened
      </li>
    </ul>
  );
}

function OwnBoard({ board }: { board: Shown }) {
  return (
    <p>
      <a href={boardAt(board.path)}>
        <Foreign text={board.path} />
      </a>{" "}
      <FreshnessBadge board={board} /> {board.claimed} watch jobs claimed, {board.unclaimed} free;
      watched by <Foreign text={board.watcher} />
    </p>
  );
}

function Workers({ workers }: { workers: readonly Worker[] }) {
  return (
    <div class="wide" tabIndex={0} role="region" aria-label="Workers">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Worker</th>
            <th scope="col">Alive</th>
            <th scope="col">Since</th>
            <th scope="col">Boards</th>
            <th scope="col">Behind</th>
            <th scope="col">Compared</th>
            <th scope="col">Differences</th>
            <th scope="col">Last checkpoint</th>
          </tr>
        </thead>
        <tbody>
          {workers.map((worker) => (
            <tr key={worker.name} class={worker.alive ? "" : "orphan"}>
              <td>
                <Foreign text={worker.name} />
              </td>
              <td>
                {worker.alive ? (
                  <span class="badge good">● alive</span>
                ) : (
                  <span class="badge bad">
                    ✕ last seen <Since iso={worker.seen_at} />
                  </span>
                )}
              </td>
              <td>
                <Since iso={worker.started_at} />
              </td>
              <td class="figure">{worker.boards}</td>
              <td class="figure">{worker.behind}</td>
              <td class="figure">{worker.reconciled}</td>
              <td class="figure">{worker.drift}</td>
              <td>{checkpoint(worker)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function checkpoint({ checkpoints }: Worker) {
  if (checkpoints === null) {
    return <span class="quiet">Cassandra is off</span>;
  }
  return (
    <>
      <Since iso={checkpoints.oldest} />{" "}
      <span class={checkpoints.failed ? "bad" : "quiet"}>
        ({checkpoints.written} written, {checkpoints.failed} failed, every{" "}
        {duration(checkpoints.interval)})
      </span>
    </>
  );
}

function Watched({ boards: all }: { boards: readonly Shown[] }) {
  const sorted = [...all].sort((a, b) => (a.watcher ?? "").localeCompare(b.watcher ?? ""));
  return (
    <div class="wide" tabIndex={0} role="region" aria-label="Boards and their watchers">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Board</th>
            <th scope="col">Watcher</th>
            <th scope="col">Freshness</th>
            <th scope="col">Seen</th>
            <th scope="col">Changes</th>
            <th scope="col">Differences</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((board) => (
            <tr key={board.path}>
              <td>
                <a href={boardAt(board.path)}>
                  <Foreign text={board.path} />
                </a>
              </td>
              <td>
                <Foreign text={board.watcher} />
              </td>
              <td>
                <FreshnessBadge board={board} />
              </td>
              <td>
                <Completeness board={board} />
              </td>
              <td class="figure">{board.revision.toLocaleString("en")}</td>
              <td class="figure">{board.drift}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
