"""The rival: a monitor that polls boards through TaskFlow, as fast as it can.

Prints ``saw UUID`` for every job that it had not seen before, and ``swept`` after each sweep.
"""

import os
import sys

from kazoo.client import KazooClient
from taskflow.exceptions import JobFailure, NotFound
from taskflow.jobs import backends


def main(boards: list[str]) -> None:
    """Poll ``boards`` until killed."""
    client = KazooClient(os.environ["DEVSTACK_ZOOKEEPER"])
    client.start()
    jobboards = [
        backends.fetch("poller", {"board": "zookeeper", "path": board}, client=client)
        for board in boards
    ]
    for jobboard in jobboards:
        jobboard.connect()
    seen: set[str] = set()
    while True:
        for jobboard in jobboards:
            for job in jobboard.iterjobs(ensure_fresh=True):
                try:
                    job.state  # noqa: B018 -- a monitor shows it, and TaskFlow reads it each time
                except (JobFailure, NotFound):
                    continue
                if job.uuid not in seen:
                    seen.add(job.uuid)
                    print(f"saw {job.uuid}", flush=True)
        print("swept", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
