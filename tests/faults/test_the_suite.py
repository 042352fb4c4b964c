"""The suite itself: without one of Canary's mechanisms it turns red."""

import signal
from collections.abc import Callable

import pytest

from tests.faults import scene, servers, stores, workers
from tests.faults.fault import IS_LONG
from tests.faults.scene import Scene

pytestmark = pytest.mark.faults
only_long = pytest.mark.skipif(not IS_LONG, reason="`make faults` runs it")

LIMIT = 12.0  # seconds that a broken Canary gets, where a whole one takes a few


@pytest.mark.parametrize(
    ("mechanism", "happen"),
    [
        ("fence", workers.woken),
        ("relist", servers.changed_while_away),
        pytest.param("own_clock", workers.cut_off_from_zookeeper, marks=only_long),
        pytest.param("retry", stores.killed_and_restarted, marks=only_long),
        pytest.param("back_pressure", stores.too_much_for_the_store, marks=only_long),
    ],
)
def test_it_turns_red_without(
    make_scene: Callable[[str], Scene],
    monkeypatch: pytest.MonkeyPatch,
    mechanism: str,
    happen: Callable[[Scene, int], object],
) -> None:
    for module in (scene, workers, servers, stores):
        for limit in ("SECONDS_TO_LIVE", "SILENT_LIMIT", "NOTICE_LIMIT"):
            if hasattr(module, limit):
                monkeypatch.setattr(module, limit, LIMIT)
    broken = make_scene(mechanism)

    def run() -> None:
        happen(broken, 1)
        broken.settle()

    with pytest.raises(AssertionError) as red:
        run()
    print(f"without {mechanism}: {str(red.value)[:300]!r}")
    assert broken.operations() > 0, "it was no use before anything happened"
    ends = [worker.process.poll() for worker in broken.workers]
    assert set(ends) <= {None, -signal.SIGKILL}, f"a worker ended by itself: {ends}"


@only_long
def test_the_fence_alone_is_enough(make_scene: Callable[[str], Scene]) -> None:
    """What turns red without a fence stays green with it, though no clock tells of anything."""
    without_clocks = make_scene("all_clocks")
    workers.woken(without_clocks, 1)
    without_clocks.settle()
