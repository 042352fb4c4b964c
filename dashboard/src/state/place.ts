// What the page shows, kept in the URL's hash: so back and forward, links and bookmarks work.
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

/** Change the query, without a new entry in the browser's history. */
export function replaceQuery(query: Query): void {
  const hash = hashOf({ ...place.value, query });
  history.replaceState(null, "", hash);
  place.value = placeOf(hash);
}

/** Change the query with a new entry, so that the user can go back. */
export function pushQuery(query: Query): void {
  go(hashOf({ ...place.value, query }));
}
