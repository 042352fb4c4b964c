// Detects that a translation or a browser extension has changed the page's DOM.
//
// A browser's translation replaces each text node with a <font> element. What the page writes into
// the old nodes is then invisible: the page would stand still and go on showing "live". So the text
// of the live line is compared with what it should be, and a changed page is drawn again. If it is
// changed again within a minute, the page shows a warning, and is drawn again at most every 30
// seconds, because each redraw loses what the user has typed, selected or unfolded.
//
// This finds changes to the live line, and <font> elements anywhere in the page. It does not find
// other changes.

const REPEAT_WINDOW = 60_000; // milliseconds within which a second change is not a coincidence
const REDRAW_INTERVAL = 30_000; // milliseconds between redraws of a page that is changed repeatedly
const WARNING =
  "A translation or a browser extension is changing this page, so what it shows may be out of date." +
  " Turn it off for this page, and reload the page.";

export class PageGuard {
  readonly #page: HTMLElement;
  readonly #line: () => string;
  readonly #redraw: () => void;
  readonly #clock: () => number;
  #previous: string | null = null; // what the live line should have shown at the last check
  #lastRedraw = -Infinity;

  /**
   * `line` returns the text that the live line should show. `redraw` draws the page again. `clock`
   * returns milliseconds of a monotonic clock.
   */
  constructor(page: HTMLElement, line: () => string, redraw: () => void, clock: () => number) {
    this.#page = page;
    this.#line = line;
    this.#redraw = redraw;
    this.#clock = clock;
  }

  /** Compare the page with what it should show. Call this about once a second. */
  check(): void {
    const expected = this.#line();
    // If the expected text has just changed, it may not be drawn yet.
    const isSettled = expected === this.#previous;
    this.#previous = expected;
    const shown = this.#page.querySelector("#live")?.textContent;
    const isWrong = isSettled && shown !== undefined && shown !== expected;
    if (!isWrong && this.#page.querySelector(":scope font") === null) {
      return;
    }
    const now = this.#clock();
    const sinceRedraw = now - this.#lastRedraw;
    if (sinceRedraw < REPEAT_WINDOW) {
      this.#warn();
      if (sinceRedraw < REDRAW_INTERVAL) {
        return;
      }
    }
    this.#lastRedraw = now;
    this.#redraw();
  }

  #warn(): void {
    const known = document.getElementById("altered");
    if (known === null) {
      const warning = document.createElement("p");
      warning.id = "altered";
      warning.className = "note bad";
      warning.setAttribute("role", "alert");
      warning.textContent = WARNING;
      this.#page.before(warning);
    }
  }
}
