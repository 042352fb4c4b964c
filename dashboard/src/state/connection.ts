// The state of the page's connection to the server, and the server's clock.
//
// `now` is moved by state/live.ts, only while the page is live and not paused. So the timers on the
// page stop otherwise.
import { computed, signal } from "@preact/signals";

/** "resting": the tab is hidden and its connection is closed. The values are used in style.css. */
export type Condition = "connecting" | "live" | "catching_up" | "disconnected" | "resting";

export interface Connection {
  condition: Condition;
  /** When this condition began, milliseconds since 1970, by the server's clock as far as known. */
  since: number;
  why: string | null;
  /** When the next try is, milliseconds since 1970, by this machine's clock. */
  next: number | null;
}

export const connection = signal<Connection>({
  condition: "connecting",
  since: Date.now(),
  why: null,
  next: null,
});
/** Whether the user has paused the page: what is shown stays as it is. */
export const paused = signal(false);
export const isLive = computed(() => connection.value.condition === "live");
/** The time that timers count to, milliseconds since 1970, by the server's clock. */
export const now = signal(Date.now());

let clockOffset = 0; // milliseconds by which the server's clock is ahead of this machine's

export function serverNow(): number {
  return Date.now() + clockOffset;
}

/** Set the server's clock by a time that the server has just sent. */
export function syncClock(moment: number): void {
  clockOffset = moment - Date.now();
}

interface Details {
  why?: string;
  since?: number;
  next?: number;
}

/** Set the condition. `since` stays if the condition does. */
export function setCondition(condition: Condition, { why, since, next }: Details = {}): void {
  const before = connection.value;
  const after = { condition, why: why ?? null, next: next ?? null };
  if (before.condition !== condition || before.why !== after.why || before.next !== after.next) {
    const isSame = before.condition === condition;
    connection.value = { ...after, since: isSame ? before.since : (since ?? serverNow()) };
  }
}
