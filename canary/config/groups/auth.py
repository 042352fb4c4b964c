"""The options of `[auth]`."""

from __future__ import annotations

from dataclasses import dataclass

from canary.config import kinds
from canary.config.option import option


@dataclass(frozen=True, slots=True)
class AuthOptions:
    """Who may use canary-server. There are three ways to sign in, and several may be set at once.
    One must be set if [server] host is not a loopback address. A way that is set applies on
    loopback, too.
    """

    basic_file: str | None = option(
        None,
        kinds.FILE_PATH,
        "A file of names and bcrypt passwords, as `htpasswd -B` writes it, for browsers. It is "
        "read again when it changes.",
    )
    bearer_file: str | None = option(
        None,
        kinds.FILE_PATH,
        "A file of tokens for scripts, one per line as `canary-server --make-token NAME` prints "
        "it: a name, a colon and the token's SHA-256. It is read again when it changes.",
    )
    user_header: str | None = option(
        None,
        kinds.HEADER,
        "The header in which a proxy of [server] trusted_proxies says who has signed in to the "
        "proxy. Each of these proxies must set the header or clear it: otherwise what a client "
        "wrote there is trusted.",
    )
