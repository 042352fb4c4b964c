// A job's changes in order, with the time that it waited or ran between them.
import { STEP } from "../api/jobhistory";
import type { Change, JobAnswer, JobInFull } from "../api/types";
import { rowOf } from "../model/moves";
import { duration } from "../model/times";
import { At, Foreign, Timer } from "../parts/words";

/** Shows more changes of a long history; null while they are being fetched. */
export type ShowMore = (() => void) | null;

const WORDS: Record<Change["kind"], string> = {
  posted: "Posted",
  malformed: "Posted, malformed",
  claimed: "Claimed",
  abandoned: "Abandoned",
  edited: "Edited by hand",
  consumed: "Consumed",
  trashed: "Trashed",
  removed: "Removed by hand",
  ended: "Ended, outcome unknown",
  node_created: "Node created",
  node_deleted: "Node deleted",
};

const CLOCK_OFF = 3_000; // milliseconds; the server uses the same limit

function isClockOff({ at, moment }: Change): boolean {
  return at !== null && Math.abs(Date.parse(at) - Date.parse(moment)) > CLOCK_OFF;
}

interface Properties {
  changes: readonly Change[];
  job: JobInFull;
  leftOut: JobAnswer["left_out"];
  showMore: ShowMore;
}

export function Timeline({ changes, job, leftOut, showMore }: Properties) {
  const row = rowOf(job);
  return (
    <ol class="timeline">
      {leftOut?.after === 0 && <LeftOut count={leftOut.changes} showMore={showMore} />}
      {changes.map((change, number) => {
        const at = change.moment;
        const next = changes[number + 1];
        const until = next ? Date.parse(next.moment) : null;
        const isBeforeMore = leftOut?.after === change.revision;
        return [
          <li key={change.revision} class={`kind-${change.kind}`}>
            <strong>{WORDS[change.kind]}</strong>
            {change.edit !== null && <Edited edit={change.edit} />}
            {change.edit === null && change.owner !== null && (
              <>
                {" "}
                by <Foreign text={change.owner} />
              </>
            )}
            <div class="quiet">
              <At iso={at} />
              {change.at === null &&
                " (time when Canary saw it; ZooKeeper does not record when it happened)"}
              {isClockOff(change) && (
                <>
                  {" "}
                  (<At iso={change.at} /> by ZooKeeper’s clock, which was wrong)
                </>
              )}
            </div>
            {change.state !== "COMPLETE" && !isBeforeMore && (
              <div class="span">
                {until === null ? (
                  <>
                    {change.state === "CLAIMED" ? "running" : "waiting"} for{" "}
                    <Timer from={row.runningFrom ?? row.waitingFrom} /> in total
                  </>
                ) : (
                  <>
                    {change.state === "CLAIMED" ? "ran" : "waited"} for{" "}
                    {duration((until - Date.parse(at)) / 1000)}
                  </>
                )}
              </div>
            )}
          </li>,
          isBeforeMore && <LeftOut key="more" count={leftOut.changes} showMore={showMore} />,
        ];
      })}
    </ol>
  );
}

/** An edit by hand, and what it changed. */
function Edited({ edit }: { edit: NonNullable<Change["edit"]> }) {
  const { edits, before, after, changed } = edit;
  const several = edits === null ? "an unknown number of edits" : `${edits} edits`;
  return (
    <>
      {edit.of === "lock" && ": the claim’s lock"}
      {edits !== 1 && ` (${several} together)`}
      {before === null && <div class="quiet">The previous content is not known.</div>}
      {before !== null && after.malformed !== null && (
        <div class="span">
          Now malformed: <Foreign text={after.malformed} maxLength={1_000} />
        </div>
      )}
      {before !== null && changed.length === 0 && after.malformed === null && (
        <div class="quiet">No difference in the part that Canary stores.</div>
      )}
      {changed.map(({ field, before: old, after: now }) => (
        <div class="span" key={field}>
          <Foreign text={field} />: <Foreign text={old} /> → <Foreign text={now} />
        </div>
      ))}
    </>
  );
}

/** Stands for the changes that the server left out of a long history. */
function LeftOut({ count, showMore }: { count: number; showMore: ShowMore }) {
  return (
    <li class="left-out">
      <strong>{count.toLocaleString("en")} more changes are not shown.</strong>{" "}
      <button type="button" disabled={showMore === null} onClick={showMore ?? undefined}>
        {count > STEP ? `Show the next ${STEP.toLocaleString("en")}` : "Show them"}
      </button>
    </li>
  );
}
