"""Tokens for scripts: how a token is made, and the file of valid tokens.

The file holds the SHA-256 of each token, not the token itself. A token has 256 random bits, which
nobody can guess from the hash, so it needs no slow hash as a password does. A token in a request is
hashed, and its hash is looked up; the time that this takes reveals nothing about any token.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from canary.errors import ConfigError, UsageError
from canary.server.auth.credentials import MAX_NAME, is_name

OPTION: Final = "[auth] bearer_file"

BITS: Final = 256
PREFIX: Final = "canary_"  # so that a token that was published by mistake can be searched for

_DIGEST: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The owners of tokens, by the hashes of the tokens."""

    names: Mapping[str, str] = field(repr=False)

    def owner(self, token: str) -> str | None:
        """Return the name in the token's line, or None if there is no such line."""
        return self.names.get(_digest(token))


def parse(text: str, path: str) -> Tokens:
    """Return the tokens of a file. A name may have several, so that they can be replaced in turn.

    Empty lines and lines that begin with # are skipped. ``path`` is the file's path, for error
    messages. Raises ConfigError, whose message quotes nothing of a line.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, digest = line.rstrip().rpartition(":")
        if not is_name(name) or not _DIGEST.fullmatch(digest):
            raise _wrong(
                f"{path}, line {number}: not a valid line. Allowed: a name of at most {MAX_NAME} "
                "characters, a colon and 64 hexadecimal digits in lower case. Make one: "
                "canary-server --make-token NAME"
            )
        if digest in names:
            raise _wrong(
                f"{path}, line {number}: the same token is on an earlier line. Make another one: "
                "canary-server --make-token NAME"
            )
        names[digest] = name
    return Tokens(names)


def make(name: str) -> tuple[str, str]:
    """Return a new token and its line for the file. Raises UsageError if ``name`` is not valid."""
    if not is_name(name) or name.startswith("#"):
        raise UsageError(
            f"A token's name must have 1 to {MAX_NAME} characters, must not contain control "
            "characters, and must not begin with #."
        )
    token = PREFIX + secrets.token_urlsafe(BITS // 8)
    return token, f"{name}:{_digest(token)}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _wrong(message: str) -> ConfigError:
    return ConfigError(f"{OPTION}: {message}", option=OPTION)
