"""Why an attempt to connect to ZooKeeper failed, and what to do about it."""

import ssl
from typing import Final

import gevent
from kazoo.exceptions import AuthFailedError, ConnectionDropped

from canary.zookeeper.fullness import ADVICE

DEMANDED: Final = (
    "ZooKeeper requires authentication: set [zookeeper] username and password; if ZooKeeper's"
    " enforce.auth.schemes does not include digest, add it"
)

_WRONG_NAME: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH


def why(error: BaseException, server: str, *, by_tls: bool) -> str:
    """Return why connecting to ``server`` failed; the cause is the context of kazoo's error."""
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    match cause:
        case ssl.SSLError():
            return _about_tls(cause, server)
        case AuthFailedError():
            return f"{server} refuses the credentials: check [zookeeper] username and password"
        case gevent.Timeout():
            return f"{server} does not answer"
        case OSError():
            return f"{server}: {cause.strerror or cause}"
    ended = f"{server} ended the connection ({cause})"
    return ended if by_tls else f"{ended}; if it requires TLS, set [zookeeper] use_tls"


def is_unexplained(error: BaseException) -> bool:
    """Return whether the server ended the connection without giving a reason: see `fullness`."""
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    if isinstance(cause, ssl.SSLError):
        return isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    if isinstance(cause, OSError):
        return isinstance(cause, ConnectionResetError | BrokenPipeError)
    return isinstance(cause, ConnectionDropped)


def full(server: str) -> str:
    """Return the message for a server that accepts no more connections."""
    return f"{server} accepts no more connections from this machine: {ADVICE}"


def _about_tls(error: ssl.SSLError, server: str) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or "no reason given").lower().replace("_", " ")
        return (
            f"the TLS handshake with {server} failed ({reason}): check that this is a TLS port, and"
            " check [zookeeper] cert_file and key_file"
        )
    if error.verify_code in _WRONG_NAME:
        return (
            f"the certificate of {server} is for another host ({error.verify_message}): check"
            " [zookeeper] hosts, or set verify_hostname = false"
        )
    return (
        f"the certificate of {server} is not trusted ({error.verify_message}): check"
        " [zookeeper] ca_file"
    )
