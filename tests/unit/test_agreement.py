"""What is asked at about one time is read at once, and everybody is told."""

from collections.abc import Collection, Mapping
from functools import partial

import gevent
import pytest
from gevent.event import Event

from canary.errors import StoreUnavailable
from canary.stores.mongo.documents import Document
from canary.watchers import agreement
from canary.watchers.agreement import Together
from tests.waiting import eventually


class Stored:
    """Answers with each board's path; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.error: Exception | None = None
        self.is_too_much = False
        self.may_answer = Event()
        self.may_answer.set()

    def __call__(self, paths: Collection[str]) -> Mapping[str, list[Document]] | None:
        self.asked.append(sorted(paths))
        self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return None if self.is_too_much else {path: [{"_id": path}] for path in paths}


class Told:
    """What was told to whom."""

    def __init__(self, together: Together) -> None:
        self.answers: list[tuple[str, list[Document] | None]] = []
        self._together = together

    def ask(self, *paths: str) -> None:
        for path in paths:
            self._together.ask(path, partial(self._take, path))

    def _take(self, path: str, found: list[Document] | None) -> None:
        self.answers.append((path, found))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "GATHERING", 0.001)


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def told(stored: Stored) -> Told:
    return Told(Together(stored))


def test_one_question_for_all_and_each_is_told_its_own(stored: Stored, told: Told) -> None:
    told.ask("/a", "/b", "/c")
    eventually(lambda: len(told.answers) == 3)
    assert stored.asked == [["/a", "/b", "/c"]]
    assert told.answers == [(path, [{"_id": path}]) for path in ("/a", "/b", "/c")]


def test_no_question_is_about_too_many(
    stored: Stored, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "MOST", 2)
    told.ask("/a", "/b", "/c")
    eventually(lambda: len(told.answers) == 3)
    assert stored.asked == [["/a", "/b"], ["/c"]]


def test_who_asks_while_others_are_answered_is_told_what_is_read_after_that(
    stored: Stored, told: Told
) -> None:
    stored.may_answer.clear()
    told.ask("/a")
    eventually(lambda: stored.asked)
    told.ask("/a", "/b", "/b")
    stored.may_answer.set()
    eventually(lambda: len(told.answers) == 3)
    assert stored.asked == [["/a"], ["/a", "/b"]], "of who asked twice for one board, once"


@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("a defect")])
def test_where_it_can_not_be_read_each_is_told_that_and_may_ask_again(
    stored: Stored, told: Told, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    stored.error = error
    told.ask("/a", "/b")
    eventually(lambda: told.answers == [("/a", None), ("/b", None)])
    assert ("defect" in caplog.text) is isinstance(error, RuntimeError)
    stored.error = None
    gevent.sleep(0)
    told.ask("/a")
    eventually(lambda: told.answers[2:] == [("/a", [{"_id": "/a"}])])


def test_where_it_is_too_much_each_is_told_that(stored: Stored, told: Told) -> None:
    stored.is_too_much = True
    told.ask("/a")
    eventually(lambda: told.answers == [("/a", None)])
