// Who is signed in, for as long as this tab lives. A browser's own sign-in and a proxy's need none.
import { signal } from "@preact/signals";

const KEY = "canary.authorization";

/** Whether the server has refused for want of a sign-in, and the ways it offers. */
export const refused = signal<readonly string[] | null>(null);

/** What a request is sent with. */
export type Signed = Readonly<Record<string, string>>;

export function headers(): Signed {
  const known = sessionStorage.getItem(KEY);
  return known === null ? {} : { Authorization: known };
}

export function signIn(authorization: string): void {
  sessionStorage.setItem(KEY, authorization);
  refused.value = null;
}

export function basic(name: string, password: string): string {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** Have people sign in, unless somebody has since the refused request was sent. */
export function noteRefusal(answer: Response, sent: Signed): void {
  if (sessionStorage.getItem(KEY) !== (sent.Authorization ?? null)) {
    return;
  }
  sessionStorage.removeItem(KEY);
  const challenges = answer.headers.get("WWW-Authenticate") ?? "";
  refused.value = ["Basic", "Bearer"].filter((way) => challenges.includes(way));
}
