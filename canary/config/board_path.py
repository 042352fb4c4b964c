"""Which paths are valid for a board, by ZooKeeper's rules and a few of Canary's own."""

from __future__ import annotations

import re

from canary.errors import UsageError

#: Characters. ZooKeeper has no limit, but every change and every key in a store contains the path.
MAX_BOARD_PATH = 1024

# ZooKeeper refuses these in its PathUtils.validatePath. It checks UTF-16, where a character above
# U+FFFF is a pair of surrogates, so all of these characters are refused, too.
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff\U00010000-\U0010ffff]")


def check_board_path(text: str) -> str:
    """Return `text` unchanged if it is a valid board path. Raises UsageError with the reason."""
    reason = _reason(text)
    if reason is None:
        return text
    raise UsageError(f"{shown(text)} cannot be a board's path: {reason}")


def shown(text: str) -> str:
    """Return `text` in quotes for a message, cut, with escapes for all but printable ASCII."""
    return ascii(text) if len(text) <= 200 else ascii(text[:200]) + "…"


def _reason(text: str) -> str | None:  # noqa: PLR0911 -- one return per rule
    refused = _REFUSED.search(text)
    parts = text.split("/")[1:]
    if not text.startswith("/"):
        return "it must be absolute, so start with a slash"
    if text == "/":
        return "the root of ZooKeeper cannot be a board; use a path below it"
    if len(text) > MAX_BOARD_PATH:
        return f"it has {len(text)} characters, more than {MAX_BOARD_PATH}"
    if refused is not None:
        return f"ZooKeeper does not allow the character U+{ord(refused.group()):04X}"
    if text.endswith("/") and "" not in parts[:-1]:
        return f"it ends with a slash; write {shown(text[:-1])}"
    if "" in parts:
        return "it has two slashes in a row"
    if "." in parts or ".." in parts:
        return "ZooKeeper does not allow the names '.' and '..'"
    if parts[0] == "zookeeper":
        return "paths below /zookeeper are ZooKeeper's own"
    return None
