"""For which host a request is, and whether that is this machine.

A site can make a name of its own resolve to this machine (DNS rebinding). Its page in a browser on
this machine could then read from this server, and only the Host header shows that. Such a page is
of the same origin, so it can set every other header. So if a request comes from a loopback address,
no X-Forwarded header proves that a proxy has sent it.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from canary.errors import UsageError

#: The key in a request's environment of the hosts that the client itself asked for. The list is
#: empty if a proxy on another machine is known to have forwarded the request.
ASKED: Final = "canary.asked_host"

#: RFC 3986's host and port: a name, or an address. No user, no path, no list.
_HOST: Final = re.compile(r"([A-Za-z0-9_.-]{1,254}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")


def asked(environ: Mapping[str, Any]) -> list[str]:
    """Return the hosts that a request is for, in lower case and without ports.

    The list is empty if a request of HTTP/1.0 names no host, which is allowed, or if a proxy on
    another machine is known to have forwarded the request. Raises UsageError if the Host header is
    missing or is not a host.
    """
    given = environ.get(ASKED, [environ.get("HTTP_HOST")])
    found = []
    for text in given:
        if text is None and environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            continue
        if text is None:
            raise UsageError("The Host header is missing. HTTP/1.1 requires it: send one.")
        match = _HOST.fullmatch(text)
        if match is None:
            raise UsageError(
                "The Host header is not a name or an address, with or without a port. Send one "
                "such as localhost:8080 or [::1]:8080."
            )
        found.append(match[1].lower().removesuffix("."))
    return found


class Hosts:
    """The names of this machine. ``allowed`` are the names that an option lists."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = {_bare(name.lower().removesuffix(".")) for name in allowed}

    def is_own(self, name: str) -> bool:
        """Return whether ``name`` is an address, a localhost name or an allowed name.

        ``name`` is as `asked` returns it. No foreign name server decides where such a name leads.
        """
        bare = _bare(name)
        try:
            ipaddress.ip_address(bare)
        except ValueError:
            is_local = bare == "localhost" or bare.endswith(".localhost")
            return is_local or bare in self._allowed
        return True


def _bare(name: str) -> str:
    return name.removeprefix("[").removesuffix("]")
