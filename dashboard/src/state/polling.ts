// A hook that fetches something repeatedly while a component shows it.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { messageOf } from "../model/text";
import type { Change } from "../api/types";
import { onChanges, onReset } from "./changes";
import { connection, paused } from "./connection";
import { ThrottledFetch } from "./throttledfetch";

export interface Polled<Answer> {
  answer: Answer | null;
  error: string | null;
  /** Fetch again soon. Several calls lead to one fetch. */
  refetch: () => void;
}

interface Options<Answer> {
  /** Milliseconds between regular fetches. */
  interval: number;
  /** Milliseconds between the end of a fetch and the next one, at least. */
  minPause?: number;
  /** Return an answer as it is after a change. Must be the same function in each call. */
  applyChange?: (answer: Answer, change: Change) => Answer;
}

/**
 * Fetch when `key` changes, every `interval` milliseconds while the page is live, visible and not
 * paused, and when `refetch` is called.
 *
 * Two fetches are at least `minPause` apart. There are exceptions: when the page becomes live, when
 * changes may have been missed, and after a pause that deferred a fetch, the current fetch is
 * aborted and a new one begins at once. If `applyChange` is given, the last answer is updated by
 * changes until the next one. While the page is paused, an answer that is shown stays.
 */
export function usePolling<Answer>(
  key: string,
  fetchIt: (signal: AbortSignal) => Promise<Answer>,
  { interval, minPause = 1_000, applyChange }: Options<Answer>,
): Polled<Answer> {
  const [state, setState] = useState<{ key: string; answer: Answer | null; error: string | null }>({
    key,
    answer: null,
    error: null,
  });
  const latestFetch = useRef(fetchIt);
  latestFetch.current = fetchIt;
  const refetch = useRef<() => void>(() => undefined);

  useEffect(() => {
    let hasAnswer = false;
    let isFetchDeferred = false;
    let changesDuringFetch: Change[] | null = null; // null if no fetch is under way
    /** Return whether the page is paused with an answer shown; if so, fetch after the pause. */
    const deferIfPaused = () => {
      const isDeferred = paused.value && hasAnswer;
      isFetchDeferred ||= isDeferred;
      return isDeferred;
    };
    const receiver = {
      answered(answer: Answer) {
        if (!deferIfPaused()) {
          hasAnswer = true;
          setState({
            key,
            answer:
              applyChange && changesDuringFetch
                ? changesDuringFetch.reduce(applyChange, answer)
                : answer,
            error: null,
          });
        }
        changesDuringFetch = null;
      },
      failed(error: unknown) {
        changesDuringFetch = null;
        if (deferIfPaused()) {
          return;
        }
        const text = messageOf(error);
        setState((before) => ({
          key,
          answer: before.key === key ? before.answer : null,
          error: text,
        }));
      },
    };
    const fetchNow = (signal: AbortSignal) => {
      changesDuringFetch = [];
      return latestFetch.current(signal);
    };
    const applyChanges = (changes: readonly Change[]) => {
      if (applyChange !== undefined) {
        changesDuringFetch?.push(...changes);
        setState((before) =>
          before.answer === null
            ? before
            : { ...before, answer: changes.reduce(applyChange, before.answer) },
        );
      }
    };
    const throttled = new ThrottledFetch(fetchNow, receiver, minPause);
    const tick = () => {
      if (!document.hidden && !paused.value && connection.value.condition === "live") {
        throttled.soon();
      }
    };
    refetch.current = () => throttled.soon();
    throttled.soon();
    const clock = setInterval(tick, interval);
    document.addEventListener("visibilitychange", tick);
    const endChanges = onChanges(applyChanges);
    const endResets = onReset(() => throttled.now());
    const endConnection = connection.subscribe(({ condition }) => {
      if (condition === "live" && !deferIfPaused()) {
        throttled.now();
      }
    });
    const endPauses = paused.subscribe((isPaused) => {
      if (!isPaused && isFetchDeferred) {
        isFetchDeferred = false;
        throttled.now();
      }
    });
    return () => {
      throttled.close();
      clearInterval(clock);
      document.removeEventListener("visibilitychange", tick);
      endChanges();
      endResets();
      endConnection();
      endPauses();
    };
  }, [key, interval, minPause, applyChange]);

  const isCurrent = state.key === key;
  return {
    answer: isCurrent ? state.answer : null,
    error: isCurrent ? state.error : null,
    refetch: useCallback(() => refetch.current(), []),
  };
}
