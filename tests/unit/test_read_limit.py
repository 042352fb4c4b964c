"""``/v1.0/jobs`` does not read MongoDB for longer than a proxy waits: in virtual time."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from canary.errors import StoreUnavailable
from canary.server.v1 import jobs
from canary.stores.queries.jobs_at import BoardJobs
from tests.streamed import PATH, a_board
from tests.virtual_clock import SoloClock


@pytest.mark.parametrize(("seconds", "is_read"), [(60.0, True), (60.1, False)])
def test_all_queries_for_one_answer_may_take_a_minute(
    monkeypatch: pytest.MonkeyPatch, seconds: float, is_read: bool
) -> None:
    monkeypatch.setattr("canary.server.representation.job", lambda *_: {})
    clock = SoloClock()

    def read() -> Iterator[Any]:
        for _ in range(100):
            clock.sleep(seconds / 100)
            yield None

    found = BoardJobs(a_board(), datetime.now(UTC), complete=True, jobs=cast("Any", read()))
    spool = io.BytesIO()
    if is_read:
        assert jobs._write(spool, PATH, found, clock) == 100
    else:
        with pytest.raises(StoreUnavailable, match="more than 60 s"):
            jobs._write(spool, PATH, found, clock)
