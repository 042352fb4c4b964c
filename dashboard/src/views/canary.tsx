// The view of Canary itself: its own board, its workers, the boards that they watch, and all gaps.
import { useEffect } from "preact/hooks";
import * as api from "../api/client";
import type { Worker } from "../api/types";
import { boardAt } from "../model/address";
import { duration } from "../model/times";
import { BOARD, PlainTable, type PlainColumn } from "../parts/plaintable";
import {
  Completeness,
  Failure,
  Foreign,
  FreshnessBadge,
  Loading,
  LoadingView,
  Since,
} from "../parts/words";
import { usePolling } from "../state/polling";
import { boards, type ShownBoard } from "../state/boards";
import { lags, onGap } from "../state/changes";
import { isLive } from "../state/connection";
import { followOwnBoard } from "../state/live";
import { GapList } from "./gaps";

export function CanaryView() {
  const { answer, error } = usePolling("itself", api.canary, { interval: 2_000 });
  const gaps = usePolling("all gaps", (signal) => api.gaps([], signal), { interval: 30_000 });
  const { refetch } = gaps;
  useEffect(() => onGap(refetch), [refetch]);
  const own = answer?.jobboard;
  useEffect(() => (own === undefined ? undefined : followOwnBoard(own)), [own]);
  if (!answer) {
    return <LoadingView what="Canary" error={error} />;
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
        <h2>Canary’s own board</h2>
        {ownBoard ? (
          <OwnBoard board={ownBoard} />
        ) : isLive.value ? (
          <p class="quiet">No worker has watched this board yet.</p>
        ) : (
          <Loading what="the board" />
        )}
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
        <h2>Boards and their watchers</h2>
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
        <strong>{milliseconds(at(0.5))}</strong> Delay until Canary sees a change, median
      </li>
      <li>
        <strong>{milliseconds(at(0.99))}</strong> Delay until Canary sees a change, 99th percentile
      </li>
      <li>
        <strong>{sorted.length}</strong> Changes measured since this page was opened
      </li>
    </ul>
  );
}

function OwnBoard({ board }: { board: ShownBoard }) {
  return (
    <p>
      <a href={boardAt(board.path)}>
        <Foreign text={board.path} />
      </a>{" "}
      <FreshnessBadge board={board} /> {board.claimed}{" "}
      {board.claimed === 1 ? "watch job" : "watch jobs"} claimed, {board.unclaimed} unclaimed;
      watched by <Foreign text={board.watcher} />
    </p>
  );
}

const WORKERS: readonly PlainColumn<Worker>[] = [
  { name: "Worker", cell: ({ name }) => <Foreign text={name} /> },
  {
    name: "Alive",
    cell: ({ alive, seen_at }) =>
      alive ? (
        <span class="badge good">● alive</span>
      ) : (
        <span class="badge bad">
          ✕ last seen <Since iso={seen_at} />
        </span>
      ),
  },
  { name: "Since", cell: ({ started_at }) => <Since iso={started_at} /> },
  { name: "Boards", isFigure: true, cell: ({ boards: count }) => count },
  {
    name: "Behind",
    meaning: "Boards with changes that are not stored yet",
    isFigure: true,
    cell: ({ behind }) => behind,
  },
  {
    name: "Compared",
    meaning: "How often a board was compared with ZooKeeper",
    isFigure: true,
    cell: ({ reconciled }) => reconciled,
  },
  {
    name: "Differences",
    meaning: "Differences from ZooKeeper that were found and repaired",
    isFigure: true,
    cell: ({ drift }) => drift,
  },
  { name: "Last checkpoint", cell: checkpoint },
];

function Workers({ workers }: { workers: readonly Worker[] }) {
  return (
    <PlainTable
      label="Workers"
      columns={WORKERS}
      rows={workers}
      keyOf={({ name }) => name}
      classOf={({ alive }) => (alive ? "" : "orphan")}
    />
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

const WATCHED: readonly PlainColumn<ShownBoard>[] = [
  BOARD,
  { name: "Watcher", cell: ({ watcher }) => <Foreign text={watcher} /> },
  { name: "Freshness", cell: (board) => <FreshnessBadge board={board} /> },
  { name: "Completeness", cell: (board) => <Completeness board={board} /> },
  {
    name: "Changes",
    meaning: "Number of changes recorded so far",
    isFigure: true,
    cell: ({ revision }) => revision.toLocaleString("en"),
  },
  {
    name: "Differences",
    meaning: "Differences from ZooKeeper that were found and repaired",
    isFigure: true,
    cell: ({ drift }) => drift,
  },
];

function Watched({ boards: all }: { boards: readonly ShownBoard[] }) {
  const sorted = [...all].sort((a, b) => (a.watcher ?? "").localeCompare(b.watcher ?? ""));
  return (
    <PlainTable
      label="Boards and their watchers"
      columns={WATCHED}
      rows={sorted}
      keyOf={({ path }) => path}
    />
  );
}
