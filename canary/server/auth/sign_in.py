"""All ways to sign in: by password, by token, or at a trusted proxy.

`make` refuses a configuration without a way to sign in if other machines can reach the server.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from canary.config import Config
from canary.errors import ConfigError
from canary.server.auth import htpasswd, tokens
from canary.server.auth.attempts import Attempts
from canary.server.auth.credentials import Basic, Bearer, read
from canary.server.auth.kept_file import KeptFile
from canary.server.auth.passwords import Bcrypt, Passwords
from canary.server.auth.tokens import Tokens

REALM: Final = "Canary"

_BASIC: Final = f'Basic realm="{REALM}", charset="UTF-8"'
_BEARER: Final = f'Bearer realm="{REALM}"'


@dataclass(frozen=True, slots=True)
class SignIn:
    """The configured ways to sign in. Without any of them, nobody needs to sign in."""

    passwords: Passwords | None = None
    tokens: KeptFile[Tokens] | None = None
    by_proxy: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether clients have to sign in."""
        return self.passwords is not None or self.tokens is not None or self.by_proxy

    @property
    def challenges(self) -> list[str]:
        """The values of WWW-Authenticate for a client that has not signed in.

        HTTP has no challenge for signing in at a proxy, which a client can't do here itself. If
        that is the only way, the challenge is Bearer, although no token is accepted.
        """
        basic = [_BASIC] if self.passwords is not None else []
        bearer = [_BEARER] if self.tokens is not None or not basic else []
        return basic + bearer

    def who(self, authorization: str | None, proxy_user: str | None, address: str) -> str | None:
        """Return the name that signed in, or None without valid credentials.

        authorization: the value of the Authorization header, as in WSGI.
        proxy_user: the name that a trusted proxy sent, which is enough.
        address: the address for which wrong passwords are counted.
        Raises TooOften or Crowded if a password could not be checked.
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
    """Return the ways to sign in that the options configure.

    Raises ConfigError if a file is invalid, or if there is no way to sign in although one is
    required.
    """
    auth, host = config.auth, config.server.host
    sign_in = SignIn(
        _passwords(auth.basic_file) if auth.basic_file else None,
        _tokens(auth.bearer_file) if auth.bearer_file else None,
        auth.user_header is not None,
    )
    if not sign_in.is_needed and not _is_loopback(host):
        raise ConfigError(
            f"[server] host is {host}, which other machines can reach, but no way to sign in is "
            "configured. Set [auth] basic_file, [auth] bearer_file or [auth] user_header, or "
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
            f"{htpasswd.OPTION}: {path} contains no users. Add one: htpasswd -B {path} NAME",
            option=htpasswd.OPTION,
        )
    return Passwords(file, Bcrypt(), Attempts())


def _tokens(path: str) -> KeptFile[Tokens]:
    file = KeptFile(path, tokens.OPTION, lambda text: tokens.parse(text, path))
    if not file.content.names:
        raise ConfigError(
            f"{tokens.OPTION}: {path} contains no tokens. Make one: "
            "canary-server --make-token NAME",
            option=tokens.OPTION,
        )
    return file


def _is_loopback(host: str) -> bool:
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False  # the address of a name is not known here
    mapped = address.ipv4_mapped if address.version == 6 else None
    return (mapped or address).is_loopback
