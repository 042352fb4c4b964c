"""The TaskFlow flow that a watch job runs: one task, which watches one board until it is stopped.

It has no logbook beyond its run. The next watch continues from what is stored of its board, so
TaskFlow has nothing to resume.
"""

from collections.abc import Callable

from taskflow import task
from taskflow.exceptions import ExecutionFailure
from taskflow.patterns import linear_flow
from taskflow.types.failure import Failure

Watch = Callable[[str, int], None]


class WatchBoard(task.Task):
    """Watches the board at ``path`` under ``epoch`` until the watch ends.

    A watch is never done. It ends with TaskFlow's ExecutionFailure, so that a conductor abandons
    the job for another to claim, and does not consume it.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__(name="watch-board", requires=("path", "epoch"))
        self._watch = watch

    def execute(self, path: str, epoch: int) -> None:
        """Watch; raise ExecutionFailure when stopped, or when the watch can't continue."""
        try:
            self._watch(path, epoch)
        except Exception as error:
            raise ExecutionFailure(f"the watch of {path} failed: {error}") from error
        raise ExecutionFailure(f"the watch of {path} was stopped")

    def revert(self, *args: object, **kwargs: Failure) -> None:
        """Do nothing: a watch only reads."""


def build(watch: Watch) -> linear_flow.Flow:
    """Return the flow that runs ``watch``; it requires ``path`` and ``epoch``."""
    return linear_flow.Flow("watch").add(WatchBoard(watch))
