"""A decoded payload, masked and cut so that it can be stored and shown.

Promises: the resulting text does not contain values under keys that name a secret, or texts that
look like one. It is JSON of at most ``MAX_TEXT`` characters. If something was cut, the result says
where. The largest values are cut first, down to ``SHORT`` characters, then the last entries of the
widest lists and objects. So short values, such as ids, are cut last. The generators here pause
every few milliseconds. The work is linear in what was decoded, except for sorting lengths.
"""

from collections import Counter
from collections.abc import Generator, Iterator
from itertools import accumulate
from typing import Final

from canary.model.payload.json_decoder import JSON, MAX_DEPTH, MAX_ENTRIES, Container, Parsed
from canary.model.payload.masking import Masker
from canary.model.payload.pairs import hidden_keys, rows_of, shown_entries
from canary.model.payload.private_keys import MASK, Lines, before_cut
from canary.model.payload.tree import MAX_NAME, SHORT, Fitted, Leaf, Node, fit, leaf_of, telling

MAX_TEXT: Final = 64 * 1024  # characters of JSON kept of one payload: 10,000 such jobs are 640 MB
LEAST: Final = SHORT + 8  # characters of JSON for a value of SHORT characters, with quotes and CUT

#: These keys of the outermost object are always kept.
FIRST: Final = frozenset({"uuid", "name", "priority", "details", "book"})

_STEP: Final = 1_000  # values between two pauses
_STEP_CHARACTERS: Final = 8_000  # characters that are masked between two pauses

Steps = Generator[None, None, None]


def fitting(
    parsed: Parsed, identity: dict[str, str], masker: Masker
) -> Generator[None, None, Fitted]:
    """Return the text of a payload, and where it was cut. A generator that pauses.

    ``parsed`` is an object; ``identity`` has entries of it that are already masked and short.
    """
    fitter = _Fitter(parsed, identity, masker)
    yield from fitter.take()
    yield from fitter.shrink()
    yield from fitter.mask()
    yield from fitter.shrink()  # a mask may be longer than what it masks
    return (yield from telling(fitter.root, _STEP))


class _Fitter:
    """Masks and cuts one payload. ``root`` is what is kept of it so far."""

    def __init__(self, parsed: Parsed, identity: dict[str, str], masker: Masker) -> None:
        self._parsed, self._identity, self._masker = parsed, identity, masker
        self.root = Node(is_object=True)
        self._judged: dict[str, bool] = {}
        self._work = 0
        self._rows: set[int] = set()  # lists that are rows of another list, by their id()

    def _is_step(self, units: int, limit: int) -> bool:
        """Count work; return whether it is time to pause."""
        self._work += units
        is_enough = self._work >= limit
        if is_enough:
            self._work = 0
        return is_enough

    # --- taking values ---------------------------------------------------------------------------

    def take(self) -> Steps:
        """Take the decoded values, except those under keys that name a secret."""
        todo: list[tuple[Container, Node, int]] = [(self._parsed.value, self.root, MAX_DEPTH)]
        while todo:
            source, node, depth = todo.pop()
            node.size = len(source) + self._parsed.left.get(id(source), 0)
            entries = (
                self._of_object(source, node) if isinstance(source, dict) else self._of_list(source)
            )
            for value in entries:
                if self._is_step(1, _STEP):
                    yield
                if isinstance(value, dict | list):
                    inner = Node(isinstance(value, dict), place=(node, len(node.values)))
                    node.values.append(inner)
                    if depth > 1:
                        todo.append((value, inner, depth - 1))
                    else:
                        inner.is_too_deep = True
                else:
                    node.values.append(leaf_of(value))
        for number, key in enumerate(self.root.keys):
            if key in self._identity:
                self.root.values[number] = Leaf(self._identity[key], 0, is_fixed=True)

    def _of_object(self, source: dict[str, JSON], node: Node) -> Iterator[JSON]:
        """Yield the values of an object that are kept, and add their keys to ``node``."""
        hidden, lines = hidden_keys(source, self._masker.keys), Lines(strict=True)
        for number, (key, value) in enumerate(self._first(source, node)):
            self._work += _units(value)
            node.keys.append(fit(key, MAX_NAME))
            if len(key) > MAX_NAME:
                node.long_keys = node.long_keys or {}
                node.long_keys[number] = len(key)
            is_hidden = (
                lines.hides(value)
                or key in hidden
                or (self._is_secret(key) and self._masker.keys.hides(key, value, source))
            )
            yield MASK if is_hidden else _whole(value)

    def _first(self, source: dict[str, JSON], node: Node) -> Iterator[tuple[str, JSON]]:
        if node is self.root and len(source) > MAX_ENTRIES:
            source = {key: source[key] for key in self._identity} | source
        for number, entry in enumerate(source.items()):
            if number < MAX_ENTRIES or (node is self.root and entry[0] in FIRST):
                yield entry

    def _of_list(self, source: list[JSON]) -> Iterator[JSON]:
        """Yield the values of a list that are kept, masked if the entry before names a secret."""
        entries = source[:MAX_ENTRIES]
        is_row = id(source) in self._rows
        self._rows |= rows_of(entries)
        shown = shown_entries(entries, self._masker.keys, is_row=is_row)
        for value, entry in zip(shown, entries, strict=True):
            self._work += _units(entry)
            yield _whole(value)

    def _is_secret(self, key: str) -> bool:
        is_secret = self._judged.get(key)
        if is_secret is None:
            is_secret = self._judged[key] = self._masker.keys.names(key)
        return is_secret

    # --- masking ---------------------------------------------------------------------------------

    def mask(self) -> Steps:
        """Mask everything that looks like a secret in what is kept."""
        for node in self.root.walk():
            for number, key in enumerate(node.keys):
                node.keys[number] = self._masker.text(key, is_cut=number in (node.long_keys or ()))
                if self._is_step(len(key), _STEP_CHARACTERS):
                    yield
            if len(set(node.keys)) < len(node.keys):
                node.keys = _apart(node.keys)
            for leaf in node.values:
                if isinstance(leaf, Leaf) and not leaf.is_fixed and not leaf.is_number:
                    leaf.text = self._masker.text(leaf.text, is_cut=leaf.is_cut)
                    if self._is_step(len(leaf.text) + 20, _STEP_CHARACTERS):
                        yield

    # --- cutting ---------------------------------------------------------------------------------

    def shrink(self) -> Steps:
        """Cut values, and then entries, until the text fits."""
        leaves: list[Leaf] = []
        total = 0  # includes the root's brackets: its last entry has no separator
        for node in self.root.walk():
            total += sum(node.weights())
            leaves += [value for value in node.values if isinstance(value, Leaf)]
            if self._is_step(1 + len(node.values), _STEP):
                yield
        if total <= MAX_TEXT:
            return
        large = [leaf for leaf in leaves if leaf.weight > LEAST and not leaf.is_fixed]
        level = _level([leaf.weight for leaf in large], total - MAX_TEXT)
        for leaf in large:
            if leaf.weight > level:
                total -= leaf.weight
                leaf.cut(level)
                total += leaf.weigh()
                if self._is_step(leaf.weight, _STEP_CHARACTERS):
                    yield
        if total > MAX_TEXT:
            yield from self._narrow()

    def _narrow(self) -> Steps:
        """Drop the last entries of the widest lists and objects until the text fits."""
        added = Counter[int]()  # by width: characters more than with one entry less of each
        todo = [(self.root, 0)]
        while todo:
            node, least = todo.pop()
            for value, weight, own in zip(
                node.values, node.weights(), node.ranks(FIRST), strict=True
            ):
                rank = max(least, own)
                added[rank] += weight
                if isinstance(value, Node):
                    todo.append((value, rank))
            if self._is_step(1 + len(node.values), _STEP):
                yield
        lengths = accumulate(added[rank] for rank in sorted(added))  # every width occurs
        width = sum(length <= MAX_TEXT for length in lengths) - 1
        for node in self.root.walk():
            node.narrow(width, FIRST)
            if self._is_step(1, _STEP):
                yield


def _apart(keys: list[str]) -> list[str]:
    """Return keys with a number added to each that, now masked, is equal to an earlier one."""
    taken, counts = set(keys), dict[str, int]()
    found = []
    for key in keys:
        number = counts.get(key, 0) + 1
        shown = key
        while number > 1 and (shown := f"{key[: MAX_NAME - 8]} ({number})") in taken:
            number += 1
        counts[key] = number
        taken.add(shown)
        found.append(shown)
    return found


def _whole(value: JSON) -> JSON:
    return before_cut(value) if isinstance(value, str) else value


def _units(value: JSON) -> int:
    """Return the work of checking a value for secrets, which counts even if it is not kept."""
    return len(value) >> 5 if isinstance(value, str) else 0


def _level(weights: list[int], excess: int) -> int:
    """Return the weight to which all heavier values must be cut to remove ``excess``."""
    sums = accumulate(sorted(weights, reverse=True))
    return max([LEAST, *((above - excess) // number for number, above in enumerate(sums, 1))])
