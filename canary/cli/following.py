"""The event stream over lost connections, for as long as somebody reads.

Promises: events come in the server's order, none twice and none left out: after a lost connection
the stream is taken up behind the last event that was whole. Where the server can't, it sends
``reset``, which is told like any other event. The first connection has to succeed; from then on
what may pass is tried again, every few seconds, and what was lost and found again is told.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from canary.cli import shown
from canary.cli.errors import Unanswered
from canary.cli.events import Event, decode

if TYPE_CHECKING:
    from canary.cli.client import Client, Query

PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 3.0)  # seconds between tries; the last one again and again
STABLE: Final = 5.0  # seconds that a connection lasts after which the next is tried at once again


def follow(client: "Client", query: "Query", tell: Callable[[str], None]) -> Iterator[Event]:
    """Yield events without end; ``tell`` is called with what happens to the connection."""
    last: str | None = None
    lost: tuple[datetime, float] | None = None
    connected: float | None = None
    tries = 0
    while True:
        try:
            with client.stream(query, last) as chunks:
                if lost is not None:
                    tell(f"connected again after {shown.duration(time.monotonic() - lost[1])}")
                lost, connected = None, time.monotonic()
                for event in decode(chunks):
                    last = last if event.identity is None else event.identity or None
                    if event.name:
                        yield event
            reason = "the server ended the stream"
        except Unanswered as error:
            if not error.may_pass or connected is None:
                raise
            reason = str(error)
        if lost is None:
            tries = 0 if time.monotonic() - connected > STABLE else tries
            lost = (client.now(), time.monotonic())
            tell(f"disconnected since {shown.clock(lost[0])}: {reason}. Trying again")
        time.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
        tries += 1
