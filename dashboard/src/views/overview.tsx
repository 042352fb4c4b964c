// The view of all boards. Those that need attention come first.
import { useSignal } from "@preact/signals";
import { useCallback, useMemo, useRef } from "preact/hooks";
import * as api from "../api/client";
import type { Conductor, Series } from "../api/types";
import { boardAt, valueOf, withValue } from "../model/address";
import { byUrgency } from "../model/attention";
import { attributesOf, LongList, type RowPosition } from "../parts/longlist";
import { isNarrow } from "../parts/narrow";
import { Sparkline } from "../parts/sparkline";
import {
  ClockNote,
  Completeness,
  Failure,
  FreshnessBadge,
  LoadingView,
  Name,
  Timer,
} from "../parts/words";
import { usePolling } from "../state/polling";
import { boards, type ShownBoard } from "../state/boards";
import { failure, isLoaded } from "../state/live";
import { go, place, replaceQuery } from "../state/place";

const ROW = 44; // pixels
const NARROW_ROW = 106; // pixels of a row on a phone, which has four lines
const STEPS = 30;
const COLLISION =
  "Claimed jobs that cannot be moved to the trash, because the trash already has jobs with the same numbers. If TaskFlow tries, they stay claimed.";
const LONGEST = "Longest claim";
const COLUMNS = [
  ...["Board", "Freshness", "Completeness", "Unclaimed", "Claimed", "Ended"],
  ...["Per minute", "Longest wait", LONGEST, "Conductors"],
];

export function Overview() {
  const search = valueOf(place.value.query, "q") ?? "";
  const series = usePolling(
    "series",
    (signal) =>
      api.series(
        [
          ["window", "10m"],
          ["steps", String(STEPS)],
        ],
        signal,
      ),
    {
      interval: 15_000,
      minPause: 5_000,
    },
  );
  const conductors = usePolling("conductors", (signal) => api.conductors([], signal), {
    interval: 10_000,
    minPause: 5_000,
  });
  const counts = useMemo(() => countConductors(conductors.answer ?? []), [conductors.answer]);
  const bySeries = useMemo(
    () => new Map((series.answer ?? []).map((each) => [each.path, each])),
    [series.answer],
  );
  const all = [...boards.value.values()].filter((board) => board.registered);
  const found = byUrgency(
    all.filter((board) => board.path.toLowerCase().includes(search.toLowerCase())),
    counts.orphans,
  );

  if (!isLoaded.value) {
    return <LoadingView what="boards" error={failure.value} />;
  }
  return (
    <main>
      <div class="head">
        <h1>Boards</h1>
        <Totals boards={all} />
        <label class="search">
          <span class="unseen">Find boards by path</span>
          <input
            type="search"
            data-search
            placeholder="Find boards  ( / )"
            value={search}
            onInput={(event) =>
              replaceQuery(withValue(place.value.query, "q", event.currentTarget.value || null))
            }
          />
        </label>
      </div>
      <Failure error={series.error ?? conductors.error} />
      <ClockNote boards={all} />
      {all.length === 0 ? (
        <NoBoards />
      ) : found.length === 0 ? (
        <p class="empty">No board path contains “{search}”.</p>
      ) : (
        <Boards boards={found} series={bySeries} alive={counts.alive} orphans={counts.orphans} />
      )}
    </main>
  );
}

function Totals({ boards: all }: { boards: readonly ShownBoard[] }) {
  const unclaimed = all.reduce((sum, board) => sum + board.unclaimed, 0);
  const claimed = all.reduce((sum, board) => sum + board.claimed, 0);
  const stale = all.filter((board) => board.freshness !== "live").length;
  return (
    <p class="quiet sum">
      {all.length === 1 ? "1 board" : `${all.length} boards`}, {unclaimed} unclaimed and {claimed}{" "}
      claimed jobs
      {stale > 0 && <strong class="bad">, {stale} not live</strong>}
    </p>
  );
}

function NoBoards() {
  return (
    <section class="empty">
      <h2>Nothing is registered yet</h2>
      <p>Tell Canary which jobboards to watch, by their paths in ZooKeeper:</p>
      <pre>canary-producer add /taskflow/jobs</pre>
      <p>
        The board appears here as soon as a <code>canary-worker</code> watches it. If no worker is
        running, <code>canary doctor</code> says what is missing.
      </p>
    </section>
  );
}

function countConductors(conductors: readonly Conductor[]) {
  const alive = new Map<string, number>();
  const orphans = new Map<string, number>();
  for (const one of conductors) {
    if (one.alive === null) {
      continue; // the holder is not known
    }
    // If the session is alive, its owner counts as a conductor, registered or not.
    const counts = one.alive ? alive : orphans;
    counts.set(one.path, (counts.get(one.path) ?? 0) + (one.alive ? 1 : one.holds.length));
  }
  return { alive, orphans };
}

interface ListProperties {
  boards: readonly ShownBoard[];
  series: ReadonlyMap<string, Series>;
  alive: ReadonlyMap<string, number>;
  orphans: ReadonlyMap<string, number>;
}

const pathOf = ({ path }: ShownBoard) => path;

function Boards({ boards: shown, series, alive, orphans }: ListProperties) {
  const scroller = useRef<HTMLDivElement>(null);
  const selected = useSignal<string | null>(null);
  const height = isNarrow.value ? NARROW_ROW : ROW;
  return (
    <LongList
      kind="boards"
      label="Boards"
      entries={shown}
      keyOf={pathOf}
      heightOf={useCallback(() => height, [height])}
      header={
        <>
          {COLUMNS.map((name) => (
            <span role="columnheader" class={name === LONGEST ? "drawn" : undefined}>
              {name}
            </span>
          ))}
          <span role="columnheader" class="drawn">
            Changes
          </span>
        </>
      }
      row={(board, path, position) => (
        <BoardRow
          key={path}
          board={board}
          position={position}
          series={series.get(path)}
          alive={alive.get(path) ?? 0}
          orphans={orphans.get(path) ?? 0}
        />
      )}
      selected={selected}
      open={({ path }) => go(boardAt(path))}
      scroller={scroller}
    />
  );
}

interface RowProperties {
  board: ShownBoard;
  position: RowPosition;
  series: Series | undefined;
  alive: number;
  orphans: number;
}

function BoardRow({ board, position, series, alive, orphans }: RowProperties) {
  const { posted, ended } = board.per_minute;
  return (
    <div
      class={`row ${position.isSelected ? "selected" : ""} ${board.freshness === "live" ? "" : "stale"}`}
      {...attributesOf(position)}
      data-path={board.path}
    >
      <span role="cell" class="path">
        <a href={boardAt(board.path)}>
          <Name text={board.path} />
        </a>
      </span>
      <span role="cell">
        <FreshnessBadge board={board} />
      </span>
      <span role="cell">
        <Completeness board={board} />
      </span>
      <Figure name="unclaimed" value={board.unclaimed} />
      <span role="cell" class="figure" data-figure="claimed">
        {board.claimed.toLocaleString("en")}
        {board.trash_collisions > 0 && (
          <strong class="bad" title={COLLISION}>
            {" "}
            ⚠ {board.trash_collisions}
          </strong>
        )}
      </span>
      <Figure name="ended" value={board.ended} />
      <span role="cell" class="figure spare">
        +{round(posted)} −{round(ended)}
      </span>
      <span role="cell" class="figure" data-figure="oldest">
        <Timer from={board.longestWaitFrom} />
      </span>
      <span role="cell" class="figure spare drawn" data-figure="longest claim">
        <Timer from={board.longestClaimFrom} />
      </span>
      <span role="cell" class="figure spare">
        {alive}
        {orphans > 0 && (
          <strong class="bad" title="claims without a ZooKeeper session">
            {" "}
            ⚠ {orphans} orphaned
          </strong>
        )}
      </span>
      <span role="cell" class="spare drawn">
        <Sparkline series={series} />
      </span>
    </div>
  );
}

function Figure({ name, value }: { name: string; value: number }) {
  return (
    <span role="cell" class="figure" data-figure={name}>
      {value.toLocaleString("en")}
    </span>
  );
}

function round(rate: number): string {
  return rate >= 10 ? rate.toFixed(0) : rate.toFixed(1);
}
