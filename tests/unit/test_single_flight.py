"""One piece of work at a time for all who ask for it."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from canary.single_flight import SingleFlight
from tests.waiting import eventually


class Work:
    """Something that goes on until it is let go; how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = threading.Event()
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        assert self.go.wait(30)
        if self.error:
            raise self.error
        return number


@pytest.fixture
def work() -> Work:
    return Work()


def asked(flight: SingleFlight[int], work: Work, pool: ThreadPoolExecutor) -> list[Future[int]]:
    """Ask from several threads, and return once all of them wait for the first one's work."""
    first = pool.submit(flight.do, "key", work)
    eventually(lambda: work.begun == 1)
    inside = threading.Semaphore(0)

    def do() -> int:
        inside.release()
        return flight.do("key", work)

    others = [pool.submit(do) for _ in range(3)]
    for _ in others:
        assert inside.acquire(timeout=30)
    return [first, *others]


def test_who_asks_while_it_is_done_gets_its_answer(work: Work) -> None:
    flight: SingleFlight[int] = SingleFlight()
    begun = flight.begin("key", work)
    eventually(lambda: work.begun == 1)
    joined = [flight.begin("key", work) for _ in range(3)]
    assert all(each is begun for each in joined)
    assert not begun.done()
    work.go.set()
    assert begun.result(30) == 1
    assert work.begun == 1


def test_who_asks_while_another_does_it_waits_for_that(work: Work) -> None:
    flight: SingleFlight[int] = SingleFlight()
    with ThreadPoolExecutor() as pool:
        all_of_them = asked(flight, work, pool)
        joined = flight.begin("key", work)  # so it is under way still
        work.go.set()
        assert joined.result(30) == all_of_them[0].result(30) == 1


def test_who_does_it_and_who_waits_are_told_of_a_failure(work: Work) -> None:
    flight: SingleFlight[int] = SingleFlight()
    work.error = ValueError("no")
    with ThreadPoolExecutor() as pool:
        all_of_them = asked(flight, work, pool)
        work.go.set()
        assert isinstance(all_of_them[0].exception(30), ValueError)
    # Whoever came late began another: each was told.
    assert all(isinstance(each.exception(30), ValueError) for each in all_of_them)


def test_who_asks_after_it_has_ended_begins_another(work: Work) -> None:
    flight: SingleFlight[int] = SingleFlight()
    work.go.set()
    assert [flight.do("key", work), flight.do("key", work)] == [1, 2]
    assert flight.begin("key", work).result(30) == 3
    work.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        flight.do("key", work)
    work.error = None
    assert flight.do("key", work) == 5


def test_other_keys_are_other_work(work: Work) -> None:
    flight: SingleFlight[int] = SingleFlight()
    first = flight.begin("one", work)
    eventually(lambda: work.begun == 1)
    second = flight.begin("two", work)
    eventually(lambda: work.begun == 2)
    assert first is not second
    work.go.set()
    assert {first.result(30), second.result(30)} == {1, 2}
