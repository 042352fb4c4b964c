// What this browser's user prefers, kept in this browser.
import { effect, signal, type Signal } from "@preact/signals";

function kept(name: string, preset: string): Signal<string> {
  const key = `canary.${name}`;
  let known: string | null = null;
  try {
    known = localStorage.getItem(key);
  } catch {
    // A browser that keeps nothing: the preset will do.
  }
  const setting = signal(known ?? preset);
  effect(() => {
    try {
      localStorage.setItem(key, setting.value);
    } catch {
      // The same.
    }
  });
  return setting;
}

/** An IANA zone. */
export const zone = kept("zone", "UTC");
/** "relative" or "exact". */
export const times = kept("times", "relative");
