"""``GET /v2/boards``: the registered boards that were watched at least once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, Field

from canary.model import filters
from canary.model.filters import Filters
from canary.server.representation import JSON, board_state, optional_iso
from canary.server.v2.answers import JOBBOARDS, Made, answered, listed, names_of
from canary.server.v2.jobs import passed
from canary.server.v2.query import ListQuery, sorting
from canary.server.v2.schemas import Board, Boards
from canary.server.v2.values import Seconds
from canary.stores.queries.board_status import BoardNow
from canary.stores.queries.counts import OnBoard, Tallies, Tally
from canary.stores.queries.jobs_at import Queries, Snapshot

WINDOW = "how far back to count: seconds, or with s, m, h or d; by default [canary] interval"


class BoardsQuery(ListQuery):
    """A list of boards. A filter about jobs finds the boards that have such a job."""

    row: ClassVar[type[BaseModel]] = Board
    moments: ClassVar[type] = str
    window: Seconds | None = Field(None, description=WINDOW)
    sort: Literal[
        "path", "-path", "freshness", "-freshness", "freshness_since", "-freshness_since",
        "unclaimed", "-unclaimed", "claimed", "-claimed", "ended", "-ended",
        "oldest_unclaimed", "-oldest_unclaimed", "oldest_claimed", "-oldest_claimed",
    ] = sorting("path", "freshness", "freshness_since", "unclaimed", "claimed", "ended",
                "oldest_unclaimed", "oldest_claimed")  # fmt: skip


@dataclass(frozen=True, slots=True)
class BoardList:
    """Makes the rows of the list of boards."""

    queries: Queries
    tallies: Tallies

    def make(self, asked: Filters, moment: datetime, window: timedelta) -> list[tuple[str, JSON]]:
        """Return the rows of all boards that ``asked`` finds, with their paths as identities.

        Counts and rates are of the ``window`` up to ``moment``. Everything is read from one
        snapshot, so the counts are those at the board's revision.
        """
        since = moment - window

        def read(session: Snapshot | None) -> Any:
            boards = asked_boards(self.queries, asked, moment, session)
            paths = [board.path for board in boards]
            return (
                boards,
                self.tallies.on_boards(paths, session),
                self.tallies.happened(paths, since, session),
                self.tallies.unseen(paths, since, session),
                self.queries.complete(boards, since, moment, session),
            )

        boards, on_boards, happened, unseen, complete = self.queries.at_one_moment(read)
        return [
            (
                board.path,
                _board(board, on_boards[board.path], happened[board.path], moment, window)
                | {
                    "account": {
                        "unseen_creates": unseen[board.path][0],
                        "unseen_deletes": unseen[board.path][1],
                        "complete": board.path in complete,
                    }
                },
            )
            for board in boards
        ]


def blueprint(boards: BoardList, interval: int) -> APIBlueprint:
    """Return the blueprint; ``interval`` is the default window in seconds."""
    made = APIBlueprint("v2_boards", __name__, abp_tags=[JOBBOARDS])

    @made.get("/v2/boards", responses=answered(Boards))
    def answer(query: BoardsQuery) -> Response:
        """List the boards, each with its freshness, its job counts and what happened lately."""
        window = timedelta(seconds=interval if query.window is None else query.window)
        source = Made(lambda asked, moment: boards.make(asked, moment, window), names_of(Board))
        return listed("boards", query, source)

    return made


def asked_boards(
    queries: Queries, asked: Filters, moment: datetime, session: Snapshot | None = None
) -> list[BoardNow]:
    """Return the boards that the filters find, in order of their paths.

    Filters about jobs find the boards that have such a job.
    """
    known = queries.boards(with_own=True, session=session)
    boards = [board for board in known if is_asked(board.path, asked)]
    about_jobs = filters.without(asked, filters.Field.PATH)
    if about_jobs:
        having = queries.lists.boards_of(about_jobs, moment)
        boards = [board for board in boards if board.path in having]
    return boards


def is_asked(path: str, asked: Filters) -> bool:
    """Return whether the filters by path find the board at ``path``."""
    about = filters.only(asked, filters.Field.PATH)
    return all((path in each.values) is not each.negated for each in about)


def per_minute(tally: Tally, window: timedelta) -> JSON:
    """Return how often jobs were posted, claimed and ended, per minute of the window."""
    minutes = max(window.total_seconds(), 1) / 60
    counts = {"posted": tally.posted, "claimed": tally.claimed, "ended": tally.ended}
    return {name: round(count / minutes, 3) for name, count in counts.items()}


def waits(since: datetime | None, moment: datetime) -> float | None:
    """Return the seconds from ``since`` to ``moment``; None if ``since`` is None."""
    return None if since is None else passed(since, moment)


def watched(since: datetime | None, moment: datetime, window: timedelta) -> timedelta:
    """Return the part of the window that comes after ``since``, when watching began."""
    return min(window, moment - since) if since else window


def _board(
    now: BoardNow, on_board: OnBoard, tally: Tally, moment: datetime, window: timedelta
) -> JSON:
    return {
        **board_state(now.path, now),
        "revision": now.revision,
        "watched_since": optional_iso(now.watched_since),
        "live_until": optional_iso(now.live_until),
        "drift": now.drift,
        "clock_offset": now.clock_offset,
        "clock_off": now.clock_off,
        "unclaimed": on_board.unclaimed,
        "claimed": on_board.claimed,
        "ended": tally.ended,
        "oldest_unclaimed": waits(on_board.waits_from, moment),
        "trash_collisions": on_board.collisions,
        "oldest_claimed": waits(on_board.claimed_from, moment),
        "per_minute": per_minute(tally, watched(now.watched_since, moment, window)),
    }
