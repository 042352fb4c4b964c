// What lies open over the page closes by Esc, and when something else is clicked.
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

/** Have `close` called whenever what is in `element` is to close. */
export function useDismissed(element: RefObject<HTMLElement | null>, close: () => void): void {
  useEffect(() => {
    const pressed = ({ key }: KeyboardEvent) => {
      if (key === "Escape") {
        close();
      }
    };
    const clicked = ({ target }: PointerEvent) => {
      if (target instanceof Node && element.current?.contains(target) === false) {
        close();
      }
    };
    document.addEventListener("keydown", pressed);
    document.addEventListener("pointerdown", clicked);
    return () => {
      document.removeEventListener("keydown", pressed);
      document.removeEventListener("pointerdown", clicked);
    };
  }, [element, close]);
}
