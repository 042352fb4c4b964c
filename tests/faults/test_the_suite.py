"""The suite itself: without one of Canary's mechanisms it finds what that one is there to prevent.

Each is switched off alone, in a fault that the whole Canary goes through in the same run, within
the same limits: that is the control. What counts is the judge's own finding. A Canary that does not
start, dies, or never comes to rest is no finding, but a failure of this test.
"""

from collections.abc import Callable

import pytest

from tests.faults import servers, stores, workers
from tests.faults.fault import IS_LONG
from tests.faults.findings import What
from tests.faults.scene import Scene
from tests.faults.settling import settle
from tests.faults.test_faults import FAULTS, IS_ENSEMBLE

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(IS_ENSEMBLE, reason="one ZooKeeper is stopped by its name"),
]
only_long = pytest.mark.skipif(not IS_LONG, reason="`make faults` runs it")


@pytest.mark.parametrize(
    ("mechanism", "happen", "prevented"),
    [
        ("fence", workers.frozen_and_woken, {What.INVENTED, What.FOLD, What.LOST}),
        pytest.param("relist", servers.changed_while_away, {What.MIRROR}, marks=only_long),
        pytest.param("own_clock", workers.cut_off_from_zookeeper, {What.HELD}, marks=only_long),
        pytest.param(
            *("retry", stores.lost_on_the_way, {What.MIRROR, What.DRIFT, What.LOST}),
            marks=only_long,
        ),
        pytest.param("back_pressure", stores.too_much_for_the_store, {What.BOUND}, marks=only_long),
    ],
)
def test_it_finds_what_is_wrong_without(
    make_scene: Callable[[str], Scene],
    mechanism: str,
    happen: Callable[[Scene, int], object],
    prevented: set[What],
) -> None:
    assert happen in [fault.happen for fault in FAULTS], "the whole Canary is tried in it as well"
    scene = make_scene(mechanism)
    happen(scene, 1)
    findings = settle(scene).verdict.findings
    print(f"without {mechanism}:", *(str(each)[:200] for each in findings), sep="\n")
    found = {finding.what for finding in findings}
    assert found & prevented
    assert What.DIED not in found
    assert all(worker.process.poll() is None for worker in scene.workers), "it lived"


@only_long
def test_the_fence_alone_is_enough(make_scene: Callable[[str], Scene]) -> None:
    """What is found without a fence is not with it, though no clock tells of anything."""
    scene = make_scene("all_clocks")
    workers.frozen_and_woken(scene, 1)
    assert settle(scene).verdict.findings == ()
