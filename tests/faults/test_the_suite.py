"""The suite itself: without one of Canary's mechanisms it turns red."""

from collections.abc import Callable

import pytest

from tests.faults import scene, servers, stores, workers
from tests.faults.scene import Scene

pytestmark = pytest.mark.faults

LIMIT = 12.0  # seconds that a broken Canary gets, where a whole one takes a few


@pytest.mark.parametrize(
    ("mechanism", "happen"),
    [
        ("fence", workers.frozen_and_woken),
        ("relist", servers.connections_dropped),
        ("own_clock", workers.cut_off_from_zookeeper),
        ("retry", stores.killed_and_restarted),
        ("back_pressure", stores.too_much_for_the_store),
    ],
)
def test_it_turns_red_without(
    make_scene: Callable[[str], Scene],
    monkeypatch: pytest.MonkeyPatch,
    mechanism: str,
    happen: Callable[[Scene, int], None],
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
    print(f"without {mechanism}: {str(red.value).splitlines()[0][:200]}")
