// The table of a board's jobs: thousands of rows, updated in place. While the user has scrolled
// down, new rows wait behind a button, so that the other rows do not move.
import { useSignal } from "@preact/signals";
import { useCallback, useMemo, useRef, useState } from "preact/hooks";
import { jobAt } from "../model/address";
import { StableList } from "../model/stablelist";
import { COLUMNS, gridOf, type Column, type Order } from "../model/columns";
import type { Filter } from "../model/filters";
import type { Row } from "../model/moves";
import { attributesOf, LongList, type RowPosition } from "../parts/longlist";
import { memo } from "../parts/memo";
import { Name, Since, StateBadge, Timer } from "../parts/words";
import type { Jobs } from "../state/jobs";
import { now } from "../state/connection";
import { go } from "../state/place";
import { times } from "../state/settings";
import { Unfolded } from "./unfolded";

const ROW = 34; // pixels
const UNFOLDED_EXTRA = 168; // pixels that an unfolded row is higher
const TOP_ZONE = 20; // pixels; a list that is scrolled no further counts as at its top

interface Properties {
  jobs: Jobs;
  columns: readonly Column[];
  order: Order;
  sort: (order: Order) => void;
  narrow: (filter: Filter) => void;
}

export function JobTable({ jobs, columns, order, sort, narrow }: Properties) {
  const scroller = useRef<HTMLDivElement>(null);
  const selected = useSignal<string | null>(null);
  const [unfolded, unfold] = useState<string | null>(null);
  const rows = jobs.rows.value;
  const isTimed = order.column === "waiting" || order.column === "running";
  const moment = isTimed ? now.value : 0;
  const all = rows.all.sorted(order, moment);

  const [stable] = useState(() => new StableList());
  const isAtTop = useSignal(true);
  const shown = useMemo(
    () => stable.rows(all, isAtTop.value, rows.limit),
    [stable, all, isAtTop.value, rows.limit],
  );
  const waiting = all.length - shown.length;

  const heightOf = useCallback(
    ({ key }: Row) => (key === unfolded ? ROW + UNFOLDED_EXTRA : ROW),
    [unfolded],
  );
  const select = useCallback((key: string) => (selected.value = key), [selected]);
  const { grid, minWidth } = gridOf(columns, times.value === "exact");
  return (
    <LongList
      kind="jobs"
      label="Jobs"
      entries={shown}
      keyOf={keyOf}
      heightOf={heightOf}
      header={columns.map((column) => (
        <span
          role="columnheader"
          aria-sort={
            order.column !== column ? "none" : order.isDescending ? "descending" : "ascending"
          }
        >
          <button
            type="button"
            onClick={() =>
              sort({ column, isDescending: order.column === column && !order.isDescending })
            }
          >
            {COLUMNS[column]}
            <span aria-hidden="true">
              {order.column === column && (order.isDescending ? " ↓" : " ↑")}
            </span>
          </button>
        </span>
      ))}
      row={(row, key, position) => (
        <JobRow
          key={key}
          row={row}
          columns={columns}
          position={position}
          isUnfolded={unfolded === key}
          isLeaving={jobs.leaving.value.has(key)}
          select={select}
          narrow={narrow}
        />
      )}
      selected={selected}
      open={(row) => go(jobAt(row))}
      expand={(key) => unfold((open) => (open === key ? null : key))}
      scroller={scroller}
      onScroll={(top) => (isAtTop.value = top <= TOP_ZONE)}
      style={{ "--grid": grid, "--least": `${minWidth}rem` }}
    >
      {waiting > 0 && (
        <button type="button" class="news" onClick={() => scroller.current?.scrollTo({ top: 0 })}>
          ↑ {waiting} new
        </button>
      )}
    </LongList>
  );
}

const keyOf = ({ key }: Row) => key;

interface RowProperties {
  row: Row;
  columns: readonly Column[];
  position: RowPosition;
  isUnfolded: boolean;
  isLeaving: boolean;
  select: (key: string) => void;
  narrow: (filter: Filter) => void;
}

function JobRow(properties: RowProperties) {
  const { row, columns, position, isUnfolded, isLeaving, narrow } = properties;
  const classes = [position.isSelected && "selected", isLeaving && "leaving"]
    .filter(Boolean)
    .join(" ");
  return (
    <div
      class={`row ${classes}`}
      {...attributesOf(position)}
      onClick={() => properties.select(row.key)}
      data-uuid={row.uuid}
      data-state={row.state}
    >
      <Cells row={row} columns={columns} narrow={narrow} />
      {isUnfolded && <Unfolded row={row} />}
    </div>
  );
}

type CellsProperties = Pick<RowProperties, "row" | "columns" | "narrow">;

// Memoized: if rows are added above, a row moves, but its cells stay the same.
const Cells = memo(({ row, columns, narrow }: CellsProperties) => (
  <>
    {columns.map((column) => (
      <span role="cell" class={`cell ${column}`}>
        <Cell row={row} column={column} narrow={narrow} />
      </span>
    ))}
  </>
));

function Cell({ row, column, narrow }: Pick<RowProperties, "row" | "narrow"> & { column: Column }) {
  switch (column) {
    case "state":
      return <StateBadge job={row} />;
    case "name":
      return (
        <a href={jobAt(row)}>
          <Name text={row.name ?? row.znode} />
        </a>
      );
    case "uuid":
      return <Name text={row.uuid} />;
    case "owner":
      return row.owner === null ? (
        <span class="quiet">–</span>
      ) : (
        <button
          type="button"
          class="plain"
          title="Only this owner’s jobs"
          onClick={() => narrow({ field: "owner", negated: false, value: row.owner ?? "" })}
        >
          <Name text={row.owner} />
        </button>
      );
    case "posted_at":
    case "since":
      return <Since iso={row[column]} />;
    case "waiting":
      return <Timer from={row.waitingFrom} spent={row.waiting} />;
    case "running":
      return <Timer from={row.runningFrom} spent={row.running} />;
    case "claims":
      return <>{row.claims ?? "–"}</>;
  }
}
