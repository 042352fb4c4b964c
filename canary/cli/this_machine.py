"""Which host names and addresses are this machine, however they are written.

Promises: a name is looked up once, for at most ``LIMIT`` seconds. Nothing is sent to an address.
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Iterable
from typing import Final, TypeAlias

LIMIT: Final = 2.0  # seconds to look up a name; behind a proxy, no name server may answer
_DISCARD: Final = 9  # a port; nothing is sent to it

_NUMBERS: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_this_machine(host: str) -> bool:
    """Return whether ``host`` is this machine: whether all addresses of its name are."""
    bare = host.lower().removesuffix(".")
    if not bare:
        return False
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    literal = address_of(bare)
    addresses = [literal] if literal else [address_of(each) for each in addresses_of(bare)]
    return bool(addresses) and all(each is not None and _is_own(each) for each in addresses)


def address_of(host: str) -> Address | None:
    """Return ``host`` as an address, also if it is written like 127.1; None if it is a name."""
    try:
        if _NUMBERS.fullmatch(host.lower()):
            return ipaddress.IPv4Address(socket.inet_aton(host))
        address = ipaddress.ip_address(host.partition("%")[0])
    except (ValueError, OSError):
        return None
    return (address.ipv4_mapped if address.version == 6 else None) or address


def addresses_of(name: str) -> Iterable[str]:
    """Return the addresses of a name; an empty set if they are not found within ``LIMIT``."""
    found: set[str] = set()

    def look_up() -> None:
        try:
            found.update(str(each[4][0]) for each in socket.getaddrinfo(name, None))
        except (OSError, UnicodeError):
            return

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(LIMIT)
    return set() if thread.is_alive() else found


def _is_own(address: Address) -> bool:
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect((str(address), _DISCARD))  # finds a route, and sends nothing
            return ipaddress.ip_address(way.getsockname()[0]) == address
    except (ValueError, OSError):
        return False
