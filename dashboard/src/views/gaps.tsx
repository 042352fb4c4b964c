// Intervals in which not everything was seen one by one: how much, and why.
import type { Gap } from "../api/types";
import { memo } from "../parts/memo";
import { BOARD, PlainTable, type PlainColumn } from "../parts/plaintable";
import { At, Loading } from "../parts/words";

const REASONS: Record<Gap["reason"], string> = {
  coalesced: "more happened at once than can be seen one by one",
  late: "a look came late",
  suspended: "ZooKeeper was not heard",
  handover: "a worker gave the board up, until one took it again",
  unregistered: "the board was removed from Canary, until it was added again",
  restart: "no worker watched",
  overflow: "more waited to be stored than may",
  denied: "the board’s ACL hid it",
  board_deleted: "the board was deleted",
  drift: "a difference from ZooKeeper was found and mended",
  era: "ZooKeeper was rebuilt or restored",
};

export const GapList = memo(
  ({ gaps, withPath }: { gaps: readonly Gap[] | null; withPath: boolean }) => {
    if (gaps === null) {
      return <Loading what="gaps" />;
    }
    if (gaps.length === 0) {
      return <p class="quiet">None are on record: everything was seen one by one.</p>;
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
    ? "nothing, but when it happened is not known"
    : `${creates} creates, ${deletes} deletes`;
}
