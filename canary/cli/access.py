"""Where the server is and how to sign in, from options and environment variables.

    --url       CANARY_URL       --cacert, --insecure
    --token     CANARY_TOKEN     a bearer token
    --user      CANARY_USER      with CANARY_PASSWORD, or asked for on a terminal

An option wins over its variable. No ``repr``, error or log contains the token or the password.
"""

import argparse
import getpass
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from canary.errors import UsageError

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEFAULT_TIMEOUT: Final = 20.0  # seconds; the server itself waits ten for MongoDB
MAX_TIMEOUT: Final = 3_600.0  # seconds


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the server. ``timeout`` is how many seconds it may be silent."""

    url: str = DEFAULT_URL
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    verify: bool | str = True  # a file of authorities, or whether certificates are verified
    timeout: float = DEFAULT_TIMEOUT


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this module to ``parser``."""
    group = parser.add_argument_group("the server")
    group.add_argument(
        "--url", metavar="URL", help=f"the server's URL (CANARY_URL; default {DEFAULT_URL})"
    )
    group.add_argument(
        "--token",
        metavar="TOKEN",
        help="the token to sign in with; prefer CANARY_TOKEN: others can see command lines",
    )
    group.add_argument(
        "--user",
        metavar="NAME",
        help="the user to sign in as (CANARY_USER); the password is in CANARY_PASSWORD",
    )
    group.add_argument(
        "--cacert",
        metavar="FILE",
        help="the certificate authorities to trust instead of the default ones",
    )
    group.add_argument(
        "--insecure", action="store_true", help="do not check the server's certificate"
    )
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        default=DEFAULT_TIMEOUT,
        help="how long the server may be silent (default %(default)g)",
    )


def access(options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Access:
    """Return how to reach the server, from ``options`` and ``environ``.

    Asks for a missing password if standard input is a terminal. Raises UsageError if an option or a
    variable is wrong.
    """
    token, user = options.token, options.user
    token = token and token.strip()
    if token and user:
        raise UsageError("Use --token or --user, not both")
    if not token and not user:
        token = environ.get("CANARY_TOKEN", "").strip() or None
        user = None if token else environ.get("CANARY_USER", "").strip() or None
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError(
            "The token contains characters that are not allowed in a token: check --token or"
            " CANARY_TOKEN"
        )
    return Access(
        _url(options.url or environ.get("CANARY_URL", "").strip() or DEFAULT_URL),
        token,
        user,
        _password(user, environ) if user else None,
        _verify(options.cacert, is_insecure=options.insecure),
        _seconds(str(options.timeout)),
    )


def _seconds(text: str) -> float:
    is_number = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII)
    if not is_number or not 0 < float(text) <= MAX_TIMEOUT:
        raise UsageError(
            f"--timeout is {text[:100]!a}. Allowed: more than 0, up to {MAX_TIMEOUT:g} seconds"
        )
    return float(text)


def _without_user(text: str) -> str:
    _, sign, host = text[:100].rpartition("@")
    return f"***@{host}" if sign else host


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        raise UsageError(
            f"{_without_user(text)!a} is not a valid URL: write it like http://host:8080"
            " (--url or CANARY_URL)"
        )
    if "@" in parts.netloc:
        raise UsageError(
            "The URL contains a user: use --user, and put the password into CANARY_PASSWORD"
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _password(user: str, environ: Mapping[str, str]) -> str:
    password = environ.get("CANARY_PASSWORD")
    if password is not None:
        return password.rstrip("\r\n")  # the end of the file that it was read from
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageError(f"The password of {user!a} is missing: put it into CANARY_PASSWORD")
    return getpass.getpass(f"Password of {user!a}: ")


def _verify(cacert: str | None, *, is_insecure: bool) -> bool | str:
    if cacert and is_insecure:
        raise UsageError("Use --cacert or --insecure, not both")
    if cacert and not Path(cacert).is_file():
        raise UsageError(f"--cacert is {cacert!a}: there is no such file")
    return cacert or not is_insecure
