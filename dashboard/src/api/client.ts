// Questions to canary-server. Addresses are relative to the page's: a proxy may show it anywhere.
import { headers, noteRefusal, type Signed } from "./credentials";
import type { Board, Conductor, Gap, Itself, Job, JobAnswer, Series } from "./types";

const LIMIT = 20_000; // milliseconds for an answer

export type Query = readonly (readonly [string, string])[];

/** What the server answered, in its own words where it has any. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  /** Whether the same question would be refused again; one that came too often or late would not. */
  get isFinal(): boolean {
    return this.status < 500 && this.status !== 408 && this.status !== 429;
  }
}

export function address(resource: string, query: Query): string {
  const words = query.map(([name, value]) => `${encodeURIComponent(name)}=${encode(value)}`);
  return words.length ? `${resource}?${words.join("&")}` : resource;
}

function encode(value: string): string {
  return encodeURIComponent(value).replaceAll("%2F", "/");
}

async function ask<Answer>(
  resource: string,
  query: Query = [],
  signal?: AbortSignal,
): Promise<Answer> {
  const limit = AbortSignal.timeout(LIMIT);
  const signed = headers();
  const answer = await fetch(address(resource, query), {
    cache: "no-store",
    headers: signed,
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  if (!answer.ok) {
    throw await refusal(answer, signed);
  }
  return (await answer.json()) as Answer;
}

/** Fetch what is to be saved, however long that takes. The browser keeps it, on disk if it is large. */
export async function file(address: string, signal: AbortSignal): Promise<Blob> {
  const signed = headers();
  const answer = await fetch(address, { cache: "no-store", headers: signed, signal });
  if (!answer.ok) {
    throw await refusal(answer, signed);
  }
  return answer.blob();
}

/** Return what to throw for an answer to a request that was `signed` so. */
export async function refusal(answer: Response, signed: Signed): Promise<Refusal> {
  if (answer.status === 401) {
    noteRefusal(answer, signed);
  }
  let message = `The server answered ${answer.status}.`;
  try {
    const problem = (await answer.json()) as { detail?: unknown };
    if (typeof problem.detail === "string") {
      message = problem.detail;
    }
  } catch {
    // No problem document: a proxy's own answer, perhaps.
  }
  return new Refusal(answer.status, message);
}

interface Rows<Row> {
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

async function page<Name extends keyof Resources>(
  name: Name,
  query: Query,
  signal?: AbortSignal,
): Promise<Rows<Resources[Name]>> {
  const told: Record<string, unknown> = await ask(`v2/${name}`, query, signal);
  return { rows: told[name] as Resources[Name][], next: told.next as string | null };
}

async function all<Name extends keyof Resources>(
  name: Name,
  query: Query,
  signal?: AbortSignal,
  most = Infinity,
): Promise<Rows<Resources[Name]>> {
  const rows: Resources[Name][] = [];
  let next: string | null = null;
  do {
    const more: Query = next === null ? [] : [["cursor", next]];
    const some: Rows<Resources[Name]> = await page(
      name,
      [...query, ["limit", "1000"], ...more],
      signal,
    );
    rows.push(...some.rows);
    next = some.next;
  } while (next !== null && rows.length < most);
  return { rows, next };
}

export async function boards(query: Query = []): Promise<Board[]> {
  return (await all("boards", query)).rows;
}

export async function conductors(query: Query, signal: AbortSignal): Promise<Conductor[]> {
  return (await all("conductors", query, signal)).rows;
}

export async function series(query: Query, signal: AbortSignal): Promise<Series[]> {
  return (await all("series", query, signal)).rows;
}

/** The newest gaps, 100 at most. */
export async function gaps(query: Query, signal: AbortSignal): Promise<Gap[]> {
  return (await page("gaps", [...query, ["limit", "100"]], signal)).rows;
}

/** Jobs, some `most` of them, and whether there are more. */
export async function jobs(
  query: Query,
  most: number,
  signal: AbortSignal,
): Promise<{ rows: Job[]; isMore: boolean }> {
  const { rows, next } = await all("jobs", query, signal, most);
  return { rows, isMore: next !== null };
}

export function job(name: string, path: string | null, signal: AbortSignal): Promise<JobAnswer> {
  return ask(`v2/jobs/${encodeURIComponent(name)}`, path === null ? [] : [["path", path]], signal);
}

export function itself(signal?: AbortSignal): Promise<Itself> {
  return ask("v2/canary", [], signal);
}
