// A button that copies text, also if the page was loaded without TLS: browsers offer no clipboard
// API to such pages, so execCommand is used.
import { useState } from "preact/hooks";

const SHOWN_FOR = 2_000; // milliseconds that the button shows the result

async function copy(text: string): Promise<void> {
  if ("clipboard" in navigator && isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is nothing else without TLS
  const isDone = document.execCommand("copy");
  field.remove();
  if (!isDone) {
    throw new Error("the browser does not copy");
  }
}

export function Copy({ text, what }: { text: string; what: string }) {
  const [label, setLabel] = useState("Copy");
  return (
    <button
      type="button"
      class="small"
      aria-label={`Copy ${what}`}
      onClick={() => {
        copy(text).then(
          () => setLabel("Copied"),
          () => setLabel("Can’t copy"),
        );
        setTimeout(() => setLabel("Copy"), SHOWN_FOR);
      }}
    >
      {label}
    </button>
  );
}
