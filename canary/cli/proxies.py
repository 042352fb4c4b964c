"""Which proxy a request goes through, by ``http_proxy``, ``https_proxy`` and ``all_proxy``.

Promises: requests to this machine never go through a proxy, whatever these variables say and
however its name is written. Neither do requests to hosts in ``no_proxy``, which may also hold
addresses in brackets and networks. ``Proxy.shown`` and error messages contain neither user nor
password.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from requests.utils import should_bypass_proxies

from canary.cli.this_machine import address_of, is_this_machine
from canary.errors import UsageError

KINDS: Final = ("http", "https")
PORTS: Final = {"http": 80, "https": 443}
# An entry of no_proxy: an address with a port; an IPv6 address is in brackets.
_WITH_PORT: Final = re.compile(r"(\[[^\[\]]+\]|[0-9.]+):([0-9]+)")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the variable that names it. ``shown`` is its URL without user and password."""

    url: str = field(repr=False)
    variable: str
    shown: str


def proxy_for(url: str, environ: Mapping[str, str] = os.environ) -> Proxy | None:
    """Return the proxy for requests to ``url``; None if they go directly.

    Raises UsageError if the variable does not name a proxy.
    """
    parts = urlsplit(url)
    for variable in (f"{parts.scheme}_proxy", "all_proxy"):
        for name in (variable, variable.upper()):
            if value := environ.get(name):
                return None if _is_direct(url, parts, environ) else _proxy(name, value)
    return None


def _is_direct(url: str, parts: SplitResult, environ: Mapping[str, str]) -> bool:
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return (
        _is_excepted(parts, listed)
        or should_bypass_proxies(url, no_proxy=listed or None)
        or is_this_machine(parts.hostname or "")
    )


def _is_excepted(parts: SplitResult, listed: str) -> bool:
    """Return whether ``no_proxy`` names a URL's address, by itself or by its network."""
    address = address_of(parts.hostname or "")
    if address is None:
        return False
    port = str(parts.port or PORTS.get(parts.scheme))
    for entry in listed.replace(",", " ").split():
        with_port = _WITH_PORT.fullmatch(entry)
        named, wanted = with_port.groups() if with_port else (entry, None)
        try:
            network = ipaddress.ip_network(re.sub(r"[\[\]]", "", named), strict=False)
        except ValueError:
            continue
        if address in network and wanted in {None, port}:
            return True
    return False


def _proxy(name: str, value: str) -> Proxy:
    whole = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(whole)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in KINDS:
        raise UsageError(
            f"{name} is not the URL of an HTTP proxy, such as http://host:3128: correct it, unset"
            " it, or add the server's host to no_proxy"
        )
    bracketed = f"[{host}]" if ":" in host else host
    shown = f"{parts.scheme}://{bracketed}" + (f":{port}" if port else "")
    return Proxy(whole, name, shown)
