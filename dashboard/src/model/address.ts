// The part of the page's URL after the #: which view is shown, and its query.
//
// Browsers do not send that part to the server, so every view works with any server and any proxy.
import type { Query } from "../api/client";

export interface Place {
  /** overview, board, job, conductors or canary; other names show an error page. */
  view: string;
  query: Query;
}

export function placeOf(hash: string): Place {
  const [view = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { view: view || "overview", query: [...new URLSearchParams(query)] };
}

export function hashOf({ view, query }: Place): string {
  const parameters = query.map(
    ([name, value]) =>
      `${encodeURIComponent(name).replaceAll("%3E", ">").replaceAll("%21", "!")}=` +
      encodeURIComponent(value).replaceAll("%2F", "/"),
  );
  const head = view === "overview" ? "#/" : `#/${view}`;
  return parameters.length ? `${head}?${parameters.join("&")}` : head;
}

export function valueOf(query: Query, name: string): string | null {
  return query.find(([each]) => each === name)?.[1] ?? null;
}

/** Return the query with one value for `name`, or none if the value is null. */
export function withValue(query: Query, name: string, value: string | null): Query {
  const rest = query.filter(([each]) => each !== name);
  return value === null ? rest : [...rest, [name, value]];
}

export const boardAt = (path: string, more: Query = []): string =>
  hashOf({ view: "board", query: [["path", path], ...more] });

/** A uuid that is safe in a URL: not a path, and not too long. */
const PLAIN = /^[\w-][\w.:-]{0,199}$/;

/**
 * Return the hash of a job's page. The job is named by its uuid, or by its znode if it has no uuid
 * or one that is not safe. The time of posting is added if it is known, because a board that was
 * deleted and created again uses the same znode names again.
 */
export function jobAt(job: {
  uuid: string | null;
  znode: string;
  path: string;
  posted_at?: string | undefined;
}): string {
  const isPlain = job.uuid !== null && PLAIN.test(job.uuid);
  return hashOf({
    view: "job",
    query: [
      isPlain ? ["uuid", job.uuid ?? ""] : ["znode", job.znode],
      ["path", job.path],
      ...(job.posted_at === undefined ? [] : ([["posted_at", job.posted_at]] as const)),
    ],
  });
}
