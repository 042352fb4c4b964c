// Text that the page keeps in the browser's storage.
//
// A browser may forbid storage; even reading `localStorage` throws then. In that case the text is
// kept in memory, until the page is closed or reloaded. No method throws.

export interface TextStore {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
}

/** Return a store that keeps text in `storage()`, or in memory if that throws. */
export function textStore(storage: () => Storage): TextStore {
  const memory = new Map<string, string>();
  const attempt = <Result>(act: (storage: Storage) => Result, otherwise: () => Result): Result => {
    try {
      return act(storage());
    } catch {
      return otherwise();
    }
  };
  return {
    get: (key) =>
      memory.get(key) ??
      attempt(
        (it) => it.getItem(key),
        () => null,
      ),
    set(key, value) {
      memory.delete(key);
      attempt(
        (it) => it.setItem(key, value),
        () => void memory.set(key, value),
      );
    },
    remove(key) {
      memory.delete(key);
      attempt(
        (it) => it.removeItem(key),
        () => undefined,
      );
    },
  };
}

/** Kept until this tab is closed. */
export const tabStore = textStore(() => sessionStorage);
/** Kept in this browser for later visits. */
export const browserStore = textStore(() => localStorage);
