"""Text from and to a terminal whose locale does not use UTF-8."""

from __future__ import annotations

import io
import os
import sys


def accept_any() -> None:
    """Make stdout and stderr write what the locale can't encode as escapes, and not raise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def redecoded(text: str) -> str:
    """Return `text`, from the command line or the environment, decoded as UTF-8 in any locale.

    A text that is not UTF-8 is returned unchanged.
    """
    if text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text):
        return text
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        return text
