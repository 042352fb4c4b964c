// The page's keyboard shortcuts. The view that is shown registers its list with `registerList`.
import { signal } from "@preact/signals";
import { go, place } from "./place";
import { paused } from "./connection";
import { times } from "./settings";

export interface List {
  move(by: number): void;
  open(): void;
  expand(): void;
}

export const KEYS: readonly (readonly [string, string])[] = [
  ["/", "search"],
  ["j or ↓", "next row"],
  ["k or ↑", "previous row"],
  ["Enter", "open the selected row"],
  ["Space", "show or hide the selected row’s details"],
  ["g b", "go to the boards"],
  ["g c", "go to the conductors"],
  ["g y", "go to Canary itself"],
  ["← or →", "on a chart: previous or next step; Home, End: first or last step"],
  ["u", "up: from a job to its board, from a board to the boards"],
  ["p", "pause or resume"],
  ["t", "relative or exact times"],
  ["?", "this help"],
  ["Esc", "close; leave a field"],
];

export const isHelpOpen = signal(false);

let list: List | null = null;
let goTimer: ReturnType<typeof setTimeout> | undefined;

/** Let the keyboard control this list. Return a function that stops that. */
export function registerList(shown: List): () => void {
  list = shown;
  return () => {
    if (list === shown) {
      list = null;
    }
  };
}

const GO_TO: Record<string, string> = { b: "#/", c: "#/conductors", y: "#/canary" };

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, select, textarea") !== null;
}

function isControl(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("a, button, summary") !== null;
}

function up(): void {
  const { view, query } = place.value;
  const path = query.find(([name]) => name === "path");
  go(view === "job" && path ? `#/board?path=${encodeURIComponent(path[1])}` : "#/");
}

/** Do what a key stands for; return whether it did anything. */
function handleKey(key: string, target: EventTarget | null): boolean {
  if (isHelpOpen.value && key !== "?") {
    return false; // the other keys act on what is behind the dialog
  }
  if (goTimer !== undefined) {
    clearTimeout(goTimer);
    goTimer = undefined;
    const hash = GO_TO[key];
    if (hash !== undefined) {
      go(hash);
      return true;
    }
  }
  switch (key) {
    case "/": {
      const search = document.querySelector<HTMLElement>("[data-search]");
      search?.focus();
      return search !== null;
    }
    case "g":
      goTimer = setTimeout(() => (goTimer = undefined), 1_500);
      return true;
    case "?":
      isHelpOpen.value = !isHelpOpen.value;
      return true;
    case "p":
      paused.value = !paused.value;
      return true;
    case "t":
      times.value = times.value === "exact" ? "relative" : "exact";
      return true;
    case "u":
      up();
      return true;
    case "j":
    case "ArrowDown":
      list?.move(1);
      return list !== null;
    case "k":
    case "ArrowUp":
      list?.move(-1);
      return list !== null;
    case "Enter":
    case " ":
      if (list === null || isControl(target)) {
        return false;
      }
      if (key === "Enter") {
        list.open();
      } else {
        list.expand();
      }
      return true;
    default:
      return false;
  }
}

export function listen(): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === "Escape") {
      isHelpOpen.value = false;
      if (isField(event.target)) {
        (event.target as HTMLElement).blur();
      }
      return;
    }
    if (!isField(event.target) && handleKey(event.key, event.target)) {
      event.preventDefault();
    }
  });
}
