// A link to an answer that is saved as a file. A browser knows nothing of who signed in by the
// page's form: for them the page fetches it, and hands the browser what came.
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import { headers } from "../api/credentials";
import { messageOf } from "../model/text";
import { Failure } from "./words";

const SAVED = 60_000; // milliseconds after which a browser has taken over what it saves

function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), SAVED);
}

interface Properties {
  href: string;
  /** The file's name. */
  name: string;
  children: string;
}

export function Download({ href, name, children }: Properties) {
  const [isUnderWay, setUnderWay] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const fetching = useRef<AbortController | null>(null);
  useEffect(() => () => fetching.current?.abort(), []);

  const fetchIt = async () => {
    fetching.current?.abort();
    const mine = (fetching.current = new AbortController());
    setError(null);
    setUnderWay(true);
    try {
      const file = await api.file(href, mine.signal);
      if (!mine.signal.aborted) {
        save(file, name);
      }
    } catch (problem) {
      if (!mine.signal.aborted) {
        setError(messageOf(problem));
      }
    }
    if (fetching.current === mine) {
      setUnderWay(false);
    }
  };

  return (
    <>
      <a
        class="small"
        href={href}
        download={name}
        aria-busy={isUnderWay}
        onClick={(event) => {
          if (headers().Authorization !== undefined) {
            event.preventDefault();
            if (!isUnderWay) {
              void fetchIt();
            }
          }
        }}
      >
        {isUnderWay ? `${children}…` : children}
      </a>
      <Failure error={error} isFinal />
    </>
  );
}
