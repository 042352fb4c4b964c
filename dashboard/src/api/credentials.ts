// The credentials that were typed into the page's sign-in form, kept until this tab is closed.
//
// If the browser or a proxy signs the user in, nothing is kept here and requests are sent without
// an Authorization header of the page's own.
import { signal } from "@preact/signals";
import { tabStore } from "./storage";

const KEY = "canary.authorization";

/** The HTTP authentication schemes that the server offers, or null while no sign-in is needed. */
export const signInMethods = signal<readonly string[] | null>(null);

/** The headers that authenticate a request: Authorization, or none. */
export type AuthHeaders = Readonly<Record<string, string>>;

export function authHeaders(): AuthHeaders {
  const authorization = tabStore.get(KEY);
  return authorization === null ? {} : { Authorization: authorization };
}

export function signIn(authorization: string): void {
  tabStore.set(KEY, authorization);
  signInMethods.value = null;
}

export function basic(name: string, password: string): string {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/**
 * Show the sign-in form after a response with status 401, and forget the credentials. `sent` are
 * the headers of the request. If the credentials have changed since it was sent, nothing happens.
 */
export function noteUnauthorized(answer: Response, sent: AuthHeaders): void {
  if (tabStore.get(KEY) !== (sent.Authorization ?? null)) {
    return;
  }
  tabStore.remove(KEY);
  const challenges = answer.headers.get("WWW-Authenticate") ?? "";
  signInMethods.value = ["Basic", "Bearer"].filter((method) => challenges.includes(method));
}
