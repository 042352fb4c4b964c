"""What every request passes through before it is answered, in this order:

1. `Proxies`: the client's address and the request's path.
2. Who the client is (`Admission`), how many requests it has sent (`Rate`), and how many answers to
   it are in progress (`Places`). This comes before Flask, so that a refusal costs next to nothing,
   and it applies to every path, with or without a route.
3. The Host header (`host`). It is required. If nobody needs to sign in, it must name this machine,
   or a host in ``[server] allowed_hosts``.
4. The method: only GET, HEAD and OPTIONS are allowed, whatever a route would accept.
5. Signing in, if it is needed. /livez and /readyz answer any client, and so does the page, which
   contains no data and lets people sign in.

Responses get their security headers (`headers`) on the way back.
"""

from typing import Final

from flask import Flask, Response, redirect, request
from werkzeug.exceptions import MethodNotAllowed

from canary.config import Config
from canary.config.board_path import shown
from canary.server.auth import sign_in
from canary.server.auth.sign_in import SignIn
from canary.server.problems import Misdirected, NotSignedIn
from canary.server.protection import headers, host
from canary.server.protection.admission import CALLER, IS_KNOWN, Admission, Refused, is_open
from canary.server.protection.host import Hosts
from canary.server.protection.proxies import Proxies

__all__ = ["CALLER", "METHODS", "Gate", "is_known", "make"]

METHODS: Final = ("GET", "HEAD", "OPTIONS")


def is_known() -> bool:
    """Return whether the client may get everything: it has signed in, or need not."""
    return bool(request.environ.get(IS_KNOWN, False))


class Gate:
    """Guards an application. ``rate`` limits requests per client and minute; 0 for no limit."""

    def __init__(self, proxies: Proxies, ways: SignIn, rate: int, hosts: Hosts) -> None:
        self._proxies, self._ways, self._rate, self._hosts = proxies, ways, rate, hosts
        self._admission: Admission | None = None

    def foresee(self, peer: str, head: bytes) -> bytes | None:
        """Return the response that refuses what ``peer`` begins to send, or None to parse it."""
        if self._admission is None or self._proxies.is_trusted(peer):
            return None
        return self._admission.foresee(peer, head)

    def guard(self, app: Flask, refused: Refused | None = None) -> None:
        """Guard every request of ``app``. Call this once per application.

        ``refused`` is called for each request that is refused before ``app`` sees it.
        """
        self._admission = Admission(self._ways, self._rate, refused)
        admitted = self._admission.before(app.wsgi_app)
        app.wsgi_app = self._proxies.before(admitted)  # type: ignore[assignment, method-assign]
        app.before_request(self._check_host)
        app.before_request(_check_method)
        app.before_request(self._check_known)
        app.before_request(_check_slash)
        app.after_request(_secured)

    def _check_host(self) -> None:
        asked = host.asked(request.environ)
        if self._ways.is_needed:
            return
        for name in asked:
            if not self._hosts.is_own(name):
                raise Misdirected(
                    "This server requires no sign-in, so it only answers requests for this "
                    "machine's own names and those in [server] allowed_hosts. "
                    f"{shown(name)} is neither. If it leads to this server, directly or through a "
                    "proxy on this machine, add it to allowed_hosts. If a proxy on another machine "
                    "forwards it, add the proxy to [server] trusted_proxies and have it send "
                    "X-Forwarded-For."
                )

    def _check_known(self) -> None:
        if not is_known() and not is_open(request.path):
            raise NotSignedIn(
                "Authentication required: sign in with a name and password, or with a token. If "
                "the request has credentials, they are not valid here",
                self._ways.challenges,
            )


def make(config: Config) -> Gate:
    """Return the gate for the options. Raises ConfigError if they can't be applied."""
    server = config.server
    proxies = Proxies(server.trusted_proxies, config.auth.user_header, server.url_prefix)
    return Gate(proxies, sign_in.make(config), server.rate_limit, Hosts(server.allowed_hosts))


def _check_method() -> None:
    if request.method not in METHODS:
        raise MethodNotAllowed(list(METHODS))


def _check_slash() -> Response | None:
    """Redirect from the prefix without a slash to the one with it: the page's URLs are relative."""
    environ = request.environ
    if environ["SCRIPT_NAME"] and not environ["PATH_INFO"]:
        made = redirect(environ["SCRIPT_NAME"] + "/", 308)
        return Response(made.get_data(), made.status_code, list(made.headers))
    return None


def _secured(response: Response) -> Response:
    headers.secure(response.headers)
    return response
