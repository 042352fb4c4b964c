// The help dialog: the meanings of the page's words, for users without tooltips too, and the keys.
import { useEffect, useRef } from "preact/hooks";
import { FRESHNESS } from "../parts/words";
import { isHelpOpen, KEYS } from "../state/keyboard";

const OTHERS = [
  ["✓", "complete", "Every change in the window was seen one by one."],
  [
    "⚠",
    "unseen",
    "That many creates and deletes were counted but not seen one by one. The gaps show when and why.",
  ],
  ["◔", "last …", "How long Canary has watched the board. Nothing is known from before."],
  ["✕", "no session", "The claim has no ZooKeeper session: it is orphaned."],
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
