// Requests to canary-server's API.
//
// URLs are relative to the page's, so that a proxy may serve it below any path. Promises: a request
// fails if it is not answered within TIMEOUT, and an error response becomes an HttpError. A
// download (`fetchFile`) has no time limit. Nothing is tried again here.
import { retryAfter } from "./backoff";
import { connectionHint, watchRequest } from "./connectionlimit";
import { authHeaders, noteUnauthorized, type AuthHeaders } from "./credentials";
import type { Board, Conductor, Gap, Itself, Job, JobAnswer, Series } from "./types";

const TIMEOUT = 20_000; // milliseconds for a complete answer

export type Query = readonly (readonly [string, string])[];

/**
 * An error response. The message is the `detail` of the server's problem document, if it has one.
 */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** The server's Retry-After in milliseconds, or null. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }

  /** Whether the same request would fail again: a client error other than 408 and 429. */
  get isFinal(): boolean {
    return this.status < 500 && this.status !== 408 && this.status !== 429;
  }
}

export function address(resource: string, query: Query): string {
  const parameters = query.map(([name, value]) => `${encodeURIComponent(name)}=${encode(value)}`);
  return parameters.length ? `${resource}?${parameters.join("&")}` : resource;
}

function encode(value: string): string {
  return encodeURIComponent(value).replaceAll("%2F", "/");
}

async function getJson<Answer>(
  resource: string,
  query: Query = [],
  signal?: AbortSignal,
): Promise<Answer> {
  const timeout = AbortSignal.timeout(TIMEOUT);
  const auth = authHeaders();
  try {
    const answer = await watchRequest(
      fetch(address(resource, query), {
        cache: "no-store",
        headers: auth,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      }),
    );
    if (!answer.ok) {
      throw await httpErrorOf(answer, auth);
    }
    return (await answer.json()) as Answer;
  } catch (error) {
    if (timeout.aborted && error === timeout.reason) {
      throw new Error(`the server did not answer within ${TIMEOUT / 1000} s${connectionHint()}`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** Download a file, without a time limit. The browser holds it, on disk if it is large. */
export async function fetchFile(address: string, signal: AbortSignal): Promise<Blob> {
  const auth = authHeaders();
  const answer = await watchRequest(fetch(address, { cache: "no-store", headers: auth, signal }));
  if (!answer.ok) {
    throw await httpErrorOf(answer, auth);
  }
  return answer.blob();
}

/** Return the error to throw for an error response. `auth` are the headers of the request. */
export async function httpErrorOf(answer: Response, auth: AuthHeaders): Promise<HttpError> {
  if (answer.status === 401) {
    noteUnauthorized(answer, auth);
  }
  let message = `The server answered ${answer.status}.`;
  try {
    const problem = (await answer.json()) as { detail?: unknown };
    if (typeof problem.detail === "string") {
      message = problem.detail;
    }
  } catch {
    // Not a problem document; it may be a proxy's own error page.
  }
  const pause = retryAfter(answer.headers.get("Retry-After"), Date.now());
  return new HttpError(answer.status, message, pause);
}

interface Page<Row> {
  rows: Row[];
  next: string | null;
}

interface Resources {
  boards: Board;
  jobs: Job;
  gaps: Gap;
  conductors: Conductor;
  series: Series;
}

async function fetchPage<Name extends keyof Resources>(
  name: Name,
  query: Query,
  signal?: AbortSignal,
): Promise<Page<Resources[Name]>> {
  const answer: Record<string, unknown> = await getJson(`v2/${name}`, query, signal);
  return { rows: answer[name] as Resources[Name][], next: answer.next as string | null };
}

async function fetchAllPages<Name extends keyof Resources>(
  name: Name,
  query: Query,
  signal?: AbortSignal,
  wanted = Infinity,
): Promise<Page<Resources[Name]>> {
  const rows: Resources[Name][] = [];
  let next: string | null = null;
  do {
    const more: Query = next === null ? [] : [["cursor", next]];
    const fetched: Page<Resources[Name]> = await fetchPage(
      name,
      [...query, ["limit", "1000"], ...more],
      signal,
    );
    rows.push(...fetched.rows);
    next = fetched.next;
  } while (next !== null && rows.length < wanted);
  return { rows, next };
}

export async function boards(query: Query = []): Promise<Board[]> {
  return (await fetchAllPages("boards", query)).rows;
}

export async function conductors(query: Query, signal: AbortSignal): Promise<Conductor[]> {
  return (await fetchAllPages("conductors", query, signal)).rows;
}

export async function series(query: Query, signal: AbortSignal): Promise<Series[]> {
  return (await fetchAllPages("series", query, signal)).rows;
}

/** Return the newest gaps, at most 100. */
export async function gaps(query: Query, signal: AbortSignal): Promise<Gap[]> {
  return (await fetchPage("gaps", [...query, ["limit", "100"]], signal)).rows;
}

/** Return jobs, page by page until there are at least `wanted`, and whether there are more. */
export async function jobs(
  query: Query,
  wanted: number,
  signal: AbortSignal,
): Promise<{ rows: Job[]; isMore: boolean }> {
  const { rows, next } = await fetchAllPages("jobs", query, signal, wanted);
  return { rows, isMore: next !== null };
}

export interface JobKey {
  uuid: string | null;
  znode: string | null;
  path: string | null;
  postedAt: string | null;
}

/**
 * Return a job and its changes. The job is found by its znode if its board is known, or else by its
 * uuid. Both are sent in the query string, because proxies and browsers may alter a name in a path.
 * If the job has many changes, the server returns the first and the last ones. With `part` it
 * returns at most `limit` changes after the revision `after`.
 */
export function job(
  { uuid, znode, path, postedAt }: JobKey,
  signal: AbortSignal,
  part: { after: number; limit: number } | null = null,
): Promise<JobAnswer> {
  const which: Query =
    znode !== null && path !== null ? [["znode", znode]] : [["uuid", uuid ?? znode ?? ""]];
  const where: Query = path === null ? [] : [["path", path]];
  const when: Query = postedAt === null ? [] : [["posted_at", postedAt]];
  const range: Query =
    part === null
      ? []
      : [
          ["after", String(part.after)],
          ["limit", String(part.limit)],
        ];
  return getJson("v2/job", [...which, ...where, ...when, ...range], signal);
}

export function canary(signal?: AbortSignal): Promise<Itself> {
  return getJson("v2/canary", [], signal);
}
