import { expect, it, vi } from "vitest";
import { PageGuard } from "../src/pageguard";

it("redraws a page that is changed repeatedly every 30 seconds, and warns that it may be out of date", () => {
  const warnings: { id?: string; textContent?: string }[] = [];
  vi.stubGlobal("document", {
    getElementById: (id: string) => warnings.find((each) => each.id === id) ?? null,
    createElement: () => ({ setAttribute: () => undefined }),
  });
  let now = 0;
  const drawn: number[] = [];
  const page = {
    querySelector: (selector: string) => (selector.includes("font") ? {} : null),
    before: (warning: object) => warnings.push(warning),
  };
  const guard = new PageGuard(
    page as unknown as HTMLElement,
    () => "live",
    () => drawn.push(now),
    () => now,
  );
  for (; now <= 100_000; now += 1_000) {
    guard.check();
    expect(warnings.length).toBe(Number(now > 0));
  }
  expect(drawn).toEqual([0, 30_000, 60_000, 90_000]);
  expect(warnings[0]?.textContent).toContain("may be out of date");
  vi.unstubAllGlobals();
});
