"""The event stream over lost connections, for as long as somebody reads it.

Promises: events come in the server's order, none twice and none left out. After a lost connection,
the stream resumes after the last complete event. If the server can't resume there, it sends
``reset``, which is yielded like any other event. A lost and a restored connection are reported.

The first connection must succeed. After that, a failure that may pass is retried, after a random
part of a time span that doubles up to half a minute, and not before the server says
(``Retry-After``, up to ``MAX_WAIT``). So clients that were disconnected at the same time do not
come back at the same time.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from canary.cli import shown
from canary.cli.errors import Unanswered
from canary.cli.events import Event, decode
from canary.clock import CLOCK, Clock

if TYPE_CHECKING:
    from canary.cli.client import Client, Query

FIRST: Final = 1.0  # seconds, the span of the first pause; it doubles with each retry
MOST: Final = 30.0  # seconds, the longest span
DOUBLED: Final = 10  # times; the span is the longest by then
MAX_WAIT: Final = 30.0  # seconds, even if the server asks for more
STABLE: Final = 5.0  # seconds; after a longer connection, pauses begin with FIRST again


def follow(
    client: "Client",
    query: "Query",
    tell: Callable[[str], None],
    *,
    random: Callable[[], float] = random.random,
    clock: Clock = CLOCK,
) -> Iterator[Event]:
    """Yield events without end.

    ``tell`` is called with a message when the connection is lost or restored. ``random`` returns a
    number from 0 to below 1. Raises what ``Client.stream`` raises if the first connection fails,
    and later if a retry can't help.
    """
    last: str | None = None
    lost: tuple[datetime, float] | None = None
    connected: float | None = None
    tries = 0
    while True:
        wait = 0.0
        try:
            with client.stream(query, last) as chunks:
                if lost is not None:
                    tell(f"connected again after {shown.duration(clock.elapsed() - lost[1])}")
                lost, connected = None, clock.elapsed()
                for event in decode(chunks):
                    last = last if event.identity is None else event.identity or None
                    if event.name:
                        yield event
            reason = "the server ended the stream"
        except Unanswered as error:
            if not error.may_pass or connected is None:
                raise
            reason, wait = str(error), min(error.wait, MAX_WAIT)
        if lost is None:
            tries = 0 if clock.elapsed() - connected > STABLE else tries
            lost = (client.now(), clock.elapsed())
            tell(f"disconnected since {shown.clock(lost[0])}: {reason}. Trying again")
        clock.sleep(wait + random() * min(MOST, FIRST * 2 ** min(tries, DOUBLED)))
        tries += 1
