"""How often a loop that tries again says why it does not succeed."""

import logging

import pytest

from canary.logs.complaint import MOST, REPEAT, Complaint
from tests.virtual_clock import VirtualClock

LOG = logging.getLogger("tests.complaint")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def complaint(clock: VirtualClock) -> Complaint:
    return Complaint(LOG, "not done", {"board": "/b"}, clock)


def test_a_reason_is_logged_once_a_minute(
    complaint: Complaint, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(300):
        complaint.say(OSError("no answer"))
        clock.seconds += 1.0
    assert caplog.messages == ["not done: no answer"] * 5
    assert {vars(record)["board"] for record in caplog.records} == {"/b"}


def test_it_is_not_logged_before_a_minute_is_over(
    complaint: Complaint, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    complaint.say("no answer")
    clock.seconds += REPEAT - 0.1
    complaint.say("no answer")
    assert len(caplog.messages) == 1
    clock.seconds += 0.1
    complaint.say("no answer")
    assert len(caplog.messages) == 2


def test_reasons_that_come_by_turns_are_each_logged_once(
    complaint: Complaint, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        complaint.say("no answer")
        complaint.say("sign in")
        clock.seconds += 1.0
    assert caplog.messages == ["not done: no answer", "not done: sign in"]


def test_numbers_make_no_other_reason(
    complaint: Complaint, caplog: pytest.LogCaptureFixture
) -> None:
    complaint.say("timed out after 2.0 s on port 41")
    complaint.say("timed out after 13 s on port 9999")
    assert caplog.messages == ["not done: timed out after 2.0 s on port 41"]


def test_what_comes_after_a_success_is_new(
    complaint: Complaint, caplog: pytest.LogCaptureFixture
) -> None:
    assert not complaint.over()
    complaint.say("no answer")
    assert complaint.over()
    assert not complaint.over()
    complaint.say("no answer")
    assert len(caplog.messages) == 2


def test_what_is_remembered_does_not_grow(
    complaint: Complaint, caplog: pytest.LogCaptureFixture
) -> None:
    reasons = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(MOST + 1)]
    for reason in reasons:
        complaint.say(reason)
    assert len(caplog.messages) == MOST + 1
    complaint.say(reasons[0])
    assert len(caplog.messages) == MOST + 2
