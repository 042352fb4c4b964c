// The page's address: what is shown, behind the #, so that any server and any proxy shows it.
import type { Query } from "../api/client";

export interface Place {
  /** overview, board, job, conductors or canary. */
  view: string;
  query: Query;
}

export function placeOf(hash: string): Place {
  const [view = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { view: view || "overview", query: [...new URLSearchParams(query)] };
}

export function hashOf({ view, query }: Place): string {
  const words = query.map(
    ([name, value]) =>
      `${encodeURIComponent(name).replaceAll("%3E", ">").replaceAll("%21", "!")}=` +
      encodeURIComponent(value).replaceAll("%2F", "/"),
  );
  const head = view === "overview" ? "#/" : `#/${view}`;
  return words.length ? `${head}?${words.join("&")}` : head;
}

export function valueOf(query: Query, name: string): string | null {
  return query.find(([each]) => each === name)?.[1] ?? null;
}

/** The query with one value of that name, none where it is null. */
export function withValue(query: Query, name: string, value: string | null): Query {
  const rest = query.filter(([each]) => each !== name);
  return value === null ? rest : [...rest, [name, value]];
}

export const boardAt = (path: string, more: Query = []): string =>
  hashOf({ view: "board", query: [["path", path], ...more] });

/** What may stand in an address between two slashes and be nothing but a name. */
const PLAIN = /^[\w-][\w.:-]{0,199}$/;

/** A job's page; by its znode where it has no uuid, or one that is no plain name. */
export function jobAt(job: { uuid: string | null; znode: string; path: string }): string {
  const isPlain = job.uuid !== null && PLAIN.test(job.uuid);
  return hashOf({
    view: "job",
    query: [isPlain ? ["uuid", job.uuid ?? ""] : ["znode", job.znode], ["path", job.path]],
  });
}
