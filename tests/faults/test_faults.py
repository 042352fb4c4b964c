"""Something breaks while a board is worked on; afterwards everything must be right again.

Each fault comes in the middle of a load that logs what it did (``load``); when it is over and all
is quiet, ``judge`` compares ZooKeeper, MongoDB, the stream and that log.
"""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.faults import boards, ensembles, results, servers, stores, workers
from tests.faults.fault import IS_LONG, SEEDS, Fault
from tests.faults.scene import Scene

pytestmark = pytest.mark.faults

ALL = (*boards.FAULTS, *workers.FAULTS, *servers.FAULTS, *ensembles.FAULTS, *stores.FAULTS)
FAULTS = [fault for fault in ALL if IS_LONG or fault.always]
IS_ENSEMBLE = "," in os.environ.get("DEVSTACK_ZOOKEEPER", "")
ENSEMBLE_LIMIT = 600.0  # seconds


@pytest.mark.skipif(IS_ENSEMBLE, reason="one ZooKeeper is stopped by its name")
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_fault(make_scene: Callable[[], Scene], fault: Fault, seed: int) -> None:
    verdict = results.run(fault, make_scene(), seed).verdict
    if fault.happen is boards.no_fault:
        assert (verdict.unseen, verdict.gaps) == (0, ()), "one by one, all of it is seen"
        assert verdict.operations == verdict.changes


@pytest.mark.skipif(not IS_ENSEMBLE, reason="run by test_faults_of_an_ensemble")
@pytest.mark.parametrize("fault", ensembles.OF_THREE, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_ensemble_fault(make_scene: Callable[[], Scene], fault: Fault, seed: int) -> None:
    results.run(fault, make_scene(), seed)


@pytest.mark.skipif(IS_ENSEMBLE or not IS_LONG, reason="`make faults` runs it, and once")
def test_faults_of_an_ensemble() -> None:
    stack = [sys.executable, "-m", "devstack", "run", "--services", "zookeeper,mongodb"]
    tests = [sys.executable, "-m", "pytest", "-q", "--capture=no", "tests/faults/test_faults.py"]
    command = [*stack, "--zookeepers", "3", "--", *tests]
    own = {name: value for name, value in os.environ.items() if not name.startswith("DEVSTACK_F")}
    done = subprocess.run(command, env=own, timeout=ENSEMBLE_LIMIT, check=False)
    assert done.returncode == 0
