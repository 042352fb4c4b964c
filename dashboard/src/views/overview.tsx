// All boards, those first that need a look.
import { useSignal } from "@preact/signals";
import { useCallback, useMemo, useRef } from "preact/hooks";
import * as api from "../api/client";
import type { Conductor, Series } from "../api/types";
import { boardAt, valueOf, withValue } from "../model/address";
import { byUrgency } from "../model/attention";
import { attributesOf, LongList, type Standing } from "../parts/longlist";
import { isNarrow } from "../parts/narrow";
import { Sparkline } from "../parts/sparkline";
import { Completeness, Failure, Foreign, FreshnessBadge, Loading, Timer } from "../parts/words";
import { useAsked } from "../state/asked";
import { boards, type Shown } from "../state/boards";
import { failure, isLoaded } from "../state/live";
import { go, place, refine } from "../state/place";

const ROW = 44; // pixels
const NARROW = 106; // pixels of a row on a phone, which has four lines
const STEPS = 30;
const COLUMNS = [
  ...["Board", "Freshness", "Seen", "Unclaimed", "Claimed", "Ended"],
  ...["Per minute", "Oldest waits", "Conductors"],
];

export function Overview() {
  const search = valueOf(place.value.query, "q") ?? "";
  const series = useAsked(
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
      least: 5_000,
    },
  );
  const conductors = useAsked("conductors", (signal) => api.conductors([], signal), {
    interval: 10_000,
    least: 5_000,
  });
  const known = useMemo(() => countOf(conductors.answer ?? []), [conductors.answer]);
  const bySeries = useMemo(
    () => new Map((series.answer ?? []).map((each) => [each.path, each])),
    [series.answer],
  );
  const all = [...boards.value.values()].filter((board) => board.registered);
  const found = byUrgency(
    all.filter((board) => board.path.toLowerCase().includes(search.toLowerCase())),
    known.orphans,
  );

  if (!isLoaded.value) {
    return failure.value === null ? <Loading what="boards" /> : <Failure error={failure.value} />;
  }
  return (
    <main>
      <div class="head">
        <h1>Boards</h1>
        <Sum boards={all} />
        <label class="search">
          <span class="unseen">Find boards by path</span>
          <input
            type="search"
            data-search
            placeholder="Find boards  ( / )"
            value={search}
            onInput={(event) =>
              refine(withValue(place.value.query, "q", event.currentTarget.value || null))
            }
          />
        </label>
      </div>
      <Failure error={series.error ?? conductors.error} />
      {all.length === 0 ? (
        <Nothing />
      ) : found.length === 0 ? (
        <p class="empty">No board’s path has “{search}” in it.</p>
      ) : (
        <Boards boards={found} series={bySeries} alive={known.alive} orphans={known.orphans} />
      )}
    </main>
  );
}

function Sum({ boards: all }: { boards: readonly Shown[] }) {
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

function Nothing() {
  return (
    <section class="empty">
      <h2>Nothing is registered yet</h2>
      <p>Tell Canary which jobboards to watch, by their paths in ZooKeeper:</p>
      <pre>canary-producer add /taskflow/jobs</pre>
      <p>
        The board appears here as soon as a <code>canary-worker</code> watches it. Is none running?{" "}
        <code>canary doctor</code> says what is missing.
      </p>
    </section>
  );
}

function countOf(conductors: readonly Conductor[]) {
  const alive = new Map<string, number>();
  const orphans = new Map<string, number>();
  for (const { path, alive: isAlive, holds } of conductors) {
    const counts = isAlive ? alive : orphans;
    counts.set(path, (counts.get(path) ?? 0) + (isAlive ? 1 : holds.length));
  }
  return { alive, orphans };
}

interface ListProperties {
  boards: readonly Shown[];
  series: ReadonlyMap<string, Series>;
  alive: ReadonlyMap<string, number>;
  orphans: ReadonlyMap<string, number>;
}

const pathOf = ({ path }: Shown) => path;

function Boards({ boards: shown, series, alive, orphans }: ListProperties) {
  const scroller = useRef<HTMLDivElement>(null);
  const selected = useSignal<string | null>(null);
  const height = isNarrow.value ? NARROW : ROW;
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
            <span role="columnheader">{name}</span>
          ))}
          <span role="columnheader" class="drawn">
            Changes
          </span>
        </>
      }
      row={(board, path, standing) => (
        <BoardRow
          key={path}
          board={board}
          standing={standing}
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
  board: Shown;
  standing: Standing;
  series: Series | undefined;
  alive: number;
  orphans: number;
}

function BoardRow({ board, standing, series, alive, orphans }: RowProperties) {
  const { posted, ended } = board.per_minute;
  return (
    <div
      class={`row ${standing.isSelected ? "selected" : ""} ${board.freshness === "live" ? "" : "stale"}`}
      {...attributesOf(standing)}
      data-path={board.path}
    >
      <span role="cell" class="path">
        <a href={boardAt(board.path)}>
          <Foreign text={board.path} />
        </a>
      </span>
      <span role="cell">
        <FreshnessBadge board={board} />
      </span>
      <span role="cell">
        <Completeness board={board} />
      </span>
      <Figure name="unclaimed" value={board.unclaimed} />
      <Figure name="claimed" value={board.claimed} />
      <Figure name="ended" value={board.ended} />
      <span role="cell" class="figure spare">
        +{round(posted)} −{round(ended)}
      </span>
      <span role="cell" class="figure" data-figure="oldest">
        <Timer from={board.oldestFrom} />
      </span>
      <span role="cell" class="figure spare">
        {alive}
        {orphans > 0 && (
          <strong class="bad" title="claims that no living conductor has">
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
