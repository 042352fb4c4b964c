"""How a stream is written."""

import re

from canary.server.stream.encoding import JSON_LINES, SERVER_SENT_EVENTS


def test_clients_are_told_different_times_to_come_back() -> None:
    begun = [SERVER_SENT_EVENTS.preamble().decode() for _ in range(200)]
    waits = [int(found[1]) for each in begun if (found := re.fullmatch(r"retry: (\d+)\n\n", each))]
    assert len(waits) == 200
    assert all(1_000 <= wait <= 5_000 for wait in waits)
    assert len(set(waits)) > 100
    assert JSON_LINES.preamble() == b""
