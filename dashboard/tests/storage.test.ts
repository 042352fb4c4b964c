import { describe, expect, it } from "vitest";
import { textStore } from "../src/api/storage";

function forbidden(): never {
  throw new DOMException("The document is forbidden to", "SecurityError");
}

describe("text that the browser keeps", () => {
  it("is kept in its storage", () => {
    const held = new Map<string, string>();
    const storage = {
      getItem: (key: string) => held.get(key) ?? null,
      setItem: (key: string, value: string) => void held.set(key, value),
      removeItem: (key: string) => void held.delete(key),
    } as Storage;
    const place = textStore(() => storage);
    place.set("zone", "UTC");
    expect([place.get("zone"), held.get("zone")]).toEqual(["UTC", "UTC"]);
    place.remove("zone");
    expect([place.get("zone"), held.size]).toEqual([null, 0]);
  });

  it.each([
    ["that may not be accessed", forbidden],
    ["that accepts nothing", () => ({ getItem: () => null, setItem: forbidden }) as never],
  ])("is kept in memory with a storage %s", (_, storage) => {
    const place = textStore(storage);
    expect(place.get("zone")).toBeNull();
    place.set("zone", "Europe/Berlin");
    expect(place.get("zone")).toBe("Europe/Berlin");
    place.remove("zone");
    expect(place.get("zone")).toBeNull();
  });
});
