"""Which values are secrets because of what stands beside them: in pairs, options and rows.

Promises: the cost is linear in the number of entries that are read. Values under keys that name a
secret themselves are not covered here.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from canary.model.payload.private_keys import MASK, Lines
from canary.model.payload.secret_keys import SecretKeys

MAX_LIST: Final = 1_000  # entries that are read

# The keys that hold the name of a pair, and those that hold its value, in lower case.
NAMES: Final = frozenset(
    {
        *(
            "name",
            "key",
            "header",
            "field",
            "id",
            "variable",
            "var",
            "param",
            "parameter",
        ),
        *("setting", "property", "attribute", "attr", "label", "env", "arg", "option"),
    }
)
VALUES: Final = frozenset(
    {
        *("value", "values", "val", "content", "contents", "default", "data", "string", "text"),
        *("string_value", "stringvalue", "current", "old", "new", "old_value", "new_value"),
        *("raw", "plain", "v", "plaintext", "plain_text", "literal", "input", "answer"),
    }
)
_JWK: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})  # of a private JSON Web Key
# Names of fields. In a list of names, they follow the name of a secret but are not a secret.
_FIELDS: Final = frozenset(
    {
        *("id", "uuid", "name", "email", "mail", "user", "username", "login", "host", "hostname"),
        *("port", "address", "phone", "role", "roles", "project", "project_id", "user_id", "url"),
        *("domain", "region", "type", "status", "state", "created", "updated", "created_at"),
        *("updated_at", "network", "compute", "storage", "volume", "image", "members", "token"),
        *("password", "secret", "key", "session", "cookie", "auth", "description", "enabled"),
        *("expires", "expires_at", "title", "date", "first_name", "last_name"),
    }
)
_DESCRIPTIONS: Final = frozenset(
    {
        *("kind", "help", "in", "scope", "source", "path", "size", "format", "version", "action"),
        *("op", "operator", "owner", "namespace", "comment", "flow", "task", "service", "job"),
    }
)
_FEW: Final = 4  # entries of an object with only a name, a value and their description, at most
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z_ \-]{0,19}")
_STRONG: Final = re.compile(r"pass|pwd|psk|secret|credential|key", re.IGNORECASE)


def hidden_keys(source: dict[str, Any], keys: SecretKeys) -> frozenset[str]:
    """Return keys whose values are secrets because of what stands beside them."""
    if isinstance(source.get("kty"), str):
        return _JWK
    for key, said in islice(source.items(), MAX_LIST):
        if not isinstance(said, str) or key.lower() not in NAMES:
            continue
        name = said.strip("-: ")
        if keys.names_value(name):
            is_all = len(source) <= _FEW and _STRONG.search(name) is not None
            return frozenset(
                other
                for other, value in islice(source.items(), MAX_LIST)
                if (other.lower() in VALUES or (is_all and not _describes(other, value)))
                and keys.hides(name, value)
            )
    return frozenset()


def _describes(key: str, value: Any) -> bool:
    """Return whether an entry beside the name of a secret only describes the secret."""
    return not isinstance(value, str) or key.lower() in NAMES | _FIELDS | _DESCRIPTIONS


def rows_of(source: list[Any]) -> set[int]:
    """Return the ``id()`` of each list in a list that may be a row: a name, then its value."""
    return {id(each) for each in source if isinstance(each, list) and 2 <= len(each) <= 3}


def shown_entries(source: list[Any], keys: SecretKeys, *, is_row: bool) -> Iterator[Any]:
    """Yield the entries of a list, with ``MASK`` for secrets that an entry before names.

    ``is_row`` is whether the list is a row of another list.
    """
    lines = Lines()
    hidden = _hidden_entries(source, keys, is_row=is_row)
    for number, value in enumerate(source):
        yield MASK if lines.hides(value) or number in hidden else value


def _hidden_entries(source: list[Any], keys: SecretKeys, *, is_row: bool) -> frozenset[int]:
    """Return the indexes of a list's entries that are secrets because of the entry before."""
    found = []
    is_flat = len(source) >= 4 and len(source) % 2 == 0 and isinstance(source[0], str)
    is_pair = len(source) == 2 or (len(source) == 3 and not isinstance(source[2], str))
    for number, before in enumerate(source[:-1]):
        if not isinstance(before, str):
            continue  # it is not a name
        is_option = before.startswith("-")
        is_first = number == 0 and (is_row or is_pair)
        if not (is_option or is_first or (is_flat and number % 2 == 0)):
            continue
        value, name = source[number + 1], before.strip("-: ")
        if not keys.names_value(name):  # first, for it does not read a long text
            continue
        if is_option:
            is_hidden = not (isinstance(value, str) and value.startswith("-"))
        else:
            is_hidden = (is_row and number == 0) or not is_next_name(name, value)
        if is_hidden and keys.hides(name, value):
            found.append(number + 1)
    return frozenset(found)


def is_next_name(before: str, value: Any) -> bool:
    """Return whether what follows the name of a secret is only the next name."""
    if not isinstance(value, str):
        return False
    return value.lower() in _FIELDS or (
        not _STRONG.search(before) and _PLAIN.fullmatch(value) is not None
    )
