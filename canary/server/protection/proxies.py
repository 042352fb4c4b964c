"""Who asks, and by which address and path, where a proxy stands between: as trusted ones say.

A peer outside of the trusted networks is the client itself, and all that it says of forwarding is
dropped before anything else sees the request. Of a trusted proxy are taken

    X-Forwarded-For     from its end on, as long as who wrote an entry is trusted too: the client
    X-Forwarded-Proto   the last entry: http or https
    X-Forwarded-Host    the last entry: the name by which the client asked
    X-Forwarded-Prefix  the last entry: the path below which the proxy shows this server
    the header of [auth] user_header: who signed in to the proxy

What can't be made out is passed over as if it were not there. ``Forwarded`` (RFC 7239) is not read.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from canary.server.protection.credentials import is_name

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Where in a request's environment is what was made out; all other places are WSGI's own.
USER: Final = "canary.proxy_user"
BY_PROXY: Final = "canary.by_proxy"

MAX_ENTRIES: Final = 32  # of X-Forwarded-For: more proxies are none
CLIENT_BITS: Final = 64  # of IPv6: whoever has one address of such a network has all of it

_SPOKEN: Final = ("FOR", "PROTO", "HOST", "PREFIX", "PORT", "SERVER", "SSL", "SCHEME")
_HOST: Final = re.compile(r"([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_PORT: Final = re.compile(r"(?:\[([^\]]*)\]|([0-9.]*))(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Origin:
    """What is believed of where a request comes from; None: as it came in."""

    client: str
    by_proxy: bool = False
    scheme: str | None = None
    host: str | None = None
    prefix: str | None = None
    user: str | None = None


class Proxies:
    """The trusted proxies: their addresses and ``networks``.

    ``user_header`` is the header in which they tell who signed in, ``prefix`` the path below which
    they show this server; None where there is none.
    """

    def __init__(
        self, networks: Iterable[str], user_header: str | None = None, prefix: str | None = None
    ) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self._user_key = _key(user_header) if user_header else None
        self._prefix = prefix

    def origin(self, peer: str, headers: Mapping[str, str]) -> Origin:
        """Return what is believed of a request from the address ``peer``.

        ``headers`` are named as in WSGI's environment, and so are their characters.
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
        """Return a WSGI application that sees of each request only what is believed of it."""

        def answer(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
            self._correct(environ)
            return application(environ, start_response)

        return answer

    def _correct(self, environ: MutableMapping[str, Any]) -> None:
        origin = self.origin(environ.get("REMOTE_ADDR", ""), environ)
        for name in _SPOKEN:
            environ.pop(_forwarded(name), None)
        if self._user_key:
            environ.pop(self._user_key, None)
        environ["REMOTE_ADDR"] = origin.client
        environ[USER], environ[BY_PROXY] = origin.user, origin.by_proxy
        environ["wsgi.url_scheme"] = origin.scheme or environ["wsgi.url_scheme"]
        if origin.host:
            environ["HTTP_HOST"] = origin.host
        # One that the option names is known to be right; what a proxy says is not asked then.
        prefix = self._prefix or origin.prefix or ""
        path = environ.get("PATH_INFO", "")
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            environ["PATH_INFO"] = path[len(prefix) :]
        environ["SCRIPT_NAME"] = prefix

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
        # A comma stands between the values of a header that was sent twice: one is not the proxy's.
        return user if user and is_name(user) and "," not in user else None


def bucket(client: str) -> str:
    """Return what stands for a client's address where requests are counted."""
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
