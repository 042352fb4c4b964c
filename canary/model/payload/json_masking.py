"""JSON within a text: decoded and masked by the same rules as a payload, even if it is cut off.

Promises: the cost is linear in the text's length. JSON without a secret is not changed. In other
JSON, values that are not secrets stay the same, but spaces may change.
"""

import json
import re
import string
from collections.abc import Callable
from typing import Any, Final

from canary.model.payload.pairs import hidden_keys, rows_of, shown_entries
from canary.model.payload.private_keys import MASK, Lines
from canary.model.payload.secret_keys import SecretKeys

MAX_LEVELS: Final = 64  # of nested objects and lists; what is deeper is masked as a whole
MAX_FAILURES: Final = 4  # brackets in a text that do not begin JSON; then the search ends

Text = Callable[[str, bool], str]

_CUT: Final = "\ue000"  # marks where a string was cut off
_START: Final = re.compile(r'[\[{](?=\s*+["\[{])')
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|(?P<cut>\\?\Z))|[\[\]{}]', re.DOTALL)
_HALF_ESCAPE: Final = re.compile(r"(?<!\\)((?:\\\\)*+)\\(?:u[0-9a-fA-F]{0,3})?\Z")
_OF_WORDS: Final = f"{string.ascii_letters}{string.digits}+-."
_DECODER: Final = json.JSONDecoder(strict=False)


class JSONMasker:
    """Masks JSON in texts. ``keys`` judges its keys, and ``text`` masks its strings.

    ``text`` takes a string, and whether it was cut off, and returns it masked.
    """

    def __init__(self, keys: SecretKeys, text: Text) -> None:
        self._keys, self._text = keys, text

    def whole(self, value: str) -> str | None:
        """Return a text that is JSON, complete or cut off, masked; None if it is not JSON."""
        try:
            return self._changed(value, _DECODER.decode(value))
        except (ValueError, RecursionError):
            pass
        if value.lstrip()[:1] not in {"{", "["}:
            return None
        return self._of_cut(value)

    def within(self, value: str) -> str:
        """Return a text with the JSON in it masked."""
        parts: list[str] = []
        done = position = failures = 0
        while failures < MAX_FAILURES and (found := _START.search(value, position)):
            try:
                tree, position = _DECODER.raw_decode(value, found.start())
                shown = self._changed(value[found.start() : position], tree)
            except (ValueError, RecursionError):
                failures += 1
                position = found.end()
                rest = self._of_cut(value[found.start() :])
                if rest is not None:
                    return "".join((*parts, value[done : found.start()], rest))
            else:
                parts += value[done : found.start()], shown
                done = position
        return "".join((*parts, value[done:]))

    def _of_cut(self, value: str) -> str | None:
        try:
            return self._cut(value)
        except (ValueError, RecursionError):
            return None

    def _cut(self, value: str) -> str | None:
        closing = []
        for token in _TOKEN.finditer(value):  # the first one is a bracket
            if token[0] in {"{", "["}:
                closing.append("}" if token[0] == "{" else "]")
            elif token[0] in {"}", "]"} and closing:
                closing.pop()
        end = "".join(reversed(closing))
        if token["cut"] is not None:
            value = _HALF_ESCAPE.sub(r"\1", value)
            tries = [(value, f'{_CUT}"'), (value, f'{_CUT}":null')]
        else:
            tries = [(value, ""), (value, ":null"), (value.rstrip(_OF_WORDS), "null")]
        for told, tail in tries:
            try:
                tree = _DECODER.decode(f"{told}{tail}{end}")
            except ValueError:
                continue
            shown = self._shown(tree, MAX_LEVELS)
            if shown == tree:
                return value
            text = json.dumps(shown)
            ending = tail.replace(_CUT, "\\ue000").replace(":", ": ")
            return text.removesuffix(end).removesuffix(ending)
        return None

    def _changed(self, value: str, tree: Any) -> str:
        shown = self._shown(tree, MAX_LEVELS)
        return value if shown == tree else json.dumps(shown)

    def _shown(self, value: Any, levels: int, *, is_row: bool = False) -> Any:
        if isinstance(value, str):
            return self._string(value)
        if not isinstance(value, dict | list):
            return value
        if levels == 0:
            return MASK
        if isinstance(value, list):
            rows = rows_of(value)
            return [
                self._shown(each, levels - 1, is_row=id(each) in rows)
                for each in shown_entries(value, self._keys, is_row=is_row)
            ]
        hidden, lines = hidden_keys(value, self._keys), Lines(strict=True)
        return {
            self._string(key): MASK
            if lines.hides(each) or key in hidden or self._keys.hides(key, each, value)
            else self._shown(each, levels - 1)
            for key, each in value.items()
        }

    def _string(self, value: str) -> str:
        if value.endswith(_CUT):
            return self._text(value[:-1], True) + _CUT
        return self._text(value, False)
