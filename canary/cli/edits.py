"""An edit in words: what somebody changed by hand, and how it differs from before."""

from datetime import datetime
from typing import Any, Final

from canary.cli import shown
from canary.cli.columns import text

MAX_TOLD: Final = 3  # differences shown in one line
NOTHING: Final = "nothing"


def words(edit: Any) -> list[str]:
    """Return phrases that describe ``edit``, the edit of a change as the server sends it.

    The list is empty if ``edit`` is not an object.
    """
    if not isinstance(edit, dict):
        return []
    edits, before, after = edit.get("edits"), edit.get("before"), edit.get("after")
    told = ["the claim's lock" if edit.get("of") == "lock" else "the job's data"]
    if edits != 1:
        told.append(f"{'an unknown number of' if edits is None else _text(edits)} edits")
    if not isinstance(before, dict):
        return [*told, "the previous content is not known"]
    if isinstance(after, dict) and after.get("malformed"):
        return [*told, f"now malformed: {_text(after['malformed'])}"]
    changed = edit.get("changed")
    found = (
        [each for each in changed if isinstance(each, dict)] if isinstance(changed, list) else []
    )
    told += [
        f"{_text(each.get('field'))}: {_value(each.get('before'))} -> {_value(each.get('after'))}"
        for each in found[:MAX_TOLD]
    ]
    if len(found) > MAX_TOLD:
        told.append(f"and {len(found) - MAX_TOLD} more")
    if not found:
        told.append("no difference in the part that Canary stores")
    return told


def edit(value: Any, now: datetime) -> str:
    """Show an edit in one cell of a table."""
    return "; ".join(words(value)) if isinstance(value, dict) else text(value, now)


def _value(value: Any) -> str:
    return NOTHING if value is None else _text(value)


def _text(value: Any) -> str:
    return shown.printable(str(value))
