// The user's settings, kept in this browser.
import { effect, signal, type Signal } from "@preact/signals";
import { browserStore } from "../api/storage";

function setting(name: string, preset: string): Signal<string> {
  const key = `canary.${name}`;
  const made = signal(browserStore.get(key) ?? preset);
  effect(() => browserStore.set(key, made.value));
  return made;
}

/** The IANA time zone in which times are shown. */
export const zone = setting("zone", "UTC");
/** How times are shown: "relative" or "exact". */
export const times = setting("times", "relative");
