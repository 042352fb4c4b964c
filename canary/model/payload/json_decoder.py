"""JSON decoded with pauses, so that no payload blocks other greenlets.

Promises: ``parsing`` returns what ``json.loads`` returns and raises what it raises, whatever the
text is, and pauses every few milliseconds. Of a text with more than ``FEW`` values only the first
values are kept: ``MAX_ENTRIES`` of one object or list, and ``MAX_VALUES`` in all. The others are
checked and counted. Python's C decoder is fast, but it can't be interrupted: for 1 MB of brackets
it takes a tenth of a second and 40 MB of memory.
"""

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from json import JSONDecodeError, loads
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

MAX_ENTRIES: Final = 1_000  # kept of one object or list
MAX_DEPTH: Final = 64  # levels kept: MongoDB takes 100, Python's json a few hundred
MAX_VALUES: Final = 20_000  # kept in all: as many as fit into the text that is kept of a payload
MAX_NESTING: Final = 900  # Python's json takes about 990
FEW: Final = 20_000  # values that the C decoder decodes in about 5 ms
STEP: Final = 1_000  # values between two pauses: about 2 ms

JSON = Any
Container = dict[str, JSON] | list[JSON]

_SPACES: Final = re.compile(r"[ \t\n\r]++")
_NUMBER: Final = re.compile(r"(-?(?:0|[1-9][0-9]*+))(\.[0-9]++)?([eE][-+]?[0-9]++)?")
_WORD: Final = re.compile("null|true|false|NaN|-?Infinity")
_WORDS: Final[dict[str, JSON]] = {
    "null": None,
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}


@dataclass(slots=True)
class Parsed:
    """A value. ``left`` is how many entries were left out of its containers, by their ``id()``."""

    value: JSON = None
    left: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Open:
    """An object or a list that is not closed yet. ``kept`` is None if it is not kept."""

    is_object: bool
    kept: Container | None
    key: str = ""  # of the value that comes next


def parsing(source: str, first: frozenset[str] = frozenset()) -> Generator[None, None, Parsed]:
    """Decode ``source``. A generator that pauses, and returns the value.

    Keys in ``first`` are always kept in the outermost object. Raises JSONDecodeError or another
    ValueError, or RecursionError.
    """
    is_short = source.count("[") + source.count("{") + source.count(",") <= FEW
    if is_short or source.startswith("\ufeff"):  # for which json.loads has an error of its own
        return Parsed(loads(source))
    return (yield from _Parser(source, first).steps())


class _Parser:
    """Decodes one text, token by token."""

    def __init__(self, source: str, first: frozenset[str]) -> None:
        self._source, self._first = source, first
        self._stack: list[_Open] = []
        self._room = MAX_VALUES
        self._parsed = Parsed()

    def steps(self) -> Generator[None, None, Parsed]:
        """Decode the text; see ``parsing``."""
        position: int | None = self._skip(0)
        count = 0
        while position is not None:
            count += 1
            if count == STEP:
                count = 0
                yield
            char = self._source[position : position + 1]
            if char in {"[", "{"}:
                position = self._begin(position, is_object=char == "{")
            else:
                value, position = self._scalar(char, position)
                self._put(value)
                position = self._after(position)
        return self._parsed

    def _skip(self, position: int) -> int:
        spaces = _SPACES.match(self._source, position)
        return spaces.end() if spaces else position

    def _begin(self, position: int, *, is_object: bool) -> int | None:
        """Open the object or list at ``position``; return where the next value begins, if any."""
        if len(self._stack) >= MAX_NESTING:
            raise RecursionError("nested too deeply")
        made: Container = {} if is_object else []
        kept = made if self._put(made) and len(self._stack) < MAX_DEPTH else None
        opened = _Open(is_object, kept)
        self._stack.append(opened)
        position = self._skip(position + 1)
        if self._source[position : position + 1] == ("}" if is_object else "]"):
            return self._after(position)
        return self._key(opened, position) if is_object else position

    def _key(self, opened: _Open, position: int) -> int:
        """Read a key and its colon; return where its value begins."""
        if self._source[position : position + 1] != '"':
            wanted = "Expecting property name enclosed in double quotes"
            raise JSONDecodeError(wanted, self._source, position)
        opened.key, position = scanstring(self._source, position + 1)
        position = self._skip(position)
        if self._source[position : position + 1] != ":":
            raise JSONDecodeError("Expecting ':' delimiter", self._source, position)
        return self._skip(position + 1)

    def _scalar(self, char: str, position: int) -> tuple[JSON, int]:
        if char == '"':
            string: tuple[str, int] = scanstring(self._source, position + 1)
            return string
        if number := _NUMBER.match(self._source, position):
            whole, fraction, exponent = number.groups()
            is_whole = fraction is exponent is None
            return (int(whole) if is_whole else float(number[0])), number.end()
        if word := _WORD.match(self._source, position):
            return _WORDS[word[0]], word.end()
        raise JSONDecodeError("Expecting value", self._source, position)

    def _after(self, position: int) -> int | None:
        """Close what ends after a value; return where the next value begins, or None."""
        while self._stack:
            opened = self._stack[-1]
            position = self._skip(position)
            char = self._source[position : position + 1]
            if char == ",":
                position = self._skip(position + 1)
                return self._key(opened, position) if opened.is_object else position
            if char != ("}" if opened.is_object else "]"):
                raise JSONDecodeError("Expecting ',' delimiter", self._source, position)
            self._stack.pop()
            position += 1
        position = self._skip(position)
        if position != len(self._source):
            raise JSONDecodeError("Extra data", self._source, position)
        return None

    def _put(self, value: JSON) -> bool:
        """Add a value to the open object or list; return whether it is kept."""
        if not self._stack:
            self._parsed.value = value
            return True
        opened = self._stack[-1]
        if opened.kept is None:
            return False
        is_first = len(self._stack) == 1 and opened.key in self._first
        has_room = len(opened.kept) < MAX_ENTRIES and self._room > 0
        if isinstance(opened.kept, list):
            if has_room:
                opened.kept.append(value)
        elif has_room or is_first or opened.key in opened.kept:
            opened.kept[opened.key] = value
            has_room = True
        if has_room:
            self._room -= 1
        else:
            left = self._parsed.left
            left[id(opened.kept)] = left.get(id(opened.kept), 0) + 1
        return has_room
