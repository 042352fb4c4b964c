// The changes of a job, fetched in parts if there are more than the server returns at once.
//
// At first the server returns the first and the last changes. The user may then ask for more from
// the middle, STEP at a time. Once all changes are known, only new ones are fetched.
//
// Promises: the changes of an answer are in order, without a duplicate, and without a hole that
// `left_out` does not report. Changes of another job with the same name are not mixed in.
import type { Change, JobAnswer, JobInFull } from "./types";

export const STEP = 5_000; // changes that are fetched at once, and that each request for more adds

/**
 * Fetch a job with its changes: at most `limit` changes after the revision `after`, or the first
 * and the last ones if the argument is null.
 */
export type FetchJob = (part: { after: number; limit: number } | null) => Promise<JobAnswer>;

export class JobHistory {
  #job: JobInFull | null = null;
  #known: readonly Change[] = []; // without a hole, from the first change on
  #isComplete = false; // whether `#known` had all changes at the last fetch

  /** Forget what is known, because changes may have been missed. */
  forget(): void {
    this.#job = null;
    this.#known = [];
    this.#isComplete = false;
  }

  /**
   * Return the job with up to `more` changes from the middle, beyond those that the server sends.
   */
  async fetch(fetchJob: FetchJob, more: number, signal: AbortSignal): Promise<JobAnswer> {
    if (this.#isComplete) {
      const answer = await fetchJob({ after: this.#lastRevision, limit: STEP });
      signal.throwIfAborted();
      if (this.#isSameJob(answer.job) && answer.left_out === null) {
        this.#known = [...this.#known, ...answer.changes];
        return { ...answer, changes: [...this.#known] };
      }
    }
    const answer = await fetchJob(null);
    signal.throwIfAborted();
    if (answer.left_out === null || more === 0) {
      return answer;
    }
    const { after, changes: leftOut } = answer.left_out;
    const head = answer.changes.filter(({ revision }) => revision <= after);
    const tail = answer.changes.filter(({ revision }) => revision > after);
    if (!this.#isSameJob(answer.job) || this.#lastRevision < after) {
      this.#known = head;
    }
    this.#job = answer.job;
    this.#isComplete = false;
    const tailStart = tail[0]?.revision ?? Infinity;
    while (this.#lastRevision < tailStart && this.#known.length < head.length + more) {
      const limit = Math.min(STEP, head.length + more - this.#known.length);
      const next = await fetchJob({ after: this.#lastRevision, limit });
      signal.throwIfAborted();
      this.#known = [...this.#known, ...next.changes];
      if (next.left_out === null) {
        break;
      }
    }
    // The last part may overlap with the changes that were just fetched.
    const rest = tail.filter(({ revision }) => revision > this.#lastRevision);
    const missing = leftOut - (this.#known.length - head.length);
    const changes = [...this.#known, ...rest];
    if (missing > 0 && rest.length === tail.length) {
      return { ...answer, changes, left_out: { changes: missing, after: this.#lastRevision } };
    }
    this.#known = changes;
    this.#isComplete = true;
    return { ...answer, changes, truncated: false, left_out: null };
  }

  get #lastRevision(): number {
    return this.#known.at(-1)?.revision ?? 0;
  }

  /** Whether this is the job whose changes are known, in a state not older than they are. */
  #isSameJob(job: JobInFull): boolean {
    const known = this.#job;
    return (
      known !== null &&
      job.path === known.path &&
      job.znode === known.znode &&
      job.posted_at === known.posted_at &&
      job.revision >= this.#lastRevision
    );
  }
}
