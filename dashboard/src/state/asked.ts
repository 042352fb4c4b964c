// What is fetched again and again while it is looked at.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { messageOf } from "../model/text";
import type { Change } from "../api/types";
import { onChanges, onReset } from "./changes";
import { connection, paused } from "./connection";
import { Turns } from "./turns";

export interface Asked<Answer> {
  answer: Answer | null;
  error: string | null;
  /** Fetch it anew, soon: many calls make one fetch. */
  again: () => void;
}

interface Options<Answer> {
  /** Milliseconds. */
  interval: number;
  least?: number;
  /** Return an answer as it is after a change; the same for all calls. */
  after?: (answer: Answer, change: Change) => Answer;
}

/**
 * Fetch when `key` changes, every `interval` milliseconds while the page is live, and when `again`
 * is called, but never more often than every `least` milliseconds: but for when the page becomes
 * live and when something was missed, which give up what is under way. Between two answers the last
 * one follows the changes, where `after` is given.
 */
export function useAsked<Answer>(
  key: string,
  fetchIt: (signal: AbortSignal) => Promise<Answer>,
  { interval, least = 1_000, after }: Options<Answer>,
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
    let hasAnswer = false;
    let isOwed = false;
    let during: Change[] | null = null; // changes while it is fetched
    /** Tell whether the page is paused, so that what is shown stays; then it is fetched later. */
    const isHeld = () => {
      const held = paused.value && hasAnswer;
      isOwed ||= held;
      return held;
    };
    const taker = {
      answered(answer: Answer) {
        if (!isHeld()) {
          hasAnswer = true;
          setState({
            key,
            answer: after && during ? during.reduce(after, answer) : answer,
            error: null,
          });
        }
        during = null;
      },
      failed(error: unknown) {
        during = null;
        if (isHeld()) {
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
      during = [];
      return latest.current(signal);
    };
    const follow = (changes: readonly Change[]) => {
      if (after !== undefined) {
        during?.push(...changes);
        setState((before) =>
          before.answer === null
            ? before
            : { ...before, answer: changes.reduce(after, before.answer) },
        );
      }
    };
    const turns = new Turns(fetchNow, taker, least);
    const tick = () => {
      if (!document.hidden && !paused.value && connection.value.condition === "live") {
        turns.soon();
      }
    };
    again.current = () => turns.soon();
    turns.soon();
    const clock = setInterval(tick, interval);
    document.addEventListener("visibilitychange", tick);
    const endChanges = onChanges(follow);
    const endResets = onReset(() => turns.now());
    const endConnection = connection.subscribe(({ condition }) => {
      if (condition === "live" && !isHeld()) {
        turns.now();
      }
    });
    const endPauses = paused.subscribe((isPaused) => {
      if (!isPaused && isOwed) {
        isOwed = false;
        turns.now();
      }
    });
    return () => {
      turns.close();
      clearInterval(clock);
      document.removeEventListener("visibilitychange", tick);
      endChanges();
      endResets();
      endConnection();
      endPauses();
    };
  }, [key, interval, least, after]);

  const isCurrent = state.key === key;
  return {
    answer: isCurrent ? state.answer : null,
    error: isCurrent ? state.error : null,
    again: useCallback(() => again.current(), []),
  };
}
