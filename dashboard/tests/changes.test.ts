import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { isReady, onChanges, take } from "../src/state/changes";
import { change } from "./board";

const page = { hidden: false };
vi.stubGlobal("document", page);

describe("changes", () => {
  let revision = 0;
  let drawing = 0; // milliseconds that a drawing takes
  const shown = vi.fn();
  let end: () => void;

  beforeAll(() => {
    vi.useFakeTimers();
    vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(draw, drawing));
    isReady.value = true;
    end = onChanges((changes) => {
      shown(changes.length);
    });
  });

  beforeEach(async () => {
    drawing = 0;
    await comes(1_000); // whatever the last drawing took
    await comes(1_000);
    shown.mockClear();
  });

  afterAll(() => {
    end();
    vi.useRealTimers();
  });

  /** Let a change arrive, and then `then` milliseconds pass. */
  const comes = async (then: number) => {
    revision += 1;
    take(change(revision, "CLAIMED"));
    await vi.advanceTimersByTimeAsync(then);
  };

  it("are shown at once, and then together ten times a second", async () => {
    await comes(0);
    expect(shown.mock.calls).toEqual([[1]]);
    await comes(50);
    await comes(49);
    expect(shown).toHaveBeenCalledOnce();
    await comes(1);
    expect(shown.mock.calls).toEqual([[1], [3]]);
  });

  it("are shown less often if drawing takes long", async () => {
    drawing = 79; // plus 1 ms until it is measured: the pause after it is 160 ms
    await comes(80);
    await comes(159);
    expect(shown.mock.calls).toEqual([[1]]);
    await comes(1);
    expect(shown.mock.calls).toEqual([[1], [2]]);
  });

  it("are shown less than half a second after the last drawing, however long that took", async () => {
    drawing = 999;
    await comes(0);
    await vi.advanceTimersByTimeAsync(1_000);
    await comes(399);
    expect(shown.mock.calls).toEqual([[1]]);
    await comes(1);
    expect(shown.mock.calls).toEqual([[1], [2]]);
  });

  it("are shown often again once drawing is quick", async () => {
    drawing = 79;
    await comes(80);
    drawing = 0;
    await comes(160);
    await comes(99);
    expect(shown.mock.calls).toEqual([[1], [1]]);
    await comes(1);
    expect(shown.mock.calls).toEqual([[1], [1], [2]]);
  });

  it("request no animation frame while the page is hidden", async () => {
    const asked = vi.fn();
    vi.stubGlobal("requestAnimationFrame", asked);
    page.hidden = true;
    await comes(100);
    await comes(100);
    expect(shown).toHaveBeenCalledTimes(2);
    expect(asked).not.toHaveBeenCalled();
    page.hidden = false;
    await comes(100);
    await comes(100);
    expect(asked).toHaveBeenCalledOnce();
  });
});
