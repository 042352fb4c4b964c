"""Where the server is and who asks it: options of the command line and variables of its own.

    --url       CANARY_URL       --cacert, --insecure
    --token     CANARY_TOKEN     a bearer token
    --user      CANARY_USER      with CANARY_PASSWORD, or asked for on a terminal

An option wins over its variable. Neither token nor password is in a ``repr``, an error or a log.
"""

import argparse
import getpass
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from canary.errors import UsageError

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEFAULT_TIMEOUT: Final = 20.0  # seconds; the server itself gives MongoDB ten
MAX_TIMEOUT: Final = 3_600.0  # seconds


@dataclass(frozen=True, slots=True)
class Access:
    """How the server is asked. ``timeout`` is how many seconds it may be silent."""

    url: str = DEFAULT_URL
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    verify: bool | str = True  # a file of authorities, or whether certificates are looked at
    timeout: float = DEFAULT_TIMEOUT


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this module."""
    group = parser.add_argument_group("the server")
    group.add_argument(
        "--url", metavar="URL", help=f"where it is (CANARY_URL; default {DEFAULT_URL})"
    )
    group.add_argument(
        "--token",
        metavar="TOKEN",
        help="the token to sign in with (better by CANARY_TOKEN: others see a command's words)",
    )
    group.add_argument(
        "--user",
        metavar="NAME",
        help="the user to sign in as (CANARY_USER), with the password in CANARY_PASSWORD",
    )
    group.add_argument(
        "--cacert",
        metavar="FILE",
        help="the authorities that its certificate must come from; else the usual ones",
    )
    group.add_argument(
        "--insecure", action="store_true", help="do not look at its certificate at all"
    )
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=DEFAULT_TIMEOUT,
        help="how long it may be silent (default %(default)g)",
    )


def access(options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Access:
    """Return what ``options`` and ``environ`` say. Raises UsageError."""
    token, user = options.token, options.user
    if token and user:
        raise UsageError("Say --token or --user, not both")
    if not token and not user:
        token = environ.get("CANARY_TOKEN") or None
        user = None if token else environ.get("CANARY_USER") or None
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError("The token has characters in it that no token has: say it again")
    if not 0 < options.timeout <= MAX_TIMEOUT:
        raise UsageError(
            f"--timeout is {options.timeout:g}. Allowed: more than 0, up to {MAX_TIMEOUT:g} seconds"
        )
    return Access(
        _url(options.url or environ.get("CANARY_URL") or DEFAULT_URL),
        token,
        user,
        _password(user, environ) if user else None,
        _verify(options.cacert, is_insecure=options.insecure),
        options.timeout,
    )


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        raise UsageError("The URL is wrong: write it like http://host:8080 (--url or CANARY_URL)")
    if "@" in parts.netloc:
        raise UsageError(
            "The URL has a user in it: give that with --user and the password in CANARY_PASSWORD"
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _password(user: str, environ: Mapping[str, str]) -> str:
    password = environ.get("CANARY_PASSWORD")
    if password is not None:
        return password
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageError(f"The password of {user!a} is missing: put it into CANARY_PASSWORD")
    return getpass.getpass(f"Password of {user!a}: ")


def _verify(cacert: str | None, *, is_insecure: bool) -> bool | str:
    if cacert and is_insecure:
        raise UsageError("Say --cacert or --insecure, not both")
    if cacert and not Path(cacert).is_file():
        raise UsageError(f"--cacert is {cacert!a}: there is no such file")
    return cacert or not is_insecure
