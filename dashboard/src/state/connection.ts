// How the page stands to the server, and the server's clock. Timers stand still unless all is live.
import { computed, signal } from "@preact/signals";

export type Condition = "connecting" | "live" | "catching_up" | "disconnected";

export interface Connection {
  condition: Condition;
  /** Milliseconds since 1970, by the server's clock as far as it is known. */
  since: number;
  why: string | null;
}

export const connection = signal<Connection>({
  condition: "connecting",
  since: Date.now(),
  why: null,
});
/** Whether nothing is to move until somebody says so. */
export const paused = signal(false);
export const isLive = computed(() => connection.value.condition === "live");
/** The time by the server's clock, milliseconds since 1970. */
export const now = signal(Date.now());

let ahead = 0; // milliseconds that the server's clock is before this machine's

export function serverNow(): number {
  return Date.now() + ahead;
}

/** Go by a moment of the server's, which has just come. */
export function compare(moment: number): void {
  ahead = moment - Date.now();
}

export function settle(condition: Condition, why: string | null = null, since = serverNow()): void {
  const before = connection.value;
  if (before.condition !== condition || before.why !== why) {
    const isSame = before.condition === condition;
    connection.value = { condition, since: isSame ? before.since : since, why };
  }
}
