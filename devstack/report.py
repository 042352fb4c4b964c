"""What devstack tells its user: lines on stderr, so that COMMAND's stdout stays COMMAND's own."""

import contextlib
import sys


def say(text: str) -> None:
    """Print `text`. A stderr that is gone (closed terminal, ended pipe) never stops a clean-up."""
    with contextlib.suppress(OSError, ValueError):
        print(f"devstack: {text}", file=sys.stderr, flush=True)
