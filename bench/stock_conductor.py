"""The rival: TaskFlow's own non-blocking conductor with jobs that wait until they are told to stop.

    python -m bench.stock_conductor BOARD JOBS

Posts JOBS jobs on BOARD and runs them, each in a thread as TaskFlow does. Prints ``running`` when
all of them are, and ends on SIGTERM when all of them are abandoned.
"""

import os
import signal
import sys
import threading
import time

from kazoo.client import KazooClient
from taskflow import engines, task
from taskflow.conductors.backends import impl_nonblocking
from taskflow.exceptions import ExecutionFailure
from taskflow.jobs import backends as jobboards
from taskflow.patterns import linear_flow
from taskflow.persistence import backends as persistences
from taskflow.persistence import models

STOPPING = threading.Event()
RUNNING = threading.Semaphore(0)


class Wait(task.Task):
    """Runs until it is to stop, and has its job abandoned then."""

    def execute(self) -> None:
        RUNNING.release()
        STOPPING.wait()
        raise ExecutionFailure("told to stop")


def flow() -> linear_flow.Flow:
    """Return the flow of each job; TaskFlow finds it by its name."""
    return linear_flow.Flow("wait").add(Wait())


def main(path: str, count: int) -> None:
    """Post and run the jobs."""
    client = KazooClient(os.environ["DEVSTACK_ZOOKEEPER"])
    client.start()
    persistence = persistences.fetch({"connection": "memory"})
    board = jobboards.fetch(
        "stock", {"board": "zookeeper", "path": path}, client=client, persistence=persistence
    )
    board.connect()
    for number in range(count):
        book = models.LogBook(f"book-{number}")
        detail = models.FlowDetail(f"flow-{number}", f"{number:032x}")
        book.add(detail)
        persistence.get_connection().save_logbook(book)
        engines.save_factory_details(detail, flow, [], {}, backend=persistence)
        board.post(f"job-{number}", book=book)
    conductor = impl_nonblocking.NonBlockingConductor(
        "stock", board, persistence=persistence, engine="serial", max_simultaneous_jobs=2 * count
    )
    running = threading.Thread(target=conductor.run, daemon=True)
    running.start()
    signal.signal(signal.SIGTERM, lambda *_: STOPPING.set())
    for _ in range(count):
        RUNNING.acquire()
    print("running", flush=True)
    while not STOPPING.wait(1.0):
        pass
    conductor.stop()
    conductor.wait()
    while any(name.endswith(".lock") for name in client.get_children(path)):
        time.sleep(0.05)
    client.stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
