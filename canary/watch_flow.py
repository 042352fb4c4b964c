"""The TaskFlow flow that a watch job runs: one task, which watches one board until told to stop.

It has no logbook beyond its run: a watch that is taken up again continues from what is stored of
its board, so there is nothing for TaskFlow to resume.
"""

from collections.abc import Callable

from taskflow import task
from taskflow.exceptions import ExecutionFailure
from taskflow.patterns import linear_flow
from taskflow.types.failure import Failure

Watch = Callable[[str, int], None]


class WatchBoard(task.Task):
    """Watches the board at ``path`` under ``epoch`` until the watch comes to its end.

    A watch is never done. Its end is TaskFlow's ExecutionFailure, by which a conductor knows that
    the job is to be abandoned for another to take, and not to be consumed.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__(name="watch-board", requires=("path", "epoch"))
        self._watch = watch

    def execute(self, path: str, epoch: int) -> None:
        """Watch; raise ExecutionFailure when told to stop, or when the watch can't go on."""
        try:
            self._watch(path, epoch)
        except Exception as error:
            raise ExecutionFailure(f"the watch of {path} broke off: {error}") from error
        raise ExecutionFailure(f"the watch of {path} was told to stop")

    def revert(self, *args: object, **kwargs: Failure) -> None:
        """Nothing is to be undone: a watch only reads."""


def build(watch: Watch) -> linear_flow.Flow:
    """Return the flow that runs ``watch``; it asks for ``path`` and ``epoch``."""
    return linear_flow.Flow("watch").add(WatchBoard(watch))
