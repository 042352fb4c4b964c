// What lies open over the page closes by Esc, and some of it when something else is clicked.
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

/** Have `close` called at Esc, wherever the focus is. */
export function useEscape(close: () => void): void {
  useEffect(() => {
    const pressed = ({ key }: KeyboardEvent) => {
      if (key === "Escape") {
        close();
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [close]);
}

/** Have `close` called when something is clicked that is not in `element`. */
export function useClickElsewhere(element: RefObject<HTMLElement | null>, close: () => void): void {
  useEffect(() => {
    const clicked = ({ target }: PointerEvent) => {
      if (target instanceof Node && element.current?.contains(target) === false) {
        close();
      }
    };
    document.addEventListener("pointerdown", clicked);
    return () => document.removeEventListener("pointerdown", clicked);
  }, [element, close]);
}
