// What is fetched again and again while it is looked at.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { onReset } from "./changes";
import { connection, paused } from "./connection";

export interface Asked<Answer> {
  answer: Answer | null;
  error: string | null;
  /** Fetch it anew, soon: many calls make one fetch. */
  again: () => void;
}

/**
 * Fetch when `key` changes, every `interval` milliseconds while the page is live, and when `again`
 * is called, but never more often than every `least` milliseconds.
 */
export function useAsked<Answer>(
  key: string,
  fetchIt: () => Promise<Answer>,
  { interval, least = 1_000 }: { interval: number; least?: number },
): Asked<Answer> {
  const [state, setState] = useState<{ key: string; answer: Answer | null; error: string | null }>({
    key,
    answer: null,
    error: null,
  });
  const latest = useRef(fetchIt);
  latest.current = fetchIt;
  const again = useRef<() => void>(() => undefined);

  useEffect(() => {
    const end = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = { isUnderWay: false, isDue: false, next: 0 };

    const run = async () => {
      turn.isUnderWay = true;
      turn.isDue = false;
      const begun = performance.now();
      let pause = least;
      try {
        const answer = await latest.current();
        pause = Math.max(least, 10 * (performance.now() - begun)); // a slow server is asked less often
        if (!end.signal.aborted) {
          setState({ key, answer, error: null });
        }
      } catch (error) {
        if (!end.signal.aborted) {
          const text = error instanceof Error ? error.message : String(error);
          setState((before) => ({
            key,
            answer: before.key === key ? before.answer : null,
            error: text,
          }));
        }
      }
      turn.isUnderWay = false;
      turn.next = performance.now() + pause;
      if ((turn as { isDue: boolean }).isDue) {
        schedule();
      }
    };
    const schedule = () => {
      turn.isDue = true;
      if (!end.signal.aborted && !turn.isUnderWay) {
        clearTimeout(timer);
        timer = setTimeout(() => void run(), Math.max(0, turn.next - performance.now()));
      }
    };
    const scheduleNow = () => {
      turn.next = 0;
      schedule();
    };
    const tick = () => {
      if (!document.hidden && !paused.value && connection.value.condition === "live") {
        schedule();
      }
    };
    again.current = schedule;
    schedule();
    const clock = setInterval(tick, interval);
    document.addEventListener("visibilitychange", tick);
    const endResets = onReset(scheduleNow);
    const endConnection = connection.subscribe(({ condition }) => {
      if (condition === "live") {
        scheduleNow();
      }
    });
    return () => {
      end.abort();
      clearTimeout(timer);
      clearInterval(clock);
      document.removeEventListener("visibilitychange", tick);
      endResets();
      endConnection();
    };
  }, [key, interval, least]);

  const isCurrent = state.key === key;
  return {
    answer: isCurrent ? state.answer : null,
    error: isCurrent ? state.error : null,
    again: useCallback(() => again.current(), []),
  };
}
