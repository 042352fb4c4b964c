// Intervals in which not everything was seen one by one: how much, and why.
import type { Gap } from "../api/types";
import { boardAt } from "../model/address";
import { At, Foreign, Loading } from "../parts/words";

const REASONS: Record<Gap["reason"], string> = {
  coalesced: "more happened at once than can be seen one by one",
  late: "a look came late",
  suspended: "ZooKeeper was not heard",
  handover: "the board changed hands between workers",
  restart: "no worker watched",
  overflow: "more waited to be stored than may",
  denied: "the board’s ACL hid it",
  board_deleted: "the board was deleted",
  drift: "a difference from ZooKeeper was found and mended",
  era: "ZooKeeper was rebuilt or restored",
};

export function GapList({ gaps, withPath }: { gaps: readonly Gap[] | null; withPath: boolean }) {
  if (gaps === null) {
    return <Loading what="gaps" />;
  }
  if (gaps.length === 0) {
    return <p class="quiet">None are on record: everything was seen one by one.</p>;
  }
  return (
    <div class="wide" tabIndex={0} role="region" aria-label="Gaps">
      <table class="plain">
        <thead>
          <tr>
            {withPath && <th scope="col">Board</th>}
            <th scope="col">From</th>
            <th scope="col">To</th>
            <th scope="col">Unseen</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {gaps.map((gap) => (
            <tr>
              {withPath && (
                <td>
                  <a href={boardAt(gap.path)}>
                    <Foreign text={gap.path} />
                  </a>
                </td>
              )}
              <td>
                <At iso={gap.from} />
              </td>
              <td>
                <At iso={gap.to} />
              </td>
              <td>{unseen(gap)}</td>
              <td>
                {gap.reason}: {REASONS[gap.reason]}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function unseen({ creates, deletes }: Gap): string {
  if (creates === null || deletes === null) {
    return "unknown";
  }
  return creates + deletes === 0
    ? "nothing, but when it happened is not known"
    : `${creates} creates, ${deletes} deletes`;
}
