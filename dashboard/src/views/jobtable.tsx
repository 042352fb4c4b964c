// A board's jobs: thousands of rows, updated in place. What is new while somebody reads further down
// waits behind a button, so that nothing moves under their eyes.
import { useSignal } from "@preact/signals";
import { useCallback, useMemo, useRef, useState } from "preact/hooks";
import { jobAt } from "../model/address";
import { Calm } from "../model/calm";
import { COLUMNS, gridOf, type Column, type Order } from "../model/columns";
import type { Filter } from "../model/filters";
import type { Row } from "../model/moves";
import { attributesOf, LongList, type Standing } from "../parts/longlist";
import { memo } from "../parts/memo";
import { Foreign, Since, StateBadge, Timer } from "../parts/words";
import type { Jobs } from "../state/jobs";
import { now } from "../state/connection";
import { go } from "../state/place";
import { times } from "../state/settings";
import { Unfolded } from "./unfolded";

const ROW = 34; // pixels
const UNFOLDED = 168; // more pixels of a row that is unfolded
const TOP = 20; // pixels of scrolling up to which a list is at its top

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

  const [calm] = useState(() => new Calm());
  const isAtTop = useSignal(true);
  const shown = useMemo(
    () => calm.rows(all, isAtTop.value, rows.extent),
    [calm, all, isAtTop.value, rows.extent],
  );
  const waiting = all.length - shown.length;

  const heightOf = useCallback(
    ({ key }: Row) => (key === unfolded ? ROW + UNFOLDED : ROW),
    [unfolded],
  );
  const select = useCallback((key: string) => (selected.value = key), [selected]);
  const { grid, least } = gridOf(columns, times.value === "exact");
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
      row={(row, key, standing) => (
        <JobRow
          key={key}
          row={row}
          columns={columns}
          standing={standing}
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
      onScroll={(top) => (isAtTop.value = top <= TOP)}
      style={{ "--grid": grid, "--least": `${least}rem` }}
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
  standing: Standing;
  isUnfolded: boolean;
  isLeaving: boolean;
  select: (key: string) => void;
  narrow: (filter: Filter) => void;
}

function JobRow(properties: RowProperties) {
  const { row, columns, standing, isUnfolded, isLeaving, narrow } = properties;
  const classes = [standing.isSelected && "selected", isLeaving && "leaving"]
    .filter(Boolean)
    .join(" ");
  return (
    <div
      class={`row ${classes}`}
      {...attributesOf(standing)}
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

// Where rows are added above, this one moves and is otherwise the same.
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
          <Foreign text={row.name ?? row.znode} most={200} />
        </a>
      );
    case "uuid":
      return <Foreign text={row.uuid} most={64} />;
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
          <Foreign text={row.owner} most={120} />
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
