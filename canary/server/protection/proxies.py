"""Trusted proxies: the client's address, user, host and path prefix, from forwarding headers.

A peer outside of the trusted networks is the client itself, and its forwarding headers are removed
before anything else sees the request. From a trusted proxy, these headers are used:

    X-Forwarded-For     the client, read from the end as long as each entry's author is trusted
    X-Forwarded-Proto   the last entry: http or https
    X-Forwarded-Host    the last entry: the host that the client asked for
    X-Forwarded-Prefix  the last entry: the path below which the proxy serves this server
    the header of [auth] user_header: who signed in at the proxy

A value that can't be parsed is ignored. ``Forwarded`` (RFC 7239) is not read.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from canary.server.auth.credentials import is_name
from canary.server.protection.host import ASKED

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: The key of the proxy's user in a request's environment; the other values have WSGI's own keys.
USER: Final = "canary.proxy_user"

MAX_ENTRIES: Final = 32  # of X-Forwarded-For; no chain of proxies is longer
CLIENT_BITS: Final = 64  # of IPv6: a client with one address of a /64 has all of them

_SPOKEN: Final = ("FOR", "PROTO", "HOST", "PREFIX", "PORT", "SERVER", "SSL", "SCHEME")
_HOST: Final = re.compile(r"([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_PORT: Final = re.compile(r"(?:\[([^\]]*)\]|([0-9.]*))(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a request. A field is None if no trusted proxy sent a valid value."""

    client: str
    by_proxy: bool = False
    scheme: str | None = None
    host: str | None = None
    prefix: str | None = None
    user: str | None = None


class Proxies:
    """The trusted proxies, by their addresses and ``networks``.

    ``user_header`` is the header in which they send the name that signed in. ``prefix`` is the path
    below which they serve this server. Each is None if there is none.
    """

    def __init__(
        self, networks: Iterable[str], user_header: str | None = None, prefix: str | None = None
    ) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self._user_key = _key(user_header) if user_header else None
        self._prefix = prefix

    def origin(self, peer: str, headers: Mapping[str, str]) -> Origin:
        """Return the origin of a request from the address ``peer``.

        ``headers`` have names and characters as in WSGI's environment.
        """
        address = _address(peer)
        if address is None or not self._trusts(address):
            return Origin(str(address or peer))
        scheme = _last(headers, "PROTO").lower()
        host, prefix = _last(headers, "HOST"), _last(headers, "PREFIX").rstrip("/")
        return Origin(
            client=str(self._client(address, headers.get(_forwarded("FOR"), ""))),
            by_proxy=True,
            scheme=scheme if scheme in {"http", "https"} else None,
            host=host if _HOST.fullmatch(host) else None,
            prefix=prefix if _PREFIX.fullmatch(prefix) else None,
            user=self._user(headers),
        )

    def before(self, application: "WSGIApplication") -> "WSGIApplication":
        """Return a WSGI application that corrects each request before ``application`` sees it."""

        def answer(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
            self._correct(environ)
            return application(environ, start_response)

        return answer

    def _correct(self, environ: MutableMapping[str, Any]) -> None:
        peer = environ.get("REMOTE_ADDR", "")
        origin = self.origin(peer, environ)
        environ[ASKED] = _asked(peer, origin, environ)
        for name in _SPOKEN:
            environ.pop(_forwarded(name), None)
        if self._user_key:
            environ.pop(self._user_key, None)
        environ["REMOTE_ADDR"] = origin.client
        environ[USER] = origin.user
        environ["wsgi.url_scheme"] = origin.scheme or environ["wsgi.url_scheme"]
        if origin.host:
            environ["HTTP_HOST"] = origin.host
        # A prefix from the option is known to be right and overrides the proxy's.
        prefix = self._prefix or origin.prefix or ""
        path = environ.get("PATH_INFO", "")
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            environ["PATH_INFO"] = path[len(prefix) :]
        environ["SCRIPT_NAME"] = prefix

    def is_trusted(self, peer: str) -> bool:
        """Return whether the address ``peer`` is that of a trusted proxy."""
        address = _address(peer)
        return address is not None and self._trusts(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def _client(self, peer: Address, chain: str) -> Address:
        client = peer
        for entry in chain.split(",")[: -MAX_ENTRIES - 1 : -1]:
            match = _PORT.fullmatch(entry.strip())
            said = _address(match[1] or match[2] if match else entry.strip())
            if said is None:
                break
            client = said
            if not self._trusts(client):
                break
        return client

    def _user(self, headers: Mapping[str, str]) -> str | None:
        try:
            user = headers.get(self._user_key or "", "").encode("latin-1").decode().strip()
        except UnicodeError:
            return None
        # A comma means that the header was sent twice, and one of the values is not the proxy's.
        return user if user and is_name(user) and "," not in user else None


def _asked(peer: str, origin: Origin, environ: Mapping[str, Any]) -> list[str | None]:
    """Return the hosts to check: see `host`."""
    address = _address(peer)
    if origin.by_proxy and address is not None and not address.is_loopback:
        # X-Forwarded-For shows that this is the proxy, and not a browser on the proxy's machine.
        return [] if environ.get(_forwarded("FOR")) else [environ.get("HTTP_HOST")]
    asked = [environ.get("HTTP_HOST")]
    if origin.by_proxy and _forwarded("HOST") in environ:
        asked.append(_last(environ, "HOST"))
    return asked


def bucket(client: str) -> str:
    """Return what a client's requests are counted by: its IPv4 address, or its IPv6 /64."""
    address = _address(client)
    if address is None or address.version == 4:
        return client
    return str(ipaddress.ip_network((int(address), CLIENT_BITS), strict=False))


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


def _key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def _forwarded(name: str) -> str:
    return f"HTTP_X_FORWARDED_{name}"


def _last(headers: Mapping[str, str], name: str) -> str:
    return headers.get(_forwarded(name), "").rpartition(",")[2].strip()
