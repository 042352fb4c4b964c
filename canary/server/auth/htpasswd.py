"""A file of names and passwords as Apache's htpasswd writes it, with bcrypt hashes only.

Passwords in htpasswd's other formats (MD5, SHA-1, crypt, plain text) can be guessed at millions per
second. So a file that contains one is refused; the error names the line and the command to fix it.
"""

import re
import shlex
from collections.abc import Mapping
from typing import Final

from canary.config.board_path import shown
from canary.errors import ConfigError
from canary.server.auth.credentials import MAX_NAME, is_name

OPTION: Final = "[auth] basic_file"

MAX_COST: Final = 15  # a check then takes seconds of CPU time; each further step doubles that

# The last character of the salt has two bits, the last character of the hash four.
_BCRYPT: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_OTHERS: Final = (("$apr1$", "MD5"), ("{SHA}", "SHA-1"), ("$5$", "SHA-256"), ("$6$", "SHA-512"))


def parse(text: str, path: str) -> Mapping[str, bytes]:
    """Return the hash of each name's password. ``path`` is the file's path, for error messages.

    Empty lines and lines that begin with # are skipped. Raises ConfigError, whose message quotes
    only the name in a line.
    """
    found: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, hashed = line.rstrip().partition(":")
        where = f"{OPTION}: {path}, line {number}:"
        if not colon:
            raise _wrong(f"{where} there is no colon. A line is a name, a colon and a hash.")
        if not is_name(name):
            raise _wrong(
                f"{where} the name is empty, longer than {MAX_NAME} characters, or contains a "
                "control character."
            )
        if name in found:
            raise _wrong(f"{where} {shown(name)} already has a line. Keep only one.")
        _check(hashed, where, name, path)
        found[name] = hashed.encode()
    return found


def cost(hashed: bytes) -> int:
    """Return the bcrypt cost of a hash that `parse` returned."""
    return int(hashed[4:6])


def _check(hashed: str, where: str, name: str, path: str) -> None:
    made = f"Create it again: htpasswd -B {shlex.quote(path)} {shlex.quote(name)}"
    match = _BCRYPT.fullmatch(hashed)
    if match is None:
        known = [kind for prefix, kind in _OTHERS if hashed.startswith(prefix)]
        kind = f"hashed with {known[0]}" if known else "not a valid hash"
        raise _wrong(
            f"{where} the password of {shown(name)} is {kind}; only bcrypt hashes are accepted. "
            f"{made}"
        )
    if not 4 <= int(match[1]) <= MAX_COST:
        raise _wrong(
            f"{where} the hash of {shown(name)} has the cost {int(match[1])}. Allowed: 4 to "
            f"{MAX_COST}. {made}"
        )


def _wrong(message: str) -> ConfigError:
    return ConfigError(message, option=OPTION)
