import { beforeEach, describe, expect, it, vi } from "vitest";
import { canary } from "../src/api/client";
import { authHeaders, signIn, signInMethods } from "../src/api/credentials";
import { deferred } from "./deferred";

const KEPT = new Map<string, string>();

vi.stubGlobal("sessionStorage", {
  getItem: (key: string) => KEPT.get(key) ?? null,
  setItem: (key: string, value: string) => KEPT.set(key, value),
  removeItem: (key: string) => KEPT.delete(key),
});

function refuse(): Response {
  return Response.json({}, { status: 401, headers: { "WWW-Authenticate": "Bearer" } });
}

describe("a response with status 401", () => {
  beforeEach(() => {
    KEPT.clear();
    signInMethods.value = null;
  });

  it("shows the sign-in form, and forgets the credentials", async () => {
    signIn("Bearer wrong");
    vi.stubGlobal("fetch", () => Promise.resolve(refuse()));
    await expect(canary()).rejects.toThrow("401");
    expect(authHeaders()).toEqual({});
    expect(signInMethods.value).toEqual(["Bearer"]);
  });

  it.each(["Bearer old", null])("is ignored after a newer sign-in: %s", async (old) => {
    if (old !== null) {
      signIn(old);
    }
    const { promise, resolve } = deferred<Response>();
    vi.stubGlobal("fetch", () => promise);
    const asked = canary();
    signIn("Bearer new");
    resolve(refuse());
    await expect(asked).rejects.toThrow("401");
    expect(authHeaders()).toEqual({ Authorization: "Bearer new" });
    expect(signInMethods.value).toBeNull();
  });
});
