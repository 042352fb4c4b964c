"""Something breaks while a board is worked on; afterwards everything must be right again.

Each fault comes in the middle of a load that logs what it did (``load``); when it is over and all
is quiet, ``judge`` compares ZooKeeper, MongoDB, the stream and that log.
"""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.faults import boards, results, servers, stores, workers
from tests.faults.fault import IS_LONG, SEEDS, Fault
from tests.faults.scene import Outcome, Scene

pytestmark = pytest.mark.faults

FAULTS = [
    fault
    for fault in (*boards.FAULTS, *workers.FAULTS, *servers.FAULTS, *stores.FAULTS)
    if IS_LONG or not fault.only_long
]
IS_ENSEMBLE = "," in os.environ.get("DEVSTACK_ZOOKEEPER", "")
ENSEMBLE_LIMIT = 600.0  # seconds


@pytest.mark.skipif(IS_ENSEMBLE, reason="one ZooKeeper is stopped by its name")
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_fault(make_scene: Callable[[], Scene], fault: Fault, seed: int) -> None:
    outcome = happen(make_scene(), fault, seed)
    if fault.happen is boards.no_fault:
        verdict = outcome.verdict
        assert (verdict.unseen_creates, verdict.unseen_deletes, verdict.gaps) == (0, 0, ())
        assert verdict.operations == verdict.changes


@pytest.mark.skipif(not IS_ENSEMBLE, reason="run by test_faults_of_an_ensemble")
@pytest.mark.parametrize("fault", servers.ENSEMBLE, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_ensemble_fault(make_scene: Callable[[], Scene], fault: Fault, seed: int) -> None:
    happen(make_scene(), fault, seed)


def happen(scene: Scene, fault: Fault, seed: int) -> Outcome:
    """Let it happen, and note what came of it, be it right or wrong."""
    try:
        fault.happen(scene, seed)
        outcome = scene.settle()
    except AssertionError as error:
        results.failed(fault.name, seed, error)
        raise
    results.note(fault.name, seed, outcome)
    return outcome


@pytest.mark.skipif(IS_ENSEMBLE, reason="it is this one that is run")
def test_faults_of_an_ensemble() -> None:
    stack = [sys.executable, "-m", "devstack", "run", "--services", "zookeeper,mongodb"]
    tests = [sys.executable, "-m", "pytest", "-q", "--capture=no", "tests/faults/test_faults.py"]
    command = [*stack, "--zookeepers", "3", "--", *tests]
    own = {name: value for name, value in os.environ.items() if not name.startswith("DEVSTACK_F")}
    done = subprocess.run(command, env=own, timeout=ENSEMBLE_LIMIT, check=False)
    assert done.returncode == 0
