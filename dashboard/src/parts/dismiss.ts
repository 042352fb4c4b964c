// Hooks that close what is open over the page: on Esc, and on a click elsewhere.
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

/** Call `close` when Esc is pressed, wherever the focus is. */
export function useEscape(close: () => void): void {
  useEffect(() => {
    const onKeyDown = ({ key }: KeyboardEvent) => {
      if (key === "Escape") {
        close();
      }
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [close]);
}

/** Call `close` when something outside `element` is clicked. */
export function useClickElsewhere(element: RefObject<HTMLElement | null>, close: () => void): void {
  useEffect(() => {
    const onPointerDown = ({ target }: PointerEvent) => {
      if (target instanceof Node && element.current?.contains(target) === false) {
        close();
      }
    };
    document.addEventListener("pointerdown", onPointerDown);
    return () => document.removeEventListener("pointerdown", onPointerDown);
  }, [element, close]);
}
