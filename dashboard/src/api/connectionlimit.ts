// Requests that hang because the browser has no connection left for them.
//
// Over HTTP/1.1 a browser opens at most six connections to one server, for all tabs together, and
// the stream of each visible tab holds one. If a request gets no answer for a second, the page asks
// the hidden tabs to close their streams. If it still gets none after five seconds, the live line
// says so.
import { computed, signal } from "@preact/signals";

const ASK_AFTER = 1_000; // milliseconds without an answer until hidden tabs are asked
export const HANGING_AFTER = 5_000; // milliseconds without an answer until the page says so

const hangingCount = signal(0);

/**
 * The message about requests that have had no answer for five seconds, or null if there are none.
 */
export const hangingMessage = computed(() =>
  hangingCount.value === 0
    ? null
    : `the server has not answered for ${HANGING_AFTER / 1000} s${connectionHint()}`,
);

/**
 * Return text for the end of a message: why a request may hang, and what to do. Return "" if the
 * page was loaded over HTTP/2 or later.
 */
export function connectionHint(): string {
  const [page] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return /^h[23]/.test(page?.nextHopProtocol ?? "")
    ? ""
    : ". Over HTTP/1.1 a browser opens at most six connections to a server: close other Canary tabs, or put a proxy with HTTP/2 in front of the server";
}

/** Wait for the response to a request and return it; meanwhile react if the request hangs. */
export async function watchRequest(request: Promise<Response>): Promise<Response> {
  const askTimer = setTimeout(() => channel?.postMessage(CONNECTION_WANTED), ASK_AFTER);
  let isHanging = false;
  const hangingTimer = setTimeout(() => {
    isHanging = true;
    hangingCount.value += 1;
  }, HANGING_AFTER);
  try {
    return await request;
  } finally {
    clearTimeout(askTimer);
    clearTimeout(hangingTimer);
    hangingCount.value -= Number(isHanging);
  }
}

const CONNECTION_WANTED = "a connection is wanted";
const channel = openChannel();

function openChannel(): BroadcastChannel | null {
  try {
    return new BroadcastChannel("canary.connections");
  } catch {
    return null; // unsupported or forbidden: hidden tabs close their streams later anyway
  }
}

/** Call `release` when another tab needs a connection. Return a function that stops that. */
export function onConnectionWanted(release: () => void): () => void {
  const onMessage = ({ data }: MessageEvent) => {
    if (data === CONNECTION_WANTED) {
      release();
    }
  };
  channel?.addEventListener("message", onMessage);
  return () => channel?.removeEventListener("message", onMessage);
}
