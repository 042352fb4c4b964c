"""The server's questions, asked of a real MongoDB."""

from datetime import datetime, timedelta
from typing import Any

import pymongo
import pytest
from pymongo.database import Database
from pymongo.monitoring import CommandListener, CommandStartedEvent

from canary.config import Config, MongoOptions
from canary.errors import StoreUnavailable
from canary.model.freshness import Freshness
from canary.model.jobs import JobState, Outcome
from canary.stores.mongo.client import connect
from canary.stores.mongo.documents import Behind, Document
from canary.stores.queries.board_status import BoardNow
from canary.stores.queries.counts import OnBoard
from canary.stores.queries.jobs_at import JobSeen, Queries
from tests.integration.written_board import (
    WrittenBoard,
    abandoned,
    ago,
    claimed,
    ended,
    name_of,
    now,
    posted,
)

KEEPS = timedelta(days=7)
HOUR = timedelta(hours=1)
PATH = "/lbaas/jobs"


@pytest.fixture
def queries(connected: Database[Document]) -> Queries:
    return Queries(connected, KEEPS)


def board_of(queries: Queries, path: str = PATH) -> BoardNow:
    board = queries.board(path)
    assert board is not None
    return board


def jobs_of(
    queries: Queries, *, interval: timedelta = HOUR, at: datetime | None = None, path: str = PATH
) -> dict[str, JobSeen]:
    with queries.jobs(path, interval, at) as found:
        assert found is not None
        return {job.document["name"]: job for job in found.jobs}


def is_complete(queries: Queries, interval: float, at: datetime | None = None) -> bool:
    with queries.jobs(PATH, timedelta(seconds=interval), at) as found:
        assert found is not None
        return found.complete


class TestFreshness:
    def test_a_board_whose_worker_beats_is_what_its_document_says(
        self, database: Database[Document], queries: Queries
    ) -> None:
        since = ago(60)
        WrittenBoard(database, since=since, watched_since=ago(600)).beat()
        board = board_of(queries)
        assert (board.freshness, board.freshness_since) == (Freshness.LIVE, since)
        assert board.watcher == "worker-1"
        assert board.live_until == board.now

    def test_a_silent_worker_leaves_its_board_unwatched_since_its_last_beat(
        self, database: Database[Document], queries: Queries
    ) -> None:
        written = WrittenBoard(database, since=ago(600), watched_since=ago(600))
        written.beat(lasting=-5)
        board = board_of(queries)
        beat = database.workers.find_one({"_id": "worker-1"})
        assert beat is not None
        assert board.freshness is Freshness.UNWATCHED
        assert board.freshness_since == board.live_until == beat["beat"]

    def test_a_worker_is_not_silent_before_three_seconds(
        self, database: Database[Document], queries: Queries
    ) -> None:
        WrittenBoard(database, watched_since=ago(600)).beat(lasting=-1.0)
        assert board_of(queries).freshness is Freshness.LIVE

    def test_what_was_suspended_before_its_worker_died_is_known_until_then_only(
        self, database: Database[Document], queries: Queries
    ) -> None:
        suspended_at = ago(60)
        written = WrittenBoard(
            database, since=suspended_at, watched_since=ago(600), freshness=Freshness.SUSPENDED
        )
        written.beat(lasting=-10)
        board = board_of(queries)
        assert board.freshness is Freshness.UNWATCHED
        assert board.live_until == suspended_at < board.freshness_since

    def test_a_board_whose_changes_wait_to_be_stored_is_catching_up(
        self, database: Database[Document], queries: Queries
    ) -> None:
        written = WrittenBoard(database, since=ago(600), watched_since=ago(600))
        behind = ago(30)
        written.beat(Behind(PATH, 1, behind, behind, watched=True))
        board = board_of(queries)
        assert board.freshness is Freshness.CATCHING_UP
        assert board.freshness_since == board.live_until == behind

    def test_what_waits_for_less_than_a_second_is_no_delay(
        self, database: Database[Document], queries: Queries
    ) -> None:
        written = WrittenBoard(database, since=ago(600), watched_since=ago(600))
        # By the heartbeat's own clock, which this one is an hour ahead.
        written.beat(Behind(PATH, 1, ago(-3600 + 5), ago(-3600 + 0.5), watched=True))
        assert board_of(queries).freshness is Freshness.LIVE

    def test_what_another_take_or_another_board_waits_for_does_not_matter(
        self, database: Database[Document], queries: Queries
    ) -> None:
        written = WrittenBoard(database, since=ago(600), watched_since=ago(600))
        before = Behind(PATH, 0, ago(30), ago(30), watched=False)
        written.beat(before, Behind("/other/jobs", 1, ago(30), ago(30), watched=True))
        assert board_of(queries).freshness is Freshness.LIVE

    def test_a_board_that_its_worker_left_is_unwatched_though_that_worker_beats(
        self, database: Database[Document], queries: Queries
    ) -> None:
        left = ago(20)
        written = WrittenBoard(database, since=ago(600), watched_since=ago(600))
        written.beat(Behind(PATH, 1, left, left, watched=False))
        board = board_of(queries)
        assert board.freshness is Freshness.UNWATCHED
        assert board.freshness_since == board.live_until == left

    def test_a_worker_that_died_with_changes_unwritten_is_believed_until_the_first_of_them(
        self, database: Database[Document], queries: Queries
    ) -> None:
        behind = ago(40)
        written = WrittenBoard(database, since=ago(600), watched_since=ago(600))
        written.beat(Behind(PATH, 1, behind, behind, watched=True), lasting=-10, until=ago(11))
        board = board_of(queries)
        assert board.freshness is Freshness.UNWATCHED
        assert board.live_until == behind < board.freshness_since

    def test_a_worker_is_believed_as_far_as_zookeeper_answered_it(
        self, database: Database[Document], queries: Queries
    ) -> None:
        until = ago(12)
        WrittenBoard(database, since=ago(600), watched_since=ago(600)).beat(
            lasting=-10, until=until
        )
        assert board_of(queries).live_until == until

    def test_a_board_that_was_given_up_is_unwatched_since_then(
        self, database: Database[Document], queries: Queries
    ) -> None:
        since = ago(60)
        WrittenBoard(database).release(since)
        board = board_of(queries)
        assert (board.freshness, board.freshness_since) == (Freshness.UNWATCHED, since)
        assert board.watcher is None

    def test_a_worker_without_a_heartbeat_is_taken_at_its_last_word(
        self, database: Database[Document], queries: Queries
    ) -> None:
        seen_at = ago(30)
        WrittenBoard(database, since=ago(600), watched_since=ago(600)).saw(seen_at)
        board = board_of(queries)
        assert board.freshness is Freshness.UNWATCHED
        assert board.freshness_since == board.live_until == seen_at

    def test_a_board_that_nobody_has_taken_has_no_document(self, queries: Queries) -> None:
        assert queries.board(PATH) is None


class TestJobs:
    def test_what_is_on_the_board_and_what_ended_within_the_interval(
        self, database: Database[Document], queries: Queries
    ) -> None:
        written = WrittenBoard(database)
        WrittenBoard(database, "/other/jobs").write(posted(9, ago(50)))
        written.write(posted(1, ago(7000)), posted(2, ago(7000)), posted(3, ago(7000)))
        written.write(claimed(1, ago(6900)), claimed(2, ago(6900)), claimed(3, ago(6900)))
        written.write(ended(1, ago(3700)), ended(2, ago(3000)))
        jobs = jobs_of(queries)
        assert [(name, job.then.state) for name, job in jobs.items()] == [
            (name_of(2), JobState.COMPLETE),
            (name_of(3), JobState.CLAIMED),
        ]
        assert jobs[name_of(2)].then.outcome is Outcome.CONSUMED
        assert jobs[name_of(2)].then.owner == "ann"

    def test_a_past_moment_shows_jobs_as_they_were(
        self, database: Database[Document], queries: Queries
    ) -> None:
        start = ago(1000)

        def moment(seconds: float) -> datetime:
            return start + timedelta(seconds=seconds)

        written = WrittenBoard(database)
        written.write(posted(1, moment(0)), claimed(1, moment(10)))
        written.write(abandoned(1, moment(20)), claimed(1, moment(30), "bob"))
        written.write(posted(2, moment(40)), ended(1, moment(50), owner="bob"))

        def shown(seconds: float, interval: float = 5) -> dict[str, tuple[JobState, str | None]]:
            found = jobs_of(queries, interval=timedelta(seconds=interval), at=moment(seconds))
            return {name: (job.then.state, job.then.owner) for name, job in found.items()}

        assert shown(-1) == {}
        assert shown(5) == {name_of(1): (JobState.UNCLAIMED, None)}
        assert shown(15) == {name_of(1): (JobState.CLAIMED, "ann")}
        assert shown(25) == {name_of(1): (JobState.UNCLAIMED, None)}
        assert shown(45) == {
            name_of(1): (JobState.CLAIMED, "bob"),
            name_of(2): (JobState.UNCLAIMED, None),
        }
        assert shown(55)[name_of(1)] == (JobState.COMPLETE, "bob")
        assert name_of(1) not in shown(56)
        assert name_of(1) in shown(56, interval=6)

    def test_a_claim_outlives_the_log_that_told_of_it(
        self, database: Database[Document], queries: Queries
    ) -> None:
        claimed_at = ago(500)
        written = WrittenBoard(database)
        written.write(posted(1, ago(900)), claimed(1, claimed_at))
        written.write(posted(2, ago(900)), claimed(2, ago(800)), ended(2, ago(10)))
        database.changes.delete_many({})
        jobs = jobs_of(queries)
        first, second = jobs[name_of(1)].then, jobs[name_of(2)].then
        assert (first.state, first.owner, first.claimed_at) == (JobState.CLAIMED, "ann", claimed_at)
        assert (second.state, second.outcome) == (JobState.COMPLETE, Outcome.CONSUMED)
        was = jobs_of(queries, at=ago(100))[name_of(2)].then
        assert (was.state, was.owner) == (JobState.CLAIMED, "ann")

    def test_a_board_that_was_never_watched_gives_none(self, queries: Queries) -> None:
        with queries.jobs(PATH, HOUR) as found:
            assert found is None

    def test_jobs_are_read_in_a_handful_of_queries(
        self, database: Database[Document], config: Config
    ) -> None:
        written = WrittenBoard(database)
        written.write(*(posted(number, ago(100)) for number in range(1, 2501)))
        written.write(*(claimed(number, ago(90)) for number in range(1, 2501)))

        class Counter(CommandListener):
            def __init__(self) -> None:
                self.names: list[str] = []

            def started(self, event: CommandStartedEvent) -> None:
                self.names.append(event.command_name)

            def succeeded(self, event: Any) -> None: ...
            def failed(self, event: Any) -> None: ...

        counter = Counter()
        with pymongo.MongoClient[Document](
            config.mongo.uri, tz_aware=True, event_listeners=[counter]
        ) as client:
            assert len(jobs_of(Queries(client[database.name], KEEPS))) == 2500
        assert counter.names.count("aggregate") == 2  # the board and its jobs
        assert counter.names.count("find") == 3  # the changes, a thousand jobs at a time
        assert len(counter.names) <= 15

    def test_it_is_one_snapshot_that_is_read(
        self, database: Database[Document], queries: Queries
    ) -> None:
        written = WrittenBoard(database)
        written.write(posted(1, ago(100)))
        with queries.jobs(PATH, HOUR) as found:
            written.write(posted(2, ago(90)), claimed(1, ago(80)))
            assert found is not None
            states = [(job.document["name"], job.then.state) for job in found.jobs]
        assert states == [(name_of(1), JobState.UNCLAIMED)]


class TestComplete:
    @pytest.fixture
    def written(self, database: Database[Document]) -> WrittenBoard:
        written = WrittenBoard(database, since=ago(1000), watched_since=ago(1000))
        written.beat()
        return written

    @pytest.mark.parametrize(
        ("freshness", "expected"),
        [
            (Freshness.LIVE, True),
            (Freshness.MISSING, True),
            (Freshness.CATCHING_UP, False),
            (Freshness.SUSPENDED, False),
            (Freshness.DENIED, False),
            (Freshness.UNWATCHED, False),
        ],
    )
    def test_now(
        self, written: WrittenBoard, queries: Queries, freshness: Freshness, expected: bool
    ) -> None:
        written.saw(ago(10))
        written.mark(freshness, ago(10))
        assert is_complete(queries, 100) is expected
        assert is_complete(queries, 100, ago(11)) is True

    def test_not_before_watching_began(
        self, database: Database[Document], queries: Queries
    ) -> None:
        WrittenBoard(database, since=ago(1000), watched_since=ago(1000)).beat()
        assert is_complete(queries, 990) is True
        assert is_complete(queries, 1001) is False

    def test_not_before_it_was_read(self, database: Database[Document], queries: Queries) -> None:
        WrittenBoard(database, since=ago(1000), new=True).beat()
        assert is_complete(queries, 10) is False

    def test_not_in_the_future(self, written: WrittenBoard, queries: Queries) -> None:
        assert is_complete(queries, 10, ago(-60)) is False
        assert written.revision == 0

    def test_not_beyond_what_is_kept(self, database: Database[Document], queries: Queries) -> None:
        WrittenBoard(database, since=ago(1000), watched_since=ago(30 * 86400)).beat()
        assert is_complete(queries, 6 * 86400) is True
        assert is_complete(queries, 8 * 86400) is False

    def test_not_where_a_gap_touches(self, written: WrittenBoard, queries: Queries) -> None:
        start, end = ago(500), ago(400)
        written.gap(start, end)
        assert is_complete(queries, 300) is True
        assert is_complete(queries, 450) is False
        assert is_complete(queries, 50, ago(450)) is False
        assert is_complete(queries, 100, ago(501)) is True
        assert is_complete(queries, 100, start) is False
        assert is_complete(queries, 0, end) is False
        assert is_complete(queries, 0, end + timedelta(milliseconds=1)) is True

    @pytest.mark.parametrize("counts", [(0, 0), (0, 1), (1, 0), (None, None)])
    def test_a_gap_counts_though_nothing_was_unseen(
        self, written: WrittenBoard, queries: Queries, counts: tuple[int | None, int | None]
    ) -> None:
        """When it happened that was found afterwards, nobody knows."""
        written.gap(ago(50), ago(40), *counts)
        assert is_complete(queries, 100) is False
        assert is_complete(queries, 0, ago(45)) is False
        assert is_complete(queries, 30) is True

    def test_not_past_the_last_heartbeat(self, written: WrittenBoard, queries: Queries) -> None:
        written.beat(lasting=-30)
        assert is_complete(queries, 100) is False
        assert is_complete(queries, 100, ago(31)) is True


class TestBoards:
    def test_those_that_are_registered_in_pages(
        self, database: Database[Document], queries: Queries
    ) -> None:
        for path in ("/c", "/a", "/b"):
            WrittenBoard(database, path)
        WrittenBoard(database, "/ab", registered=False)
        assert [board.path for board in queries.boards()] == ["/a", "/b", "/c"]

    def test_counts(self, database: Database[Document], queries: Queries) -> None:
        written = WrittenBoard(database)
        written.write(posted(1, now()), posted(2, now()), posted(3, now()), posted(4, now()))
        written.write(claimed(1, now()), claimed(2, now()), claimed(3, now()), ended(3, now()))
        WrittenBoard(database, "/empty")
        counted = queries.tallies.on_boards([PATH, "/empty"])
        assert (counted[PATH].unclaimed, counted[PATH].claimed) == (1, 2)
        assert counted["/empty"] == OnBoard()

    def test_conductors_of_registered_boards(
        self, database: Database[Document], queries: Queries
    ) -> None:
        WrittenBoard(database)
        WrittenBoard(database, "/gone", registered=False)
        for path in (PATH, "/gone"):
            database.conductors.insert_one(
                {"_id": path, "board": path, "seen_at": now(), "conductors": []}
            )
        assert [document["board"] for document in queries.conductors()] == [PATH]
        assert [document["board"] for document in queries.conductors(PATH)] == [PATH]
        assert queries.conductors("/gone") == []


def test_a_mongodb_that_is_away_is_unavailable_within_the_limit() -> None:
    options = MongoOptions(uri="mongodb://127.0.0.1:1/?replicaSet=rs0", timeout=0.5)
    database = connect(options)
    queries = Queries(database, KEEPS)
    try:
        with pytest.raises(StoreUnavailable):
            queries.ping(0.2)
        with pytest.raises(StoreUnavailable):
            queries.boards()
        with pytest.raises(StoreUnavailable), queries.jobs(PATH, HOUR):
            pass
    finally:
        database.client.close()
