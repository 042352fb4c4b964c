"""What is known of a board and of its jobs between two looks."""

from datetime import UTC, datetime, timedelta

import pytest

from canary.model.jobs import Job, Lock
from canary.model.observations import Stat
from canary.model.state import BoardState

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER, EARLIER = NOON + timedelta(seconds=1), NOON - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("seen_at", "moment", "known"),
    [
        (NOON, LATER, LATER),
        (NOON, NOON, NOON),
        (NOON, EARLIER, NOON),
        (NOON, None, NOON),
        (None, LATER, None),  # before the first look nothing is known, whatever the moment
        (None, None, None),
    ],
)
def test_what_was_never_looked_at_is_known_up_to_no_moment(
    seen_at: datetime | None, moment: datetime | None, known: datetime | None
) -> None:
    state = BoardState(Stat(1, 1, 0, 0), seen_at)
    assert state.known_until(moment).seen_at == known


READ, UNREAD = Lock(5, "ann", 7, NOON), Lock(None, None, None, None)


@pytest.mark.parametrize(
    ("czxid", "lock", "is_unread"),
    [
        (3, None, False),
        (3, READ, False),
        (3, UNREAD, True),
        (None, None, True),
        (None, READ, True),
        (None, UNREAD, True),
    ],
)
def test_a_job_is_read_again_where_it_or_its_lock_was_not(
    czxid: int | None, lock: Lock | None, is_unread: bool
) -> None:
    job = Job("job0000000001", czxid, "u", "build", NOON, NOON, lock=lock)
    assert job.is_unread is is_unread
    state = BoardState.restore(Stat(1, 1, 0, 0), NOON, [job], [])
    assert state.unread == ({job.name} if is_unread else frozenset())
