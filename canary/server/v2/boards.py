"""``GET /v2/boards``: the boards that are registered and were watched at least once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flask import Response
from flask_openapi3 import APIBlueprint
from pydantic import Field

from canary.model import filters
from canary.model.filters import Filters
from canary.server.representation import JSON, board_state, optional_iso
from canary.server.v2.answers import JOBBOARDS, Made, answered, listed, names_of
from canary.server.v2.jobs import passed
from canary.server.v2.query import ListQuery, sorting
from canary.server.v2.schemas import Board, Boards
from canary.server.v2.values import Seconds
from canary.stores.boards import BoardNow
from canary.stores.reading import Reading
from canary.stores.tallies import OnBoard, Tallies, Tally

WINDOW = "over how long to count: seconds, or with s, m, h or d; by default [canary] interval"


class BoardsQuery(ListQuery):
    """A list of boards: a filter about jobs finds the boards that have such a job."""

    window: Seconds | None = Field(None, description=WINDOW)
    sort: Literal[
        "path", "-path", "freshness", "-freshness", "freshness_since", "-freshness_since",
        "unclaimed", "-unclaimed", "claimed", "-claimed", "ended", "-ended",
        "oldest_unclaimed", "-oldest_unclaimed",
    ] = sorting("path", "freshness", "freshness_since", "unclaimed", "claimed", "ended",
                "oldest_unclaimed")  # fmt: skip


@dataclass(frozen=True, slots=True)
class BoardList:
    """Makes the list of boards."""

    reading: Reading
    tallies: Tallies

    def make(self, asked: Filters, moment: datetime, window: timedelta) -> list[tuple[str, JSON]]:
        """Return all boards that ``asked`` finds, by path."""
        boards = asked_boards(self.reading, asked, moment)
        paths = [board.path for board in boards]
        since = moment - window
        on_boards = self.tallies.on_boards(paths)
        happened = self.tallies.happened(paths, since)
        unseen = self.tallies.unseen(paths, since)
        complete = self.reading.complete(boards, since, moment)
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
    """Return the blueprint; ``interval`` is the window of a request that does not say."""
    made = APIBlueprint("v2_boards", __name__, abp_tags=[JOBBOARDS])

    @made.get("/v2/boards", responses=answered(Boards))
    def answer(query: BoardsQuery) -> Response:
        """List the boards, each with its freshness, its jobs, and what happened lately."""
        window = timedelta(seconds=interval if query.window is None else query.window)
        source = Made(lambda asked, moment: boards.make(asked, moment, window), names_of(Board))
        return listed("boards", query, source)

    return made


def asked_boards(reading: Reading, asked: Filters, moment: datetime) -> list[BoardNow]:
    """Return the boards that the filters find, by path: by themselves, or by a job of theirs."""
    boards = [board for board in reading.boards(with_own=True) if is_asked(board.path, asked)]
    about_jobs = filters.without(asked, filters.Field.PATH)
    if about_jobs:
        having = reading.lists.boards_of(about_jobs, moment)
        boards = [board for board in boards if board.path in having]
    return boards


def is_asked(path: str, asked: Filters) -> bool:
    """Tell whether the filters for boards find the one at ``path``."""
    about = filters.only(asked, filters.Field.PATH)
    return all((path in each.values) is not each.negated for each in about)


def per_minute(tally: Tally, window: timedelta) -> JSON:
    """Return how often something happened in a minute of the window."""
    minutes = max(window.total_seconds(), 1) / 60
    counts = {"posted": tally.posted, "claimed": tally.claimed, "ended": tally.ended}
    return {name: round(count / minutes, 3) for name, count in counts.items()}


def waits(since: datetime | None, moment: datetime) -> float | None:
    """Return for how many seconds the job has waited that waits longest."""
    return None if since is None else passed(since, moment)


def watched(since: datetime | None, moment: datetime, window: timedelta) -> timedelta:
    """Return how much of the window comes after ``since``, from when on anything is known."""
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
        "unclaimed": on_board.unclaimed,
        "claimed": on_board.claimed,
        "ended": tally.ended,
        "oldest_unclaimed": waits(on_board.waits_from, moment),
        "per_minute": per_minute(tally, watched(now.watched_since, moment, window)),
    }
