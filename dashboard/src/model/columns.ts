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

/** Those that a phone has room for. */
export const FEW: readonly Column[] = ["state", "name", "waiting", "running"];

const TIME = { least: 7, share: 1 };
const EXACT = { least: 12.5, share: 1 };
/** How wide a column is: in rem at least, and what share it takes of the room that is left. */
const WIDTHS: Record<Column, { least: number; share: number }> = {
  state: { least: 5.75, share: 1 },
  name: { least: 5, share: 1.5 },
  uuid: { least: 7, share: 1.2 },
  owner: { least: 7, share: 1.5 },
  posted_at: TIME,
  waiting: { least: 4, share: 0.6 },
  running: { least: 4, share: 0.6 },
  claims: { least: 4, share: 0.4 },
  since: TIME,
};
const GAP = 0.75; // rem between two columns, and at both ends

/** Return the columns as CSS's grid has them, and how wide all of them are at least, in rem. */
export function gridOf(columns: readonly Column[], isExact: boolean) {
  const widths = columns.map((column) =>
    isExact && WIDTHS[column] === TIME ? EXACT : WIDTHS[column],
  );
  return {
    grid: widths.map(({ least, share }) => `minmax(${least}rem, ${share}fr)`).join(" "),
    least: widths.reduce((sum, { least }) => sum + least + GAP, GAP),
  };
}

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

/** Return what compares two rows; what has no value comes last either way, of equal ones the one that
 * was posted later first. */
export function comparing({ column, isDescending }: Order, now: number) {
  const sign = isDescending ? -1 : 1;
  return (a: Row, b: Row): number => {
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
  };
}
