// Which boards need a look first.
import type { Board } from "../api/types";

/** Higher needs it more. What is not known comes before what is known to be slow. */
export function urgency(board: Board, orphans: number): number {
  const stale = { unwatched: 5, denied: 5, suspended: 4, catching_up: 2, missing: 1, live: 0 };
  const waits = board.oldest_unclaimed ?? 0;
  return (
    stale[board.freshness] * 1e6 +
    (orphans > 0 ? 5e5 : 0) +
    (board.account.complete ? 0 : 1e5) +
    Math.min(waits, 99_999)
  );
}

/** Sort by urgency in steps, so that boards do not change places with every second of waiting. */
export function byUrgency<Each extends Board>(
  boards: readonly Each[],
  orphans: ReadonlyMap<string, number>,
): Each[] {
  const step = (board: Board) =>
    Math.ceil(Math.log2(1 + urgency(board, orphans.get(board.path) ?? 0)));
  return boards
    .map((board) => ({ board, urgent: step(board) }))
    .sort((a, b) => b.urgent - a.urgent || a.board.path.localeCompare(b.board.path))
    .map(({ board }) => board);
}
