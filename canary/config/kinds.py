"""The kinds of values that options have: oslo.config's types, made stricter.

oslo.config's types accept an empty number as None, `nan` as a number within any range and `1_000`
as 1000, and join list items across a comma until something is valid. The types here do not.

`allowed` describes the valid values of a kind, for messages and for the sample. An invalid value
raises ValueError. If there is more to say, its cause is a UsageError with the reason.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from oslo_config import types

from canary.config.board_path import check_board_path
from canary.errors import UsageError

DAY = 86_400  # seconds


class Whole(types.Integer):
    """A whole number between two bounds, inclusive."""

    def __init__(self, low: int, high: int, *, unit: str = "") -> None:
        super().__init__(min=low, max=high)
        self.allowed = f"a whole number{unit and f' of {unit}'} from {low} to {high}"

    def __call__(self, value: Any) -> Any:
        return super().__call__(_digits(value, r"-?[0-9]{1,18}"))


class Decimal(types.Float):
    """A number between two bounds, inclusive."""

    def __init__(self, low: float, high: float, *, unit: str) -> None:
        super().__init__(min=low, max=high)
        self.allowed = f"a number of {unit} from {low:g} to {high:g}"

    def __call__(self, value: Any) -> Any:
        return super().__call__(_digits(value, r"-?[0-9]{1,18}(\.[0-9]{1,18})?"))


class Flag(types.Boolean):
    """A boolean, in any spelling that oslo.config accepts."""

    allowed = "true or false"


class Choice(types.String):
    """One of a few words, spelled exactly so."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(choices=list(words))
        self.allowed = "one of " + ", ".join(words)


class Text(types.String):
    """Text of one line. `check`, if given, returns the text to use, or raises UsageError."""

    def __init__(self, allowed: str, check: Callable[[str], str] | None = None) -> None:
        super().__init__()
        self.allowed = allowed
        self._check = check

    def __call__(self, value: Any) -> str:
        text = super().__call__(value)
        try:
            _one_line(text)
            return text if self._check is None else self._check(text)
        except UsageError as error:
            raise ValueError(str(error)) from error


class Words(types.List):
    """A list of at least `at_least` of `item`, separated by commas; duplicates are removed."""

    def __init__(self, item: Text, *, at_least: int) -> None:
        super().__init__(item_type=item, min_length=at_least)
        self.allowed = f"{item.allowed}; several are separated by commas"

    def __call__(self, value: Any) -> list[Any]:
        parts = value if isinstance(value, list | tuple) else value.strip().rstrip(",").split(",")
        words = [] if parts == [""] else [self.item_type(part.strip()) for part in parts]
        if len(words) < self.min_length:
            raise ValueError("it is empty")
        return list(dict.fromkeys(words))


Kind: TypeAlias = Whole | Decimal | Flag | Choice | Text | Words


def _digits(value: Any, pattern: str) -> Any:
    if isinstance(value, str) and not re.fullmatch(pattern, value.strip(), re.ASCII):
        raise ValueError("not a valid number")
    return value


def _one_line(text: str) -> None:
    if not text:
        raise UsageError("it is empty")
    if re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text):
        raise UsageError("it contains a line break or another control character")


def _matching(pattern: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if re.fullmatch(pattern, text, re.ASCII) is None:
            raise UsageError("not in the allowed form")
        return text

    return check


_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)


def _host(text: str) -> str:
    """Return a host name or address; brackets around an IPv6 address are removed."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        address = None
    if address is not None and (bare == text or address.version == 6):
        return bare
    labels = text.removesuffix(".").split(".")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UsageError(f"{text!a} is not a valid host name or address")
    if labels[-1].isdigit():
        raise UsageError(f"{text!a} is not a valid IPv4 address")
    return text


def _host_port(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if "/" in text:
        raise UsageError(f"{text!a} contains a path; leave it out, and use full paths for boards")
    if not colon or not re.fullmatch("[0-9]{1,5}", port, re.ASCII) or not 0 < int(port) < 65536:
        raise UsageError(f"{text!a} does not end with a port, as in zk1.example.org:2181")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise UsageError(f"{text!a}: write an IPv6 address in brackets, as in [::1]:2181")
    _host(host)
    return text


def _database(text: str) -> str:
    if text.lower() in {"admin", "config", "local"}:
        raise UsageError("MongoDB reserves that database for itself")
    if len(text.encode()) > 63 or re.search(r'[/\\. "$*<>:|?]', text):
        raise UsageError("MongoDB does not allow that name")
    return text


def _keyspace(text: str) -> str:
    if text == "system" or text.startswith("system_"):
        raise UsageError("Cassandra reserves that keyspace for itself")
    return _matching(r"[a-z][a-z0-9_]{0,47}")(text)


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if network.prefixlen == 0:
        raise UsageError(f"{text!a} matches every address")
    return text


#: In lower case. Headers that the server uses for another purpose than to learn the user's name.
_OTHER_HEADERS = re.compile("authorization|host|connection|x-forwarded-(for|proto|host|prefix)")


def _header(text: str) -> str:
    if _OTHER_HEADERS.fullmatch(text.lower()):
        raise UsageError(f"{text!a} is a header with another purpose")
    return _matching("[A-Za-z][A-Za-z0-9-]{0,63}")(text)


def _prefix(text: str) -> str:
    if text.endswith("/"):
        raise UsageError("it ends with a slash")
    if {"", ".", ".."} & set(text.split("/")[1:]):
        raise UsageError("it has a part that is empty, '.' or '..'")
    return _matching(r"(/[A-Za-z0-9._~-]+)+")(text)


_FACTOR = r"'[A-Za-z0-9_.:-]+'\s*:\s*(?:[0-9]{1,3}|'[0-9]{1,3}(?:/[0-9]{1,3})?')"

ANY = Text("text")
DIGEST_USER = Text("text without a colon", _matching("[^:]+"))
FILE = Text("the path of a file in PEM format")
FILE_PATH = Text("the path of a file")
BOARD = Text("a ZooKeeper path such as /taskflow/jobs", check_board_path)
WORKER_NAME = Text(
    "letters, digits, dots, hyphens and underscores, at most 64",
    _matching(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"),
)
MASK_KEY = Text(
    "letters, digits, dots, hyphens and underscores, at most 64, with or without * at either end",
    _matching(r"\*?[._-]?[A-Za-z0-9][A-Za-z0-9._-]{0,62}\*?"),
)
HOST = Text("a host name or address", _host)
NETWORK = Text("an address or a network, such as 10.0.0.0/8", _network)
HEADER = Text("the name of a header, such as X-Remote-User", _header)
PREFIX = Text("a path such as /canary", _prefix)
HOST_PORT = Text("host:port, with IPv6 addresses in brackets", _host_port)
MONGO_URI = Text(
    "a URI that begins with mongodb:// or mongodb+srv://", _matching(r"mongodb(\+srv)?://[^\s/]\S*")
)
DATABASE = Text("a valid MongoDB database name, at most 63 bytes", _database)
KEYSPACE = Text("a lower-case letter, then at most 47 of a-z, 0-9 and _", _keyspace)
REPLICATION = Text(
    "a CQL map such as {'class': 'NetworkTopologyStrategy', 'dc1': 3}",
    _matching(rf"\{{\s*'class'\s*:\s*'[A-Za-z0-9_.]+'(?:\s*,\s*{_FACTOR})+\s*\}}"),
)
