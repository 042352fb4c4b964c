"""All ways to sign in together: a password, a token, or the word of a trusted proxy.

`make` refuses to leave a server open that others than this machine can reach.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from canary.config import Config
from canary.errors import ConfigError
from canary.server.protection import htpasswd, tokens
from canary.server.protection.attempts import Attempts
from canary.server.protection.credentials import Basic, Bearer, read
from canary.server.protection.kept_file import KeptFile
from canary.server.protection.passwords import Bcrypt, Passwords
from canary.server.protection.tokens import Tokens

REALM: Final = "Canary"

_BASIC: Final = f'Basic realm="{REALM}", charset="UTF-8"'
_BEARER: Final = f'Bearer realm="{REALM}"'


@dataclass(frozen=True, slots=True)
class SignIn:
    """The ways that are open; without any of them nobody needs to sign in."""

    passwords: Passwords | None = None
    tokens: KeptFile[Tokens] | None = None
    by_proxy: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether somebody must sign in at all."""
        return self.passwords is not None or self.tokens is not None or self.by_proxy

    @property
    def challenges(self) -> list[str]:
        """What to say in WWW-Authenticate to somebody who did not sign in.

        HTTP has no word for the proxy's way; where it is the only one a client can't use it itself,
        and is told of tokens, which are not taken either.
        """
        basic = [_BASIC] if self.passwords is not None else []
        bearer = [_BEARER] if self.tokens is not None or not basic else []
        return basic + bearer

    def who(self, authorization: str | None, proxy_user: str | None, address: str) -> str | None:
        """Return the name of who asks; None if that is nobody who is known.

        authorization: the header's value, as WSGI has it.
        proxy_user: whom a trusted proxy says it is, which is enough.
        address: whose wrong passwords are counted together.
        Raises TooOften or Crowded where a password could not be looked at.
        """
        if proxy_user is not None and self.by_proxy:
            return proxy_user
        match read(authorization):
            case Bearer(token) if self.tokens is not None:
                return self.tokens.content.owner(token)
            case Basic(name, password) if self.passwords is not None:
                return name if self.passwords.verify(name, password, address) else None
        return None


def make(config: Config) -> SignIn:
    """Return the ways that the options open.

    Raises ConfigError where a file is wrong, or where there must be a way and is none.
    """
    auth, host = config.auth, config.server.host
    sign_in = SignIn(
        _passwords(auth.basic_file) if auth.basic_file else None,
        _tokens(auth.bearer_file) if auth.bearer_file else None,
        auth.user_header is not None,
    )
    if not sign_in.is_needed and not _is_loopback(host):
        raise ConfigError(
            f"[server] host is {host}, which others than this machine can reach, and there is no "
            "way to sign in. Set [auth] basic_file, [auth] bearer_file or [auth] user_header, or "
            "set [server] host to 127.0.0.1.",
            option="[server] host",
            value=host,
            allowed="a loopback address, unless an option of [auth] is set",
        )
    return sign_in


def _passwords(path: str) -> Passwords:
    file: KeptFile[Mapping[str, bytes]] = KeptFile(
        path, htpasswd.OPTION, lambda text: htpasswd.parse(text, path)
    )
    if not file.content:
        raise ConfigError(
            f"{htpasswd.OPTION}: {path} holds nobody. Add somebody: htpasswd -B {path} NAME",
            option=htpasswd.OPTION,
        )
    return Passwords(file, Bcrypt(), Attempts())


def _tokens(path: str) -> KeptFile[Tokens]:
    file = KeptFile(path, tokens.OPTION, lambda text: tokens.parse(text, path))
    if not file.content.names:
        raise ConfigError(
            f"{tokens.OPTION}: {path} holds no token. Make one: canary-server --make-token NAME",
            option=tokens.OPTION,
        )
    return file


def _is_loopback(host: str) -> bool:
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False  # what a name means is for others to say
    mapped = address.ipv4_mapped if address.version == 6 else None
    return (mapped or address).is_loopback
