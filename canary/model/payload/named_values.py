"""Masks values that follow the name of a secret in a text: in headers, queries, options, reprs.

Promises: the cost is linear in the text's length. If no rule tells where a value ends, it is masked
up to the end of its line.
"""

import re
from collections.abc import Collection
from typing import Final

from canary.model.payload.pairs import NAMES, VALUES, is_next_name
from canary.model.payload.private_keys import MASK
from canary.model.payload.secret_keys import MAX_KEY, SecretKeys

#: Signs between a name and its value.
SIGNS: Final = frozenset({"=>", "=", ">", ":", "%3D", "%3d", "%3A", "%3a"})
EQUALS: Final = frozenset({"=", "%3D", "%3d"})

_COLONS: Final = frozenset({":", "%3A", "%3a"})
_LINES: Final = _COLONS | {"=>"}
_QUOTE: Final = r"\\*+[\"']|%22|%27|&quot;|&#34;|&#39;|&apos;"
_PAIR: Final = re.compile(
    r"(?<![\w.\-])([\w.\-]++)((?:[\"'\\\s]|%2[027]|&(?:quot|#34|#39|apos);)*+)(=>|[:=>]|%3[AaDd])"
)
_OPENING: Final = re.compile(rf"(?:\s|%20)*+(?:[ubrfUBRF]{{0,2}}({_QUOTE}))?")
_TAG: Final = re.compile(  # a port, or a version
    r"(?:\d{1,5}|v?\d++(?:\.[\w\-]++)++|v\d{1,4}|latest|stable)(?![\w.])", re.ASCII
)
_PASSWORD: Final = re.compile(r"passw|pwd|passphrase|\Asecret\Z|_secret\Z", re.IGNORECASE)
_NEXT: Final = r"\s*+[\w.\-]{1,64}(?:=|%3[Dd])"
# Up to a separator. &, comma and semicolon are separators only before a space, before the next name
# or at the end. Elsewhere they may belong to a password.
_UNQUOTED: Final = re.compile(rf"(?:[^\s&,;%]|%(?!26)|[&,;](?!\s|\Z|{_NEXT}))*+")
_ALONE: Final = re.compile(rf"(?:[^\r\n \t&,;]|[ \t&,;]++(?!{_NEXT}))*+")
_BEFORE_ALONE: Final = re.compile(r"\s*+(?:- )?(?:export |set |ENV |env )?\s*+")
_BEHIND_QUOTE: Final = re.compile(r"(?:[^\s&,;<>\"'(){}\[\]\\%/]|/(?!>))*+")
_LINE: Final = re.compile(r"[^\r\n]*+")
_ELEMENT: Final = re.compile(r"[^<]*+")
_BLOCK: Final = re.compile(
    r"(?:[!&][\w!.:,/\-]*+[ \t]++)*+[|>][-+\d]{0,2}[ \t]*+(?:#[^\r\n]*+)?[\r\n]"
)
_NOTHING: Final = re.compile(r"(?:null|[Nn]one|[Tt]rue|[Ff]alse|\[\]|\{\})(?=[\s,;)}\]]|\Z)")
_FLAG: Final = re.compile(r"(?<![^\s\"'])--?([\w\-]++)\s++(?!-)")
_ARGUMENT: Final = re.compile(
    r"\"(?:[^\"\\]++|\\.)*+\"?[^\s\"']*+|'[^']*+'?[^\s\"']*+|\S++", re.DOTALL
)
_TUPLE: Final = re.compile(
    r"[(\[]\s*+[ubrf]{0,2}([\"'])([\w\-]{1,64})\1\s*+,\s*+[ubrf]{0,2}([\"'])"
)
_WORD: Final = re.compile(r"[\w\-]++")
_CLOSE: Final = 200  # characters between a name and its value, at most


class NamedValues:
    """Masks what follows a name that, according to ``keys``, is that of a secret."""

    def __init__(self, keys: SecretKeys) -> None:
        self._keys = keys

    def mask(self, value: str, signs: Collection[str] = SIGNS) -> str:
        """Return ``value`` with what follows the name of a secret and one of ``signs`` masked.

        The argument of a command-line option with such a name is masked, too. With ``SIGNS``, so is
        the value of a pair in brackets.
        """
        if not self._keys.may_name(value.lower()):
            return value
        ranges = self._ranges(value, signs)
        if signs is SIGNS:
            ranges += self._of_tuples(value)
        value = _without(value, ranges)
        return _without(value, self._of_flags(value))

    def _ranges(self, value: str, signs: Collection[str]) -> list[tuple[int, int]]:
        """Return where the values of secrets begin and end."""
        ranges: list[tuple[int, int]] = []
        position = 0
        named = -1  # where a secret's name ended that was the value of "name" or the like
        unnamed: tuple[int, int] | None = None  # where a value is whose name has not come yet
        while pair := _PAIR.search(value, position):
            position = pair.end()
            if pair[3] not in signs:
                continue
            word = _word(value, pair).lower()
            is_value = word in VALUES
            if is_value or self._is_name(value, pair):
                is_found = not is_value or 0 <= named <= pair.start() <= named + _CLOSE
                last = len(value) if is_found else min(len(value), pair.end() + _CLOSE)
                start, end = _bounds(value, pair, last)
                if is_found:
                    if start < end:
                        ranges.append((start, end))
                        position = end
                else:
                    unnamed = (start, end)
            elif word in NAMES:
                opening = _OPENING.match(value, position)
                said = _WORD.match(value, opening.end() if opening else position)
                is_secret = said is not None and self._keys.names_value(said[0])
                named = said.end() if said and is_secret else -1
                if is_secret and unnamed and pair.start() - unnamed[0] <= _CLOSE:
                    ranges.append((unnamed[0], min(unnamed[1], pair.start())))
                unnamed = None
        return ranges

    def _of_tuples(self, value: str) -> list[tuple[int, int]]:
        ranges = []
        for found in _TUPLE.finditer(value):
            if self._keys.names_value(found[2]):
                end = _quoted_end(value, found.end(), found[3], len(value))
                if not is_next_name(found[2], value[found.end() : end]):
                    ranges.append((found.end(), end))
        return ranges

    def _is_name(self, value: str, pair: re.Match[str]) -> bool:
        word = _word(value, pair)[-MAX_KEY:]  # the last words of a name say what it names
        if pair[3] == ">" and value[pair.start() - 1 : pair.start()] == "/":
            return False  # a closing tag
        if word.lower() in {"key", "keys"}:  # perhaps "private key"
            before = value[max(0, pair.start() - 24) : pair.start()].rstrip().rpartition(" ")[2]
            word = f"{before}_{word}"
        if not self._keys.names(word):
            return False
        return pair[3] not in _COLONS or bool(pair[2]) or self._is_named(value, pair, word)

    def _is_named(self, value: str, pair: re.Match[str], word: str) -> bool:
        """Return whether a colon directly after the name of a secret begins its value.

        After a host comes its port, after an image its tag, after a flow its step.
        """
        before = value[max(0, pair.start() - 3) : pair.start()]
        host, after = word.split("."), value[pair.end() : pair.end() + 1]
        if before == "://" or (len(host) > 2 and not self._keys.names(".".join(host[-2:]))):
            return False
        if not after or after.isspace() or after in "\"'\\%&":
            return True
        if before[-1:] in {"/", ":", "@"} or _TAG.match(value, pair.end()):
            return _PASSWORD.search(word) is not None
        return self._keys.names_value(host[-1])

    def _of_flags(self, value: str) -> list[tuple[int, int]]:
        ranges = []
        position = 0
        while found := _FLAG.search(value, position):
            position = found.end()
            argument = _ARGUMENT.match(value, position) if self._keys.names(found[1]) else None
            if argument:
                ranges.append(argument.span())
                position = argument.end()
        return ranges


def _word(value: str, pair: re.Match[str]) -> str:
    """Return the name in a pair, without the digits of a percent-encoded quote before it."""
    word = pair[1]
    if value[max(0, pair.start() - 1) : pair.start()] == "%" and word[:2] in {"22", "27", "20"}:
        word = word[2:]
    return word.strip("-.")


def _bounds(value: str, pair: re.Match[str], last: int) -> tuple[int, int]:
    """Return where the value of a pair begins and ends; an empty range if there is nothing to mask.

    Nothing from ``last`` on is read.
    """
    opening = _OPENING.match(value, pair.end(), last)
    start = opening.end() if opening else pair.end()
    quote = (opening and opening[1]) or ""
    if quote:
        end = _quoted_end(value, start, quote, last)
        behind = _BEHIND_QUOTE.match(value, end + len(quote), last)
        return start, behind.end() if behind and behind[0] else end
    if _NOTHING.match(value, start):
        return start, start
    if value[start : start + 1] in {"{", "[", "("} or _BLOCK.match(value, start, last):
        return start, last
    before = value[pair.start() - 1] if pair.start() else ""
    if pair[3] in _LINES:
        if before in {'"', "'"} and before not in pair[2]:  # name and value are in the same quotes
            end = value.find(before, start, last)
            if end >= 0:
                return start, end
        form = _LINE
    elif pair[3] == ">" and before == "<":
        form = _ELEMENT
    elif pair[3] == "=" and (alone := _BEFORE_ALONE.match(value)) and alone.end() == pair.start():
        form = _ALONE
    else:
        form = _UNQUOTED
    match = form.match(value, start, last)
    return start, match.end() if match else start


def _quoted_end(value: str, start: int, quote: str, last: int) -> int:
    """Return where a quoted value ends that begins at ``start``."""
    end = value.find(quote, start, last)
    while end > 0 and value[end - 1] == "\\":  # an escaped quote
        end = value.find(quote, end + 1, last)
    return last if end < 0 else end


def _without(value: str, ranges: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    done = 0
    for start, end in sorted(ranges):
        if start >= done:
            parts += value[done:start], MASK
        done = max(done, end)
    return "".join((*parts, value[done:]))
