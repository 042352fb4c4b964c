"""The values of a payload while it is masked and cut, and a record of what was cut."""

import json
import math
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii
from typing import Final, Union

from canary.model.payload.json_decoder import JSON

MAX_STRING: Final = 8 * 1024  # characters kept of one string
MAX_NAME: Final = 1024  # characters of a name, a uuid, an owner, a key
SHORT: Final = 64  # characters that are left of a long value; every id is shorter
MAX_CUTS: Final = 20  # that are reported of one payload
MAX_PART, MAX_POINTER = 48, 240  # characters of a key in a pointer, and of a whole pointer
CUT: Final = "…"
MAX_DIGITS: Final = 64  # of a number that is not cut

_CUT_WEIGHT: Final = len(encode_basestring_ascii(CUT))
_DIGITS_PER_BIT: Final = math.log10(2)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where something was cut, as a JSON pointer (RFC 6901).

    ``kept`` is how much of ``size`` is left: characters of a string, digits of a number, or entries
    of an object or a list. ``size`` is None for what was nested too deeply.
    """

    pointer: str
    kept: int
    size: int | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is kept, as JSON, and the first ``MAX_CUTS`` of ``count`` places where it was cut."""

    text: str
    cuts: tuple[Cut, ...]
    count: int


def fit(value: str, limit: int) -> str:
    """Return ``value`` in a form to store: lone surrogates escaped, cut to ``limit`` characters."""
    fitted = _storable(value[: limit + 1])
    return fitted if len(fitted) <= limit else fitted[: limit - 1] + CUT


def _storable(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(slots=True)
class Leaf:
    """A string, or a number with many digits. It may be cut, unless it ``is_fixed``."""

    text: str
    size: int
    number: int | None = None
    is_cut: bool = False
    is_fixed: bool = False
    weight: int = 0  # characters of its JSON, once ``weigh`` was called

    @property
    def is_number(self) -> bool:
        """Whether it is a number that was not cut."""
        return self.number is not None

    def weigh(self) -> int:
        """Return how many characters of JSON it takes, and set ``weight``."""
        if self.is_number:
            self.weight = self.size
        else:
            cut = _CUT_WEIGHT - 2 if self.is_cut else 0
            self.weight = len(encode_basestring_ascii(self.text)) + cut
        return self.weight

    def cut(self, weight: int) -> None:
        """Cut it to ``weight`` characters of JSON; of a number, nothing is kept."""
        self.is_cut = True
        if self.is_number:
            self.number = None
            return
        room = weight - _CUT_WEIGHT
        text = self.text[:room]
        while (taken := len(encode_basestring_ascii(text)) - 2) > room:
            text = text[: len(text) * room // taken]
        self.text = text

    @property
    def value(self) -> JSON:
        """Its value in JSON."""
        if self.is_number:
            return self.number
        return self.text + CUT if self.is_cut else self.text


Value = Union["Node", Leaf, JSON]


@dataclass(slots=True)
class Node:
    """An object or a list: what is kept of its ``size`` entries.

    ``place`` is the object or list that contains it, and its index there; None for the outermost.
    """

    is_object: bool
    size: int = 0
    keys: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    place: "tuple[Node, int] | None" = None
    long_keys: dict[int, int] | None = None  # lengths of keys that were cut, by index
    is_too_deep: bool = False

    def walk(self) -> "Iterator[Node]":
        """Yield this node and all nodes in it, parents before children."""
        todo = [self]
        while todo:
            node = todo.pop()
            yield node
            todo += [each for each in reversed(node.values) if isinstance(each, Node)]

    def weights(self) -> list[int]:
        """Return how many characters of JSON each entry takes, without what it contains.

        An entry that is an object or a list counts with its two brackets. Leaves are weighed again.
        """
        found = []
        for value in self.values:
            if isinstance(value, Leaf):
                weight = value.weigh()
            elif isinstance(value, Node):
                weight = _CUT_WEIGHT if value.is_too_deep else 2
            else:
                weight = len(repr(value))  # as long as in JSON
            found.append(weight + 2)
        if not self.is_object:
            return found
        keys = self.keys
        return [
            weight + len(encode_basestring_ascii(key)) + 2
            for weight, key in zip(found, keys, strict=True)
        ]

    def ranks(self, first: Collection[str]) -> list[int]:
        """Return for each entry the width from which on it is kept; 0 for the root's ``first``."""
        if self.place is not None:
            return list(range(1, len(self.values) + 1))
        rank, found = 0, []
        for key in self.keys:
            rank += key not in first
            found.append(0 if key in first else rank)
        return found

    def narrow(self, width: int, first: Collection[str]) -> None:
        """Keep at most ``width`` entries; the root also keeps its entries in ``first``."""
        kept = [number for number, rank in enumerate(self.ranks(first)) if rank <= width]
        self.values = [self.values[number] for number in kept]
        long = self.long_keys or {}
        self.long_keys = {new: long[old] for new, old in enumerate(kept) if old in long}
        if self.is_object:
            self.keys = [self.keys[number] for number in kept]
        for number, value in enumerate(self.values):
            if isinstance(value, Node):
                value.place = (self, number)

    def pointer(self, number: int | None = None) -> str:
        """Return the JSON pointer to this node, or to its entry with the index ``number``."""
        parts: list[str] = []
        node, entry = self, number
        while True:
            if entry is not None:
                key = node.keys[entry] if node.is_object else str(entry)
                parts.append("/" + fit(key, MAX_PART).replace("~", "~0").replace("/", "~1"))
            if node.place is None:
                break
            node, entry = node.place
        return fit("".join(reversed(parts)), MAX_POINTER)


def leaf_of(value: JSON) -> Value:
    """Return a value that is neither an object nor a list, as a Leaf if it may be cut."""
    if isinstance(value, str):
        text = _storable(value[: MAX_STRING + 1])
        is_cut = len(text) > MAX_STRING
        return Leaf(text[: MAX_STRING - 1] if is_cut else text, len(value), is_cut=is_cut)
    if isinstance(value, float) and not math.isfinite(value):
        text = str(value)  # NaN and the infinities are not JSON
        return Leaf(text, len(text))
    if isinstance(value, int) and not isinstance(value, bool):
        digits = int(value.bit_length() * _DIGITS_PER_BIT) + 2
        if digits > MAX_DIGITS:
            return Leaf("", digits, number=value)
    return value


def telling(root: Node, step: int) -> Generator[None, None, Fitted]:
    """Return what is kept, as JSON, and where it was cut. Pauses after every ``step`` nodes."""
    cuts: list[Cut] = []
    count = 0
    made: dict[int, JSON] = {}
    nodes = list(root.walk())
    for position, node in enumerate(nodes):
        if position % step == step - 1:
            yield
        for number, kept, size in _cuts(node):
            count += 1
            if len(cuts) < MAX_CUTS:
                cuts.append(Cut(node.pointer(number), kept, size))
    for position, node in enumerate(reversed(nodes)):  # children before parents
        if position % step == step - 1:
            yield
        made[id(node)] = _plain(node, made)
        node.place = None  # a cycle: only the garbage collector could free it
    text = json.dumps(made[id(root)], ensure_ascii=True, allow_nan=False)
    return Fitted(text, tuple(cuts), count)


def _cuts(node: Node) -> Iterator[tuple[int | None, int, int | None]]:
    """Yield where a node was cut: the entry's index, how much is kept, and of how much."""
    if node.is_too_deep:
        yield None, 0, None
        return
    if len(node.values) < node.size:
        yield None, len(node.values), node.size
    for number, value in enumerate(node.values):
        if isinstance(value, Leaf) and value.is_cut:
            yield number, len(value.text), value.size
        elif node.long_keys and number in node.long_keys:
            yield number, MAX_NAME, node.long_keys[number]


def _plain(node: Node, made: dict[int, JSON]) -> JSON:
    if node.is_too_deep:
        return CUT
    values = [
        made[id(value)]
        if isinstance(value, Node)
        else value.value
        if isinstance(value, Leaf)
        else value
        for value in node.values
    ]
    return dict(zip(node.keys, values, strict=True)) if node.is_object else values
