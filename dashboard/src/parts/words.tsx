// Small components that all views use: badges, times, names, text that others wrote, notes.
import type { ComponentChildren } from "preact";
import type { Board, Freshness, Job } from "../api/types";
import {
  coarseTimerText,
  dateTimeToMs,
  dateTimeWithZone,
  duration,
  elapsed,
  timerText,
} from "../model/times";
import { halves, visible } from "../model/text";
import { windowSeconds, type ShownBoard } from "../state/boards";
import { now } from "../state/connection";
import { times, zone } from "../state/settings";

/** The sign, word and meaning of each freshness. */
export const FRESHNESS: Record<Freshness, readonly [string, string, string]> = {
  live: ["●", "live", "The page shows the board’s current state in ZooKeeper."],
  catching_up: ["◐", "catching up", "Some changes are not shown yet."],
  suspended: ["‖", "suspended", "ZooKeeper does not answer the worker that watches this board."],
  missing: [
    "○",
    "missing",
    "The board does not exist in ZooKeeper. It is shown as soon as it is created.",
  ],
  denied: ["⊘", "denied", "The board’s ACL does not let Canary read it."],
  unwatched: ["✕", "unwatched", "No worker watches this board. What is shown may be out of date."],
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
          <Duration iso={since} />
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

export function Completeness({ board }: { board: ShownBoard }) {
  const { complete, unseen_creates: creates, unseen_deletes: deletes } = board.account;
  if (complete) {
    return <span class="badge good">✓ complete</span>;
  }
  const unseen = creates + deletes;
  const since = board.watched_since;
  const isYoung = since !== null && elapsed(Date.parse(since), now.value) < windowSeconds.value;
  if (unseen === 0 && isYoung && !board.hasGaps) {
    return (
      <span class="badge quiet" title="What happened before that is not known.">
        ◔ last {coarseTimerText(elapsed(Date.parse(since), now.value))}
      </span>
    );
  }
  return (
    <span
      class="badge busy"
      title={`${creates} creates and ${deletes} deletes were counted, but not seen one by one`}
    >
      ⚠ {unseen ? `${unseen} unseen` : "gaps"}
    </span>
  );
}

/** How long ago a time was, or the exact time, as set by the user. The tooltip is always exact. */
export function Since({ iso }: { iso: string | null }) {
  return iso === null ? (
    <>–</>
  ) : (
    <Moment iso={iso} exactText={(at) => at} relativeText={(by) => `${by} ago`} />
  );
}

/** For how long something has lasted, or since when, as set by the user. */
function Duration({ iso }: { iso: string }) {
  return <Moment iso={iso} exactText={(at) => `since ${at}`} relativeText={(by) => `for ${by}`} />;
}

interface MomentProperties {
  iso: string;
  exactText: (moment: string) => string;
  relativeText: (duration: string) => string;
}

function Moment({ iso, exactText, relativeText }: MomentProperties) {
  return (
    <time dateTime={iso} title={dateTimeWithZone(iso, zone.value)}>
      {times.value === "exact"
        ? exactText(dateTimeToMs(iso, zone.value))
        : relativeText(timerText(elapsed(Date.parse(iso), now.value)))}
    </time>
  );
}

export function At({ iso }: { iso: string | null }) {
  return iso === null ? (
    <>–</>
  ) : (
    <time dateTime={iso} title={dateTimeWithZone(iso, zone.value)}>
      {dateTimeToMs(iso, zone.value)}
    </time>
  );
}

/** A timer that runs from `from`, milliseconds since 1970; or, if that is null, `spent` seconds. */
export function Timer({ from, spent }: { from: number | null; spent?: number | null }) {
  return <>{from === null ? duration(spent ?? null) : timerText(elapsed(from, now.value))}</>;
}

/** Text that others wrote, which may be hostile: invisible characters are written out. */
export function Foreign({ text, maxLength }: { text: string | null; maxLength?: number }) {
  return text === null ? <span class="quiet">–</span> : <bdi>{visible(text, maxLength)}</bdi>;
}

/** The same for a name that may not fit: it is cut in the middle, and the tooltip has all of it. */
export function Name({ text }: { text: string | null }) {
  if (text === null) {
    return <Foreign text={text} />;
  }
  const whole = visible(text, 1_100);
  const [start, end] = halves(whole);
  return end === "" ? (
    <bdi title={whole}>{whole}</bdi>
  ) : (
    <bdi class="cut" title={whole} onCopy={copyWhole}>
      <span class="start">{start}</span>
      <span class="end">{end}</span>
    </bdi>
  );
}

/**
 * Remove the line break between the two parts of a name from what the user copies. A selection that
 * goes beyond the name is left as it is, because its line breaks are between rows.
 */
function copyWhole(event: ClipboardEvent): void {
  const selection = getSelection();
  const name = event.currentTarget as Node;
  if (
    !name.contains(selection?.anchorNode ?? null) ||
    !name.contains(selection?.focusNode ?? null)
  ) {
    return;
  }
  event.clipboardData?.setData("text/plain", String(selection).replaceAll("\n", ""));
  event.preventDefault();
}

export function Note({ kind, children }: { kind: string; children: ComponentChildren }) {
  return (
    <div class={`note ${kind}`} role={kind === "bad" ? "alert" : undefined}>
      {children}
    </div>
  );
}

/** A note that ZooKeeper's clock is off, and by how much, if it is for one of the boards. */
export function ClockNote({ boards }: { boards: readonly Board[] }) {
  const off = boards.filter((board) => board.clock_off && board.clock_offset !== null);
  const by = off.reduce(
    (worst, { clock_offset: each }) =>
      Math.abs(each ?? 0) > Math.abs(worst) ? (each ?? 0) : worst,
    0,
  );
  return off.length === 0 ? null : (
    <Note kind="busy">
      <p>
        ZooKeeper’s clock is {duration(Math.abs(by))} {by > 0 ? "ahead of" : "behind"} MongoDB’s.
        Times use MongoDB’s clock. For what happened before Canary watched a board, Canary assumes
        that ZooKeeper’s clock was off by the same amount then, so those times may be wrong.
        Synchronize the clocks of ZooKeeper’s servers with NTP.
      </p>
    </Note>
  );
}

/** An error message. If `isFinal`, the request is not tried again. */
export function Failure({ error, isFinal = false }: { error: string | null; isFinal?: boolean }) {
  return error === null ? null : (
    <Note kind="bad">
      <p>
        <Foreign text={error} maxLength={1_000} />
      </p>
      {!isFinal && <p class="quiet">The page tries again automatically.</p>}
    </Note>
  );
}

/** A view that is loading, or the reason why it cannot be loaded. */
export function LoadingView({ what, error }: { what: string; error: string | null }) {
  return <main>{error === null ? <Loading what={what} /> : <Failure error={error} />}</main>;
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="quiet loading" role="status">
      Loading {what}…
    </p>
  );
}
