"""What the demo's jobs do: flows of tasks that last as long as work does, and sometimes break down.

TaskFlow finds `build` again by its name, which it keeps in the job's logbook.
"""

import threading
import uuid
from collections.abc import Sequence

from taskflow import engines, task
from taskflow.exceptions import ExecutionFailure
from taskflow.patterns import linear_flow
from taskflow.persistence import models

from demo.boards import JobKind

#: Set it, and all work is done at once.
HURRY = threading.Event()

_broken_down: set[str] = set()


class Work(task.Task):
    """A task that takes its time."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(name)
        self._seconds = seconds

    def execute(self) -> float:
        """Return how many seconds it was to take."""
        HURRY.wait(self._seconds)
        return self._seconds


class Breakdown(Work):
    """One that breaks down after its time, in a way that another try mends.

    TaskFlow's conductor gives a job back, instead of consuming it, for just this exception.
    """

    def __init__(self, name: str, seconds: float, token: str) -> None:
        super().__init__(name, seconds)
        self._token = token

    def execute(self) -> float:
        """Raise at the first try."""
        seconds = super().execute()
        if self._token not in _broken_down:
            _broken_down.add(self._token)
            raise ExecutionFailure(f"{self.name} broke down; another try will do")
        _broken_down.remove(self._token)
        return seconds


def build(
    name: str, steps: Sequence[tuple[str, float]], breakdown: str | None = None
) -> linear_flow.Flow:
    """Return the flow of a job; with a token in `breakdown` its last task fails once."""
    flow = linear_flow.Flow(name)
    *first, (last, seconds) = steps
    flow.add(*(Work(*step) for step in first))
    flow.add(Work(last, seconds) if breakdown is None else Breakdown(last, seconds, breakdown))
    return flow


def write_book(kind: JobKind, number: int, breaks_down: bool) -> models.LogBook:
    """Return the logbook of the board's job with that number, with its flow in it, not yet kept."""
    book = models.LogBook(f"{kind.name}-{number}")
    detail = models.FlowDetail(kind.name, str(uuid.uuid4()))
    breakdown = book.uuid if breaks_down else None
    steps = [list(step) for step in kind.steps]
    engines.save_factory_details(detail, build, [kind.name, steps], {"breakdown": breakdown})
    book.add(detail)
    return book
