// A link that saves an answer of the API as a file.
//
// If the user signed in with the page's form, the browser does not know the credentials. Then the
// page fetches the file and passes it to the browser when it is complete.
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import { authHeaders } from "../api/credentials";
import { messageOf } from "../model/text";
import { Failure } from "./words";

const REVOKE_AFTER = 60_000; // milliseconds after which the browser has taken over the file

function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), REVOKE_AFTER);
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
      const file = await api.fetchFile(href, mine.signal);
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
          if (authHeaders().Authorization !== undefined) {
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
