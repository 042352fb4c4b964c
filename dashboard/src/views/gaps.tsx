// The table of gaps: the times in which not every change was seen one by one, and why.
import type { Gap } from "../api/types";
import { memo } from "../parts/memo";
import { BOARD, PlainTable, type PlainColumn } from "../parts/plaintable";
import { At, Loading } from "../parts/words";

const REASONS: Record<Gap["reason"], string> = {
  coalesced: "changes came faster than they can be seen one by one",
  late: "a read of the board was late",
  suspended: "the connection to ZooKeeper was lost",
  handover: "a worker gave the board up, and no worker watched it until one took it",
  unregistered: "the board was removed from Canary, and added again later",
  restart: "no worker watched the board",
  overflow: "too many changes were waiting to be stored",
  denied: "the board’s ACL did not let Canary read it",
  board_deleted: "the board was deleted",
  drift: "a difference from ZooKeeper was found and repaired",
  era: "ZooKeeper was rebuilt or restored",
};

export const GapList = memo(
  ({ gaps, withPath }: { gaps: readonly Gap[] | null; withPath: boolean }) => {
    if (gaps === null) {
      return <Loading what="gaps" />;
    }
    if (gaps.length === 0) {
      return (
        <p class="quiet">
          No gaps are recorded. A gap is a time in which not every change was seen when it happened.
        </p>
      );
    }
    return (
      <PlainTable
        label="Gaps"
        columns={withPath ? [BOARD, ...REST] : REST}
        rows={gaps}
        keyOf={({ path, from, to, reason }) => `${path} ${from} ${to} ${reason}`}
      />
    );
  },
);

const REST: readonly PlainColumn<Gap>[] = [
  { name: "From", cell: ({ from }) => <At iso={from} /> },
  { name: "To", cell: ({ to }) => <At iso={to} /> },
  { name: "Unseen", cell: unseen },
  { name: "Why", cell: ({ reason }) => `${reason}: ${REASONS[reason]}` },
];

function unseen({ creates, deletes }: Gap): string {
  if (creates === null || deletes === null) {
    return "unknown";
  }
  return creates + deletes === 0
    ? "nothing, but the times of the changes are not known"
    : `${creates} creates, ${deletes} deletes`;
}
