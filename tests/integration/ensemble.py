"""A ZooKeeper of a test's own, beside the dev stack's: new, so that its zxids begin anew."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

START_LIMIT = 120.0  # seconds to end what was just started, on a busy machine


@contextmanager
def new_ensemble(**variables: str) -> Iterator[str]:
    """Start it for the ``with``, which is given its hosts; ``variables`` are its environment's."""
    tell = "import os, sys; print(os.environ['DEVSTACK_ZOOKEEPER'], flush=True); sys.stdin.read()"
    words = ["devstack", "run", "--services", "zookeeper", "--", sys.executable, "-c", tell]
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        hosts = process.stdout.readline().strip()
        assert hosts, "it did not start"
        try:
            yield hosts
        finally:
            process.stdin.close()
            assert process.wait(START_LIMIT) == 0
