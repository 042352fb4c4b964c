"""What the demo tells its user, and waiting that says what it waits for."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

PAUSE = 0.1  # seconds between two looks
FIRST_WORD = 1.0  # seconds of silence that nobody minds
NEXT_WORD = 5.0  # seconds between the words after that

# None once it is so, until then why it is not.
Probe = Callable[[], Awaitable[str | None]]


class DemoError(Exception):
    """The demo can't go on; the message is for its user."""


def say(text: str) -> None:
    """Print a line about the demo."""
    show(f"demo: {text}")


def show(*lines: str) -> None:
    """Print lines as they are. A terminal that is gone stops nothing."""
    with contextlib.suppress(OSError, ValueError):
        print(*lines, sep="\n", flush=True)


async def until(what: str, probe: Probe, limit: float) -> None:
    """Return once `probe` says so; raise DemoError after `limit` seconds."""
    began = time.monotonic()
    word = began + FIRST_WORD
    while (why := await probe()) is not None:
        now = time.monotonic()
        if now > began + limit:
            raise DemoError(f"not within {limit:g} s: {what} ({why})")
        if now > word:
            say(f"waiting for {what}: {why}")
            word = now + NEXT_WORD
        await asyncio.sleep(PAUSE)
