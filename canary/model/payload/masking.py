"""Masks secrets within texts, by what they look like.

Promises: the cost is linear in the text's length, whatever the text is. A secret that is cut off at
the text's end is masked, too. These are masked:

- private keys in PEM,
- passwords in URIs,
- what follows ``Bearer`` and ``Basic``,
- JSON Web Tokens,
- the values of keys that name a secret: in JSON, headers, queries and on command lines,
- all of these in JSON within a text, in JSON within a string of that JSON, and so on, up to
  ``MAX_LEVELS`` deep. A deeper string that can't be read without decoding is masked as a whole.

The rest of a text is not changed.

Each regular expression here begins where the last match ended, or at the beginning of a word, and
does not backtrack (its quantifiers are possessive or bounded). So it reads no character more than a
few times.
"""

import base64
import json
import re
from collections.abc import Sequence
from typing import Final

from canary.model.payload.json_masking import JSONMasker
from canary.model.payload.named_values import EQUALS, NamedValues
from canary.model.payload.private_keys import MASK, without_private_keys
from canary.model.payload.secret_keys import MAX_KEY, SecretKeys

MAX_LEVELS: Final = 4  # of JSON within strings of JSON

_HARMLESS: Final = re.compile(r"(?!eyJ|LS0t|(?i:age-))[A-Za-z0-9_.\-]{0,24}|[0-9a-fA-F\-]{0,64}")
_STRING: Final = re.compile(
    r'"((?:[^"\\]++|\\.)*+)("|\\?\Z)', re.DOTALL
)  # a JSON string, or its beginning
_DECODER: Final = json.JSONDecoder(strict=False)
_COLON: Final = re.compile(r"\s*+:\s*+")
_NESTING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_SCALAR: Final = re.compile(r"[^,}\]\s]*+")
_NOTHING: Final = frozenset({"null", "true", "false", "[]", "{}", "None", "True", "False"})
_SPACE: Final = re.compile(r"\s")
_SCHEME: Final = re.compile(
    r"(?<!\w)(bearer|basic|negotiate)((?:\s|%20|\\[nrt])++)([^\s\"'\\,;<>]++)", re.IGNORECASE
)
_JWT: Final = re.compile(
    r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2}))eyJ[\w\-]*+(?:\.[\w.+/=\-]*+|\Z)", re.ASCII
)
# Base64. It goes on after a line break only if the line before has at least 60 characters.
_BASE64: Final = r"[\w+/\-]"
_BREAK: Final = r"(?:\\[nr]|\s)++"
_ENCODED: Final = re.compile(
    rf"(?<!{_BASE64})(?:{_BASE64}{{60,}}+(?:{_BREAK}{_BASE64}{{60,}}+)*+(?:{_BREAK}{_BASE64}++)?+"
    rf"|{_BASE64}{{4,}}+)={{0,2}}",
    re.ASCII,
)
_NO_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")
_BREAKS: Final = re.compile(r"\\[nr]|\s")
_LONG: Final = 100  # characters; longer base64 is decoded, whatever it begins with
# "PRIVATE KEY" in base64, at each of the three offsets in a group of bytes.
_PRIVATE: Final = ("UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW")
_WORD: Final = re.compile(r"[\w\-]++")


class Masker:
    """Masks texts. ``keys`` decides which names are those of secrets."""

    def __init__(self, keys: SecretKeys | None = None) -> None:
        self.keys = keys or SecretKeys()
        self._named = NamedValues(self.keys)

    @classmethod
    def of(cls, more: Sequence[str]) -> "Masker":
        """Return a masker that also masks ``more``, an operator's own keys: see ``SecretKeys``."""
        return cls(SecretKeys(more))

    def text(self, value: str, *, is_cut: bool = False, levels: int = MAX_LEVELS) -> str:
        """Return ``value`` with ``MASK`` in place of each secret.

        ``is_cut`` is whether ``value`` was cut off at its end, ``levels`` how many levels of JSON
        within strings are decoded.
        """
        if _HARMLESS.fullmatch(value):
            return value
        if '"' in value:
            if levels == 0:
                if any(sign in value for sign in "\\[{"):  # it may contain or encode anything
                    return MASK
            else:
                tree = JSONMasker(
                    self.keys,
                    lambda text, is_end: self.text(
                        text, is_cut=is_cut and is_end, levels=levels - 1
                    ),
                )
                whole = tree.whole(value)
                if whole is not None:
                    return whole
                value = self._json(tree.within(value), is_cut=is_cut, levels=levels)
        return self._named.mask(self.shapes(value, is_cut=is_cut, levels=levels))

    def identity(self, value: str) -> str:
        """Return a name, masked less than other texts, so that different names stay different.

        What follows a colon is not masked: in a name, it is a port, a flow's step or a tag.
        """
        if '"' in value:
            return self.text(value)
        return self._named.mask(self.shapes(value), EQUALS)

    def shapes(self, value: str, *, is_cut: bool = False, levels: int = MAX_LEVELS) -> str:
        """Return ``value`` masked only by what secrets look like, not by what names them."""
        value = without_private_keys(value)
        value = _without_userinfo(value, is_cut=is_cut)
        return self._without_tokens(value, is_cut=is_cut, levels=levels)

    def excerpt(self, value: str) -> str:
        """Return a text that is not JSON, masked. After the name of a secret, all of it is masked.

        In a text without a known form, no rule tells where a secret ends. The text may have been
        cut off by whoever wrote it.
        """
        before = None
        for word in _WORD.finditer(value):
            pair = f"{before[0]}_{word[0]}" if before and before.end() + 1 == word.start() else ""
            if any(len(each) <= MAX_KEY and self.keys.names(each) for each in (word[0], pair)):
                return self.text(value[: word.end()]) + MASK
            before = word
        return self.text(value, is_cut=True)

    def _json(self, value: str, *, is_cut: bool, levels: int) -> str:
        """Mask the strings in what may be JSON, even if it is cut off or is not JSON."""
        parts: list[str] = []
        done = position = 0
        while found := _STRING.search(value, position):
            start, position = found.span()
            content = _unescaped(found[1])
            colon = _COLON.match(value, position)
            masked = self.text(content, is_cut=is_cut and found[2] != '"', levels=levels - 1)
            if masked != content:
                parts += value[done:start], json.dumps(masked)
                done = position
            if colon and self.keys.names(content):
                end = _value_end(value, colon.end())
                if value[colon.end() : end] not in _NOTHING:
                    parts += value[done : colon.end()], f'"{MASK}"'
                    done = position = end
        return "".join((*parts, value[done:]))

    def _without_tokens(self, value: str, *, is_cut: bool, levels: int) -> str:
        def scheme(found: re.Match[str]) -> str:
            is_end = is_cut and found.end() == len(value)
            if found[1].lower() == "basic" and not is_end and not _is_basic(found[3]):
                return found[0]
            return f"{found[1]}{found[2]}{MASK}"

        def jwt(found: re.Match[str]) -> str:
            is_end = is_cut and found.end() == len(value)
            return MASK if is_end or "." in found[0] else found[0]

        def encoded(found: re.Match[str]) -> str:
            is_end = is_cut and found.end() == len(value)
            word = _BREAKS.sub("", found[0])
            is_known = word.startswith(("eyJ", "LS0t"))
            is_secret = (is_end and is_known) or any(mark in word for mark in _PRIVATE)
            if is_secret or ((is_known or len(word) >= _LONG) and self._hides(word, levels)):
                return MASK
            return found[0]

        lower = value.lower()
        if "bearer" in lower or "basic" in lower or "negotiate" in lower:
            value = _SCHEME.sub(scheme, value)
        if "eyJ" in value:
            value = _JWT.sub(jwt, value)
        return _ENCODED.sub(encoded, value)

    def _hides(self, word: str, levels: int) -> bool:
        """Return whether a word of base64 contains a secret."""
        raw = _decoded(word)
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < len(raw) * 3 // 4 - 4:
                return False  # it is not text
        plain = raw.decode("utf-8", "replace")
        return levels == 0 or self.text(plain, is_cut=True, levels=levels - 1) != plain


def _without_userinfo(value: str, *, is_cut: bool) -> str:
    """Mask user and password in URIs: everything up to the last ``@`` of the same word."""
    parts: list[str] = []
    done, position = 0, value.find("://")
    while position >= 0:
        space = _SPACE.search(value, position)
        end = space.start() if space else len(value)
        last = end if is_cut and not space else value.rfind("@", position, end)
        while 0 <= position < last:
            start = position + 3
            if _has_userinfo(value, start, end, is_open=last == end):
                parts += value[done:start], MASK
                done = last
                break
            position = value.find("://", start, end)
        position = value.find("://", end)
    return "".join((*parts, value[done:]))


def _has_userinfo(value: str, start: int, end: int, *, is_open: bool) -> bool:
    """Return whether a user and password, or a token alone, begin at ``start``."""
    slash = value.find("/", start, end)
    is_alone = slash == -1
    authority = value[start : end if is_alone else slash]
    _, colon, rest = authority.partition(":")
    if colon:
        is_port = not is_alone and len(rest) <= 5 and rest.isdigit()
        return not is_port
    at = authority.find("@")
    return at >= 20 or (is_open and is_alone and at == -1 and len(authority) >= 20)


def _is_basic(word: str) -> bool:
    """Return whether a word is user and password in base64, or may be a part of that."""
    return b":" in _decoded(word) or (
        len(word) >= 16 and any(each.isdigit() for each in word) and not word.islower()
    )


def _decoded(word: str) -> bytes:
    word = _NO_BASE64.sub("", word.replace("-", "+").replace("_", "/"))
    if len(word) % 4 == 1:  # the last character is less than a byte
        word = word[:-1]
    return base64.b64decode(word + "==")


def _unescaped(content: str) -> str:
    """Return the value of the JSON string ``content``; if invalid, as far as it can be read."""
    if "\\" not in content:
        return content
    try:
        found: str = _DECODER.decode(f'"{content}"')
    except ValueError:
        return content.replace('\\"', '"').replace("\\\\", "\\")
    return found


def _value_end(value: str, start: int) -> int:
    """Return where the JSON value at ``start`` ends: if it is cut off, at the end of the text."""
    if value[start : start + 1] not in {"{", "[", '"'}:
        return next(_SCALAR.finditer(value, start)).end()
    depth = 0
    for token in _NESTING.finditer(value, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth <= 0:
            return token.end()
    return len(value)
