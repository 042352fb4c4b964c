// One board: how it fares, its jobs, its conductors, and what was not seen.
import { useEffect } from "preact/hooks";
import * as api from "../api/client";
import { valueOf, withValue } from "../model/address";
import { holdersAfter } from "../model/holders";
import { duration } from "../model/times";
import {
  Completeness,
  Failure,
  Foreign,
  FreshnessBadge,
  Loading,
  Note,
  Timer,
} from "../parts/words";
import { useAsked } from "../state/asked";
import { boards, interval, type Shown } from "../state/boards";
import { onChanges } from "../state/changes";
import { followOwn, isLoaded } from "../state/live";
import { place, refine } from "../state/place";
import { Charts } from "./boardcharts";
import { JobsOf } from "./boardjobs";
import { ConductorTable } from "./conductors";
import { GapList } from "./gaps";

const WINDOWS = ["10m", "1h", "6h", "24h"];
const STEPS = 60;
/** A path that may be shown as a word of a command: anybody can write one into an address. */
const PLAIN = /^(\/[\w.~:@%+=,-]+)+$/;

export function BoardView() {
  const path = valueOf(place.value.query, "path") ?? "";
  const board = boards.value.get(path);
  const itself = useAsked("itself", api.itself, { interval: 60_000 });
  const isOwn = itself.answer?.jobboard === path;
  useEffect(() => (isOwn ? followOwn(path) : undefined), [isOwn, path]);
  if (board) {
    return <Board board={board} isOwn={isOwn} />;
  }
  if (!isLoaded.value || isOwn || itself.answer === null) {
    return <Loading what="the board" />;
  }
  return (
    <main>
      <Note kind="bad">
        <p>
          No worker has watched <Foreign text={path} /> yet, or nobody registered it.
        </p>
        {PLAIN.test(path) && <pre>canary-producer add {path}</pre>}
        <p>
          It appears here as soon as it is watched. <a href="#/">All boards</a>
        </p>
      </Note>
    </main>
  );
}

function Board({ board, isOwn }: { board: Shown; isOwn: boolean }) {
  const { path } = board;
  const { query } = place.value;
  const window = valueOf(query, "window") ?? "10m";
  const series = useAsked(
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
    { interval: 10_000, least: 2_000 },
  );
  const conductors = useAsked(
    `conductors ${path}`,
    (signal) => api.conductors([["path", path]], signal),
    {
      interval: 10_000,
      least: 1_000,
      after: holdersAfter,
    },
  );
  const { again: againSeries } = series;
  const { again: againConductors } = conductors;
  const gaps = useAsked(`gaps ${path}`, (signal) => api.gaps([["path", path]], signal), {
    interval: 30_000,
  });
  useEffect(
    () =>
      onChanges((changes) => {
        if (changes.some((change) => change.path === path)) {
          againSeries();
          againConductors();
        }
      }),
    [path, againSeries, againConductors],
  );
  const [course] = series.answer ?? [];
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
      <Staleness board={board} />
      <Tiles board={board} />
      <div class="choices" role="group" aria-label="Window of the charts">
        {WINDOWS.map((each) => (
          <button
            type="button"
            class="toggle"
            aria-pressed={each === window}
            onClick={() => refine(withValue(query, "window", each))}
          >
            {each}
          </button>
        ))}
      </div>
      <Failure error={series.error} />
      <Charts series={course} since={board.watched_since} />
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

/** What to think of a page about a board that is not live. */
function Staleness({ board: { freshness } }: { board: Shown }) {
  if (freshness === "live" || freshness === "catching_up") {
    return null;
  }
  if (freshness === "missing") {
    return (
      <Note kind="busy">
        There is no such board in ZooKeeper. It is shown as soon as there is: TaskFlow makes it when
        it first connects. Is its path right?
      </Note>
    );
  }
  return (
    <Note kind="busy">
      What is shown below was so when the board was last seen. It may be otherwise now.
    </Note>
  );
}

function Tiles({ board }: { board: Shown }) {
  const tiles = [
    ["unclaimed", "Unclaimed", board.unclaimed],
    ["claimed", "Claimed", board.claimed],
    ["ended", `Ended, last ${duration(interval.value)}`, board.ended],
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
          <Timer from={board.oldestFrom} />
        </strong>{" "}
        Oldest waits
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
