import { beforeEach, describe, expect, it, vi } from "vitest";
import { itself } from "../src/api/client";
import { headers, refused, signIn } from "../src/api/credentials";
import { later } from "./later";

const KEPT = new Map<string, string>();

vi.stubGlobal("sessionStorage", {
  getItem: (key: string) => KEPT.get(key) ?? null,
  setItem: (key: string, value: string) => KEPT.set(key, value),
  removeItem: (key: string) => KEPT.delete(key),
});

function refuse(): Response {
  return Response.json({}, { status: 401, headers: { "WWW-Authenticate": "Bearer" } });
}

describe("a refusal", () => {
  beforeEach(() => {
    KEPT.clear();
    refused.value = null;
  });

  it("has people sign in, and forgets what was refused", async () => {
    signIn("Bearer wrong");
    vi.stubGlobal("fetch", () => Promise.resolve(refuse()));
    await expect(itself()).rejects.toThrow("401");
    expect(headers()).toEqual({});
    expect(refused.value).toEqual(["Bearer"]);
  });

  it.each(["Bearer old", null])("of what was sent before a sign-in is no news: %s", async (old) => {
    if (old !== null) {
      signIn(old);
    }
    const { promise, resolve } = later<Response>();
    vi.stubGlobal("fetch", () => promise);
    const asked = itself();
    signIn("Bearer new");
    resolve(refuse());
    await expect(asked).rejects.toThrow("401");
    expect(headers()).toEqual({ Authorization: "Bearer new" });
    expect(refused.value).toBeNull();
  });
});
