"""Events of the stream as lines for people, with colours if wanted.

Every text of an event goes through ``printable``, so that only this module writes colour codes.
"""

from collections.abc import Callable
from typing import Any, Final

from canary.cli import edits, shown
from canary.cli.columns import times
from canary.cli.events import Event

MAX_WIDTH: Final = 40  # characters; a longer path does not widen the column of paths
_KIND_WIDTH: Final = 10
_RESET: Final = "\x1b[0m"
_DIM: Final = "2"
_RED, _GREEN, _YELLOW, _MAGENTA, _CYAN = "31", "32", "33", "35", "36"
_COLOURS: Final = {
    "posted": _CYAN,
    "claimed": _YELLOW,
    "abandoned": _MAGENTA,
    "edited": _MAGENTA,
    "consumed": _GREEN,
    "trashed": _RED,
    "removed": _RED,
    "ended": _RED,
    "malformed": _RED,
    "gap": _RED,
    "reset": _RED,
    "dropped": _RED,
    "live": _GREEN,
}
_OF_STREAM: Final = {
    "reset": "events may be missing here: see canary changes for what happened meanwhile",
    "dropped": "the server closed the stream because this client read it too slowly",
}


class Lines:
    """Makes lines of events, and remembers the last freshness of each board.

    A board gets a line when its freshness changes, and when it is first seen, unless it is live.
    """

    def __init__(self, *, is_coloured: bool) -> None:
        self._is_coloured = is_coloured
        self._freshness: dict[str, str] = {}
        self._width = 0  # of the longest path so far, to align what follows it

    def line(self, event: Event) -> str | None:
        """Return the line of an event; None if it has none."""
        data = event.data if isinstance(event.data, dict) else {}
        makers: dict[str, Callable[[dict[str, Any]], str | None]] = {
            "change": self._change,
            "gap": self._gap,
            "board": self._board,
            "store": self._store,
        }
        if event.name in makers:
            return makers[event.name](data)
        if event.name in _OF_STREAM:
            reason = _text(data.get("reason")) if data.get("reason") else _OF_STREAM[event.name]
            return self._put(None, None, event.name, reason)
        return None

    def _change(self, data: dict[str, Any]) -> str:
        name = data.get("job_name") or data.get("name")
        words = [_text(each) for each in (name, data.get("uuid")) if each]
        if data.get("edit"):
            words += edits.words(data["edit"])
        elif data.get("owner"):
            words.append(f"by {_text(data['owner'])}")
        words += times(data)
        moment = data.get("moment") or data.get("at") or data.get("seen_at")
        return self._put(moment, data.get("path"), _text(data.get("kind")), "  ".join(words))

    def _gap(self, data: dict[str, Any]) -> str:
        counts = (f"{_count(data.get(what))} {what}" for what in ("creates", "deletes"))
        words = f"{', '.join(counts)} not seen one by one"
        if data.get("creates") == data.get("deletes") == 0:
            words = "all changes were found, but only afterwards"
        words += f": {_text(data.get('reason'))}"
        start, end = (_moment(data.get(name)) for name in ("from", "to"))
        if start and end:
            words += f", within {shown.duration((end - start).total_seconds())}"
        return self._put(data.get("to"), data.get("path"), "gap", words)

    def _board(self, data: dict[str, Any]) -> str | None:
        path, now = str(data.get("path")), str(data.get("freshness"))
        since = data.get("freshness_since")
        if data.get("registered") is False:
            self._freshness.pop(path, None)
            return self._put(None, path, "removed", "is no longer watched")
        before, self._freshness[path] = self._freshness.get(path), now
        if now == before or (before is None and now == "live"):
            return None
        return self._put(since, path, _text(now), f"was {_text(before)}" if before else "")

    def _store(self, data: dict[str, Any]) -> str | None:
        if data.get("available"):
            return self._put(data.get("since"), None, "live", "MongoDB answers the server again")
        reason = data.get("reason") or "MongoDB does not answer the server"
        words = f"no events until MongoDB answers the server again: {_text(reason)}"
        return self._put(data.get("since"), None, "suspended", words)

    def _put(self, moment: Any, path: Any, kind: str, words: str) -> str:
        told = _moment(moment)
        time = shown.clock(told) if told else " " * 12
        colour = _COLOURS.get(kind, _YELLOW)
        board = "" if path is None else _text(path)
        self._width = max(self._width, min(len(board), MAX_WIDTH))
        parts = [
            self._colour(_DIM, time),
            f"{board:<{self._width}}",
            self._colour(colour, f"{kind:<{_KIND_WIDTH}}"),
            words,
        ]
        return "  ".join(parts).rstrip()

    def _colour(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}{_RESET}" if self._is_coloured else text


def _text(value: Any) -> str:
    return shown.printable(str(value))


def _moment(value: Any) -> Any:
    return shown.parsed(value) if isinstance(value, str) else None


def _count(value: Any) -> str:
    return "an unknown number of" if value is None else _text(value)
