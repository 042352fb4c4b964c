// The columns of the table of jobs: their names, widths, and sort order.
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

export const DEFAULT_COLUMNS: readonly Column[] = [
  "state",
  "name",
  "uuid",
  "owner",
  "posted_at",
  "waiting",
  "running",
];

/** The columns that fit on a phone. */
export const NARROW_COLUMNS: readonly Column[] = ["state", "name", "waiting", "running"];

const RELATIVE_TIME = { minWidth: 7, share: 1 };
const EXACT_TIME = { minWidth: 15, share: 1 };
/** The width of each column: at least `minWidth` rem, and `share` of the space that is left. */
const WIDTHS: Record<Column, { minWidth: number; share: number }> = {
  state: { minWidth: 5.75, share: 1 },
  name: { minWidth: 5, share: 1.5 },
  uuid: { minWidth: 7, share: 1.2 },
  owner: { minWidth: 7, share: 1.5 },
  posted_at: RELATIVE_TIME,
  waiting: { minWidth: 4, share: 0.6 },
  running: { minWidth: 4, share: 0.6 },
  claims: { minWidth: 4, share: 0.4 },
  since: RELATIVE_TIME,
};
const GAP = 0.75; // rem, between two columns and at both ends

/** Return a value for CSS's grid-template-columns, and the minimum width of all columns in rem. */
export function gridOf(columns: readonly Column[], isExact: boolean) {
  const widths = columns.map((column) =>
    isExact && WIDTHS[column] === RELATIVE_TIME ? EXACT_TIME : WIDTHS[column],
  );
  return {
    grid: widths.map(({ minWidth, share }) => `minmax(${minWidth}rem, ${share}fr)`).join(" "),
    minWidth: widths.reduce((sum, { minWidth }) => sum + minWidth + GAP, GAP),
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

/**
 * Return a function that compares two rows. Rows without a value come last in both directions. Of
 * rows with equal values, the one that was posted later comes first: its znode's number is higher.
 */
export function comparatorOf({ column, isDescending }: Order, now: number) {
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
