// The API's filters for jobs, as they are in the page's URL: owner=ann, state!=COMPLETE, age>=5m.
import type { Query } from "../api/client";
import type { Row } from "./moves";

export const FIELDS = {
  state: "state",
  outcome: "outcome",
  owner: "owner",
  name: "name",
  uuid: "uuid",
  "age>": "at least as old as",
  "waiting>": "waited at least",
  "running>": "ran at least",
  "claims>": "number of claims at least",
  since: "on the board at or after",
  until: "on the board at or before",
  q: "containing the text",
} as const;

export type Field = keyof typeof FIELDS;

export interface Filter {
  field: Field;
  negated: boolean;
  value: string;
}

export const CHOICES: Partial<Record<Field, readonly string[]>> = {
  state: ["UNCLAIMED", "CLAIMED", "COMPLETE"],
  outcome: ["consumed", "trashed", "removed", "board_deleted", "unknown"],
};

/** Filters that may be given several times: a job matches if it has any of the values. */
const REPEATABLE: ReadonlySet<Field> = new Set(["state", "outcome", "owner", "name", "uuid"]);

export function isField(name: string): name is Field {
  return Object.hasOwn(FIELDS, name);
}

export function filtersFrom(query: Query): Filter[] {
  return query.flatMap(([name, value]) => {
    const field = name.replace(/!$/, "");
    return isField(field) ? [{ field, negated: name.endsWith("!"), value }] : [];
  });
}

export function queryOf(filters: readonly Filter[]): Query {
  return filters.map(({ field, negated, value }) => [negated ? `${field}!` : field, value]);
}

/** Return the text of a filter before its value. */
export function wordsOf({ field, negated }: Filter): string {
  const words = FIELDS[field];
  return isKnown(field)
    ? `${words} ${negated ? "is not" : "is"}`
    : `${negated ? "not: " : ""}${words}`;
}

/** Add a filter. It replaces one of a field that allows one value; an empty value only removes. */
export function withFilter(filters: readonly Filter[], added: Filter): Filter[] {
  const rest = filters.filter(
    (each) =>
      !(each.field === added.field && each.negated === added.negated) ||
      (REPEATABLE.has(added.field) && each.value !== added.value),
  );
  return added.value === "" ? rest : [...rest, added];
}

export function withoutFilter(filters: readonly Filter[], gone: Filter): Filter[] {
  return filters.filter((each) => each !== gone);
}

/** Return whether the jobs that match may change with time alone. */
export function isTimed(filters: readonly Filter[]): boolean {
  return filters.some(({ field }) => field.endsWith(">"));
}

/** Return whether jobs that have ended may match. */
export function findsEnded(filters: readonly Filter[]): boolean {
  const states = filters.filter(({ field }) => field === "state");
  const wanted = states.filter(({ negated }) => !negated);
  const isWanted = wanted.length === 0 || wanted.some(({ value }) => value === "COMPLETE");
  return isWanted && !states.some(({ negated, value }) => negated && value === "COMPLETE");
}

type Known = "state" | "outcome" | "owner" | "name" | "uuid";

function isKnown(field: Field): field is Known {
  return REPEATABLE.has(field);
}

/**
 * Return whether a row matches, or null if only the server can decide, for example for a text in a
 * payload.
 */
export function matches(row: Row, filters: readonly Filter[]): boolean | null {
  let isSure = true;
  const byField = new Map<string, { field: Known; negated: boolean; values: Set<string> }>();
  for (const { field, negated, value } of filters) {
    if (!isKnown(field)) {
      isSure = false;
      continue;
    }
    const name = `${field}${negated ? "!" : ""}`;
    const known = byField.get(name) ?? { field, negated, values: new Set<string>() };
    known.values.add(value);
    byField.set(name, known);
  }
  for (const { field, negated, values } of byField.values()) {
    if (values.has(row[field] ?? "\u0000") === negated) {
      return false;
    }
  }
  return isSure ? true : null;
}
