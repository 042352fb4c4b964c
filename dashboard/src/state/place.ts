// What is shown, as the page's address has it: back and forward, links and bookmarks work.
import { signal } from "@preact/signals";
import type { Query } from "../api/client";
import { hashOf, placeOf, type Place } from "../model/address";

export const place = signal<Place>(placeOf(location.hash));

addEventListener("hashchange", () => {
  place.value = placeOf(location.hash);
});

export function go(hash: string): void {
  location.hash = hash;
}

/** Change the query of what is shown; without a step in the browser's history. */
export function refine(query: Query): void {
  const hash = hashOf({ ...place.value, query });
  history.replaceState(null, "", hash);
  place.value = placeOf(hash);
}

/** The same with such a step: for what somebody would want to go back from. */
export function step(query: Query): void {
  go(hashOf({ ...place.value, query }));
}
