// The columns of a table of jobs: what they show and how they sort.
import type { Row } from "./moves";

export type Column =
  "state" | "name" | "uuid" | "owner" | "posted_at" | "waiting" | "running" | "claims" | "since";

export const COLUMNS: Record<Column, string> = {
  state: "State",
  name: "Name",
  uuid: "UUID",
  owner: "Owner",
  posted_at: "Posted",
  waiting: "Waiting",
  running: "Running",
  claims: "Claims",
  since: "Since",
};

export const DEFAULT: readonly Column[] = [
  "state",
  "name",
  "uuid",
  "owner",
  "posted_at",
  "waiting",
  "running",
];

export function isColumn(name: string): name is Column {
  return Object.hasOwn(COLUMNS, name);
}

export interface Order {
  column: Column;
  isDescending: boolean;
}

export function orderFrom(text: string | null): Order {
  const name = (text ?? "").replace(/^-/, "");
  return isColumn(name)
    ? { column: name, isDescending: text?.startsWith("-") ?? false }
    : { column: "posted_at", isDescending: true };
}

function valueOf(row: Row, column: Column, now: number): string | number | null {
  switch (column) {
    case "waiting":
      return row.waitingFrom === null ? row.waiting : (now - row.waitingFrom) / 1000;
    case "running":
      return row.runningFrom === null ? row.running : (now - row.runningFrom) / 1000;
    case "posted_at":
      return row.postedAt;
    case "since":
      return row.sinceAt;
    default:
      return row[column];
  }
}

/** Sort rows; what has no value comes last either way, equal ones by when they were posted. */
export function sorted(rows: Iterable<Row>, { column, isDescending }: Order, now: number): Row[] {
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const one = valueOf(a, column, now);
    const other = valueOf(b, column, now);
    if (one !== other) {
      if (one === null) {
        return 1;
      }
      if (other === null) {
        return -1;
      }
      return one < other ? -sign : sign;
    }
    return a.key < b.key ? 1 : a.key > b.key ? -1 : 0;
  });
}
