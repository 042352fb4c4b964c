// Copies text; also where a browser has no clipboard for pages that come without TLS.
import { useState } from "preact/hooks";

const SHOWN = 2_000; // milliseconds

async function copy(text: string): Promise<void> {
  if ("clipboard" in navigator && isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const place = document.createElement("textarea");
  place.value = text;
  place.className = "unseen";
  document.body.append(place);
  place.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is nothing else without TLS
  const isDone = document.execCommand("copy");
  place.remove();
  if (!isDone) {
    throw new Error("the browser does not copy");
  }
}

export function Copy({ text, what }: { text: string; what: string }) {
  const [said, say] = useState("Copy");
  return (
    <button
      type="button"
      class="small"
      aria-label={`Copy ${what}`}
      onClick={() => {
        copy(text).then(
          () => say("Copied"),
          () => say("Can’t copy"),
        );
        setTimeout(() => say("Copy"), SHOWN);
      }}
    >
      {said}
    </button>
  );
}
