// The order of the boards: those that need attention come first.
import type { Board } from "../api/types";

/**
 * Return how much a board needs attention; a higher number needs more. A board whose state is
 * unknown comes before one that is known to be slow. `orphans` is its number of orphaned claims.
 */
export function urgency(board: Board, orphans: number): number {
  const byFreshness = {
    unwatched: 5,
    denied: 5,
    suspended: 4,
    catching_up: 2,
    missing: 1,
    live: 0,
  };
  const longestWait = board.oldest_unclaimed ?? 0;
  return (
    byFreshness[board.freshness] * 1e6 +
    (orphans > 0 || board.trash_collisions > 0 ? 5e5 : 0) +
    (board.account.complete ? 0 : 1e5) +
    Math.min(longestWait, 99_999)
  );
}

/** Sort by urgency in steps, so that boards do not change places with each second of waiting. */
export function byUrgency<Each extends Board>(
  boards: readonly Each[],
  orphans: ReadonlyMap<string, number>,
): Each[] {
  const stepOf = (board: Board) =>
    Math.ceil(Math.log2(1 + urgency(board, orphans.get(board.path) ?? 0)));
  return boards
    .map((board) => ({ board, urgent: stepOf(board) }))
    .sort((a, b) => b.urgent - a.urgent || a.board.path.localeCompare(b.board.path))
    .map(({ board }) => board);
}
