"""The options of `[auth]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.option import option


@dataclass(frozen=True, slots=True)
class AuthOptions:
    """Who may ask canary-server. There are three ways to sign in, and several may be set at once.
    One must be where [server] host is no loopback address; once one is, it holds on loopback too.
    """

    basic_file: str | None = option(
        None,
        kinds.FILE_PATH,
        "A file of names and passwords as `htpasswd -B` writes it, bcrypt alone: for browsers. It "
        "is read again when it changes.",
    )
    bearer_file: str | None = option(
        None,
        kinds.FILE_PATH,
        "A file of tokens for scripts, one line each as `canary-server --make-token NAME` prints "
        "it: a name, a colon and the token's SHA-256. It is read again when it changes.",
    )
    user_header: str | None = option(
        None,
        kinds.HEADER,
        "The header in which a proxy of [server] trusted_proxies says who has signed in to it. "
        "Each of these proxies must set it or take it out: what a client wrote there is believed "
        "otherwise.",
    )
