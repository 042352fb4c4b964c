"""Whether a job that is gone was trashed: every rule, on both sides of each of its bounds."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from canary.model.jobs import Job
from canary.model.observations import Stat, TrashRead, Unread
from canary.model.trash import is_in_trash

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
JOB = Job("job0000000000", 101, "u-1", "build", NOON, NOON)
BEFORE, AFTER = Stat(100, 110, 0, 1), Stat(100, 120, 2, 0)  # the board's last pzxid: 110, then 120


@pytest.mark.parametrize(
    ("found", "before", "is_in"),
    [
        (Unread.GONE, BEFORE, False),
        (Unread.GONE, None, False),
        (Unread.DENIED, BEFORE, None),
        (None, BEFORE, None),
        (TrashRead(115, NOON, "u-1"), None, None),
        (TrashRead(110, NOON, "u-1"), BEFORE, False),  # it lay there before
        (TrashRead(111, NOON, "u-1"), BEFORE, True),
        (TrashRead(121, NOON, "u-1"), BEFORE, False),  # it came after the look
        (TrashRead(121, NOON, "u-1", is_all=False), BEFORE, None),
        (TrashRead(120, NOON, "u-2"), BEFORE, True),  # with the board's own last transaction
        (TrashRead(119, NOON, "u-2"), BEFORE, False),
        (TrashRead(119, NOON, "u-2", is_all=False), BEFORE, None),
        (TrashRead(119, NOON, None), BEFORE, None),
    ],
)
def test_of_a_job_that_nobody_edited(
    found: TrashRead | Unread | None, before: Stat | None, is_in: bool | None
) -> None:
    assert is_in_trash(JOB, found, before, AFTER, is_unedited=True) is is_in


def test_one_with_another_uuid_may_be_it_where_it_may_have_been_edited() -> None:
    other = TrashRead(119, NOON, "u-2")
    assert is_in_trash(JOB, other, BEFORE, AFTER, is_unedited=False) is None
    nameless = replace(JOB, uuid=None)
    assert is_in_trash(nameless, other, BEFORE, AFTER, is_unedited=True) is None
    unread = replace(JOB, czxid=None)
    assert is_in_trash(unread, other, BEFORE, AFTER, is_unedited=True) is True
