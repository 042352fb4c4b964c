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
        "For browsers: a file of user names and bcrypt hashes, as `htpasswd -B` writes it. It is "
        "read again when it changes.",
    )
    bearer_file: str | None = option(
        None,
        kinds.FILE_PATH,
        "For scripts: a file of tokens, one per line as `canary-server --make-token NAME` prints "
        "it: a name, a colon and the token's SHA-256. It is read again when it changes.",
    )
    user_header: str | None = option(
        None,
        kinds.HEADER,
        "The header in which a proxy of [server] trusted_proxies sends the name of the user who "
        "signed in to the proxy. Each of these proxies must set or remove the header: otherwise "
        "a value that a client sent is trusted.",
    )
