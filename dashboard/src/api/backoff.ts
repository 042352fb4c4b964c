// Exponential backoff: how long to wait before a failed request is tried again.
//
// The wait is a random part of a span that doubles with each failure ("full jitter"), so that a
// thousand pages do not all come back to a server at the same moment. If the server sent
// Retry-After (RFC 9110, section 10.2.3), that time is added, up to 5 minutes of it.

export const FIRST_SPAN = 1_000; // milliseconds, the span after the first failure
export const MAX_SPAN = 30_000; // milliseconds, the longest span
const MAX_RETRY_AFTER = 300_000; // milliseconds, the longest Retry-After that is obeyed

export class Backoff {
  readonly #random: () => number;
  #failures = 0;

  /** `random` returns a number from 0 to below 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Count one more failure; return the milliseconds to wait. `failure` may have a `retryAfter`. */
  next(failure?: unknown): number {
    const span = Math.min(MAX_SPAN, FIRST_SPAN * 2 ** this.#failures);
    this.#failures += 1;
    return retryAfterOf(failure) + this.#random() * span;
  }

  /** Start again with the shortest span, after a success. */
  reset(): void {
    this.#failures = 0;
  }
}

function retryAfterOf(failure: unknown): number {
  const pause = (failure as { retryAfter?: number | null } | null | undefined)?.retryAfter ?? 0;
  return Math.min(MAX_RETRY_AFTER, Math.max(0, pause));
}

const SECONDS = /^\d{1,9}$/;
// The date format that servers send, and the two obsolete ones that clients must accept (RFC 9110,
// section 5.6.7). Which other texts Date.parse accepts differs between browsers: in some, -5 and
// 1.5 are days in 2001.
const DATE =
  /^(?:[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/;

/**
 * Return the wait in milliseconds that a Retry-After header asks for, in seconds or as a date.
 * Return null if the header is neither. `now` is in milliseconds since 1970.
 */
export function retryAfter(header: string | null, now: number): number | null {
  const text = header?.trim() ?? "";
  if (SECONDS.test(text)) {
    return Number(text) * 1000;
  }
  // The asctime format names no zone; it is GMT, as in the other formats.
  const zoned = text.endsWith("GMT") ? text : `${text} GMT`;
  const moment = DATE.test(text) ? Date.parse(zoned) : NaN;
  return Number.isNaN(moment) ? null : Math.max(0, moment - now);
}
