// Small things that are shown everywhere: states, freshness, times, text of others.
import type { ComponentChildren } from "preact";
import type { Board, Freshness, Job } from "../api/types";
import { counting, duration, exact, passed, precise } from "../model/times";
import { visible } from "../model/text";
import { interval, type Shown } from "../state/boards";
import { now } from "../state/connection";
import { times, zone } from "../state/settings";

/** Of each freshness its sign, its word, and what it means. */
export const FRESHNESS: Record<Freshness, readonly [string, string, string]> = {
  live: ["●", "live", "What is shown is what ZooKeeper holds."],
  catching_up: ["◐", "catching up", "Something that happened is not shown yet."],
  suspended: ["‖", "suspended", "Its watcher has no connection to ZooKeeper."],
  missing: ["○", "missing", "There is no such board in ZooKeeper; it is awaited."],
  denied: ["⊘", "denied", "The board's ACL does not let Canary read it."],
  unwatched: ["✕", "unwatched", "No worker watches it: what is shown is old."],
};

export function FreshnessBadge({ board }: { board: Board }) {
  const [sign, word, meaning] = FRESHNESS[board.freshness];
  const since = board.freshness_since;
  return (
    <span class={`badge freshness-${board.freshness}`} title={meaning}>
      <span aria-hidden="true">{sign}</span> {word}
      {board.freshness !== "live" && since !== null && (
        <>
          {" "}
          <Lasting iso={since} />
        </>
      )}
    </span>
  );
}

const STATES = { UNCLAIMED: ["◇", "unclaimed"], CLAIMED: ["▶", "claimed"] } as const;
const OUTCOMES = {
  consumed: ["✓", "consumed"],
  trashed: ["✕", "trashed"],
  removed: ["−", "removed"],
  board_deleted: ["−", "board deleted"],
  unknown: ["?", "ended"],
} as const;

export function StateBadge({ job }: { job: Pick<Job, "state" | "outcome" | "malformed"> }) {
  const [sign, word] =
    job.state === "COMPLETE" ? OUTCOMES[job.outcome ?? "unknown"] : STATES[job.state];
  const kind = job.state === "COMPLETE" ? (job.outcome ?? "unknown") : job.state.toLowerCase();
  return (
    <span class={`badge state-${kind}`}>
      <span aria-hidden="true">{sign}</span> {word}
      {job.malformed !== null && ", malformed"}
    </span>
  );
}

export function Completeness({ board }: { board: Shown }) {
  const { complete, unseen_creates: creates, unseen_deletes: deletes } = board.account;
  if (complete) {
    return <span class="badge good">✓ complete</span>;
  }
  const unseen = creates + deletes;
  const since = board.watched_since;
  const isYoung = since !== null && passed(Date.parse(since), now.value) < interval.value;
  if (unseen === 0 && isYoung && !board.hasGaps) {
    return (
      <span class="badge quiet" title="What was before is not known.">
        ◔ last <Timer from={Date.parse(since)} />
      </span>
    );
  }
  return (
    <span class="badge busy" title={`${creates} creates and ${deletes} deletes were only counted`}>
      ⚠ {unseen ? `${unseen} unseen` : "gaps"}
    </span>
  );
}

/** How long ago, or when exactly: as preferred; the other one is told on request. */
export function Since({ iso }: { iso: string | null }) {
  return iso === null ? (
    <>–</>
  ) : (
    <Moment iso={iso} exactly={(at) => at} passed={(by) => `${by} ago`} />
  );
}

/** For how long by now, or since when. */
function Lasting({ iso }: { iso: string }) {
  return <Moment iso={iso} exactly={(at) => `since ${at}`} passed={(by) => `for ${by}`} />;
}

interface MomentProperties {
  iso: string;
  exactly: (moment: string) => string;
  passed: (duration: string) => string;
}

function Moment({ iso, exactly, passed: relatively }: MomentProperties) {
  return (
    <time dateTime={iso} title={exact(iso, zone.value)}>
      {times.value === "exact"
        ? exactly(precise(iso, zone.value))
        : relatively(counting(passed(Date.parse(iso), now.value)))}
    </time>
  );
}

export function At({ iso }: { iso: string | null }) {
  return iso === null ? (
    <>–</>
  ) : (
    <time dateTime={iso} title={exact(iso, zone.value)}>
      {precise(iso, zone.value)}
    </time>
  );
}

/** A timer that runs from a moment on, milliseconds since 1970, or a duration that is over. */
export function Timer({ from, spent }: { from: number | null; spent?: number | null }) {
  return <>{from === null ? duration(spent ?? null) : counting(passed(from, now.value))}</>;
}

/** Text that somebody else wrote. */
export function Foreign({ text, most }: { text: string | null; most?: number }) {
  return text === null ? <span class="quiet">–</span> : <bdi>{visible(text, most)}</bdi>;
}

export function Note({ kind, children }: { kind: string; children: ComponentChildren }) {
  return (
    <div class={`note ${kind}`} role={kind === "bad" ? "alert" : undefined}>
      {children}
    </div>
  );
}

/** What went wrong; nothing that is `final` is tried again. */
export function Failure({ error, isFinal = false }: { error: string | null; isFinal?: boolean }) {
  return error === null ? null : (
    <Note kind="bad">
      <p>
        <Foreign text={error} most={1_000} />
      </p>
      {!isFinal && <p class="quiet">Trying again by itself.</p>}
    </Note>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="quiet loading" role="status">
      Loading {what}…
    </p>
  );
}
