// What the words mean, which who points at nothing is not told otherwise, and what the keyboard does.
import { useEffect, useRef } from "preact/hooks";
import { FRESHNESS } from "../parts/words";
import { isHelpOpen, KEYS } from "../state/keys";

const OTHERS = [
  ["✓", "complete", "Every change within the window was seen one by one."],
  ["⚠", "unseen", "So many creates and deletes were only counted: the gaps tell when, and why."],
  ["◔", "last …", "Canary has looked for no longer: what was before is not known."],
  ["✕", "nobody", "No conductor is registered with the session of a claim: its jobs are orphaned."],
] as const;

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-label="Help"
      onClose={() => (isHelpOpen.value = false)}
      onClick={(event) => {
        if (event.target === dialog.current) {
          isHelpOpen.value = false;
        }
      }}
    >
      <div class="parts">
        <div>
          <h2>Words</h2>
          <dl class="keys">
            {[...Object.values(FRESHNESS), ...OTHERS].map(([sign, word, meaning]) => (
              <>
                <dt>
                  <span aria-hidden="true">{sign}</span> {word}
                </dt>
                <dd>{meaning}</dd>
              </>
            ))}
          </dl>
        </div>
        <div class="keyboard">
          <h2>Keyboard</h2>
          <dl class="keys">
            {KEYS.map(([key, words]) => (
              <>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{words}</dd>
              </>
            ))}
          </dl>
        </div>
      </div>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
