// The view of one board: its freshness, counts and charts, its jobs, conductors and gaps.
import { useEffect } from "preact/hooks";
import * as api from "../api/client";
import { valueOf, withValue } from "../model/address";
import { holdersAfter } from "../model/holders";
import { duration } from "../model/times";
import {
  ClockNote,
  Completeness,
  Failure,
  Foreign,
  FreshnessBadge,
  Loading,
  LoadingView,
  Note,
  Timer,
} from "../parts/words";
import { usePolling } from "../state/polling";
import { boards, windowSeconds, type ShownBoard } from "../state/boards";
import { onChanges } from "../state/changes";
import { failure, followOwnBoard, isLoaded } from "../state/live";
import { place, replaceQuery } from "../state/place";
import { Charts } from "./boardcharts";
import { JobsOf } from "./boardjobs";
import { ConductorTable } from "./conductors";
import { GapList } from "./gaps";

const WINDOWS = ["10m", "1h", "6h", "24h"];
const STEPS = 60;
/** A path that is safe in a command. Paths are from the URL, so anybody may have written them. */
const PLAIN = /^(\/[\w.~:@%+=,-]+)+$/;

export function BoardView() {
  const path = valueOf(place.value.query, "path") ?? "";
  const board = boards.value.get(path);
  const canary = usePolling("itself", api.canary, { interval: 60_000 });
  const isOwn = canary.answer?.jobboard === path;
  useEffect(() => (isOwn ? followOwnBoard(path) : undefined), [isOwn, path]);
  if (board) {
    return <Board board={board} isOwn={isOwn} />;
  }
  if (!isLoaded.value || isOwn || canary.answer === null) {
    return <LoadingView what="the board" error={failure.value ?? canary.error} />;
  }
  return (
    <main>
      <Note kind="bad">
        <p>
          <Foreign text={path} /> is not registered, or no worker has watched it yet.
        </p>
        {PLAIN.test(path) && <pre>canary-producer add {path}</pre>}
        <p>
          The board appears here as soon as a worker watches it. <a href="#/">All boards</a>
        </p>
      </Note>
    </main>
  );
}

function Board({ board, isOwn }: { board: ShownBoard; isOwn: boolean }) {
  const { path } = board;
  const { query } = place.value;
  const window = valueOf(query, "window") ?? "10m";
  const series = usePolling(
    `series ${path} ${window}`,
    (signal) =>
      api.series(
        [
          ["path", path],
          ["window", window],
          ["steps", String(STEPS)],
        ],
        signal,
      ),
    { interval: 10_000, minPause: 2_000 },
  );
  const conductors = usePolling(
    `conductors ${path}`,
    (signal) => api.conductors([["path", path]], signal),
    {
      interval: 10_000,
      minPause: 1_000,
      applyChange: holdersAfter,
    },
  );
  const { refetch: refetchSeries } = series;
  const { refetch: refetchConductors } = conductors;
  const gaps = usePolling(`gaps ${path}`, (signal) => api.gaps([["path", path]], signal), {
    interval: 30_000,
  });
  useEffect(
    () =>
      onChanges((changes) => {
        if (changes.some((change) => change.path === path)) {
          refetchSeries();
          refetchConductors();
        }
      }),
    [path, refetchSeries, refetchConductors],
  );
  const [ownSeries] = series.answer ?? [];
  return (
    <main>
      <div class="head">
        <h1>
          <Foreign text={path} />
        </h1>
        <FreshnessBadge board={board} />
        <Completeness board={board} />
        {isOwn && <span class="badge">Canary’s own board</span>}
      </div>
      <StaleNote board={board} />
      <ClockNote boards={[board]} />
      {board.trash_collisions > 0 && (
        <Note kind="busy">
          {board.trash_collisions === 1
            ? "One claimed job cannot be moved to the trash, because the trash already has a job with the same number and another UUID."
            : `${board.trash_collisions} claimed jobs cannot be moved to the trash, because the trash already has jobs with the same numbers and other UUIDs.`}{" "}
          If TaskFlow tries to trash such a job, the job stays claimed for ever. Delete the old{" "}
          {board.trash_collisions === 1 ? "job" : "jobs"} from the trash, and give each board its
          own parent znode.
        </Note>
      )}
      <Tiles board={board} />
      <div class="choices" role="group" aria-label="Window of the charts">
        {WINDOWS.map((each) => (
          <button
            type="button"
            class="toggle"
            aria-pressed={each === window}
            onClick={() => replaceQuery(withValue(query, "window", each))}
          >
            {each}
          </button>
        ))}
      </div>
      <Failure error={series.error} />
      <Charts series={ownSeries} since={board.watched_since} />
      <JobsOf path={path} />
      <section>
        <h2>Conductors</h2>
        <Failure error={conductors.error} />
        {conductors.answer ? (
          <ConductorTable conductors={conductors.answer} withPath={false} />
        ) : (
          <Loading what="conductors" />
        )}
      </section>
      <section>
        <h2>Gaps</h2>
        <Failure error={gaps.error} />
        <GapList gaps={gaps.answer} withPath={false} />
      </section>
    </main>
  );
}

/** A note that says how far the view of a board can be trusted, if the board is not live. */
function StaleNote({ board: { freshness } }: { board: ShownBoard }) {
  if (freshness === "live" || freshness === "catching_up") {
    return null;
  }
  if (freshness === "missing") {
    return (
      <Note kind="busy">
        This board does not exist in ZooKeeper. TaskFlow creates it when it first connects, and then
        it is shown here. Check that the path is right.
      </Note>
    );
  }
  return (
    <Note kind="busy">
      Below is the state when the board was last seen. It may have changed since.
    </Note>
  );
}

function Tiles({ board }: { board: ShownBoard }) {
  const tiles = [
    ["unclaimed", "Unclaimed", board.unclaimed],
    ["claimed", "Claimed", board.claimed],
    ["ended", `Ended, last ${duration(windowSeconds.value)}`, board.ended],
  ] as const;
  return (
    <ul class="tiles">
      {tiles.map(([tile, words, value]) => (
        <li data-tile={tile}>
          <strong>{value.toLocaleString("en")}</strong> {words}
        </li>
      ))}
      <li>
        <strong>
          <Timer from={board.longestWaitFrom} />
        </strong>{" "}
        Longest wait
      </li>
      <li data-tile="longest-claim">
        <strong>
          <Timer from={board.longestClaimFrom} />
        </strong>{" "}
        Longest claim
      </li>
      <li>
        <strong>{board.per_minute.posted.toFixed(1)}</strong> Posted per minute
      </li>
      <li>
        <strong>{board.per_minute.ended.toFixed(1)}</strong> Ended per minute
      </li>
    </ul>
  );
}
