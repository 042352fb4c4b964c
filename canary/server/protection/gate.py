"""What every request passes through before it is answered, in this order:

1. `Proxies`: who asks, and for which path.
2. Its method: GET, HEAD and OPTIONS are all there is, whatever a route would take.
3. The host that was asked for, where nobody needs to sign in: some site can have its own name lead
   to this machine (DNS rebinding), and its page would read here with a browser's help.
4. Signing in, where that is needed; /livez and /readyz answer anybody, and so does the page, which
   holds nothing of any board and has people sign in.
5. How often this client has asked, whether it signed in or not; those two are not counted.

Answers get their headers (`headers`) on the way back.
"""

import ipaddress
import logging
import re
import time
from typing import Final

from flask import Flask, Response, g, redirect, request
from flask_limiter import Limiter, RequestLimit
from werkzeug.exceptions import MethodNotAllowed

from canary.config import Config
from canary.config.board_path import shown
from canary.server.home import is_public
from canary.server.problems import Crowded, Misdirected, NotSignedIn, TooOften
from canary.server.protection import headers, sign_in
from canary.server.protection.proxies import BY_PROXY, USER, Proxies, bucket
from canary.server.protection.sign_in import SignIn

METHODS: Final = ("GET", "HEAD", "OPTIONS")
OPEN: Final = frozenset({"/livez", "/readyz"})

#: Where in a request's environment is the name of who signed in, for the log; None for nobody.
CALLER: Final = "canary.caller"

_PORT: Final = re.compile(":[0-9]*$")

logging.getLogger("flask-limiter").setLevel(logging.WARNING)  # the log of requests has it already


def is_known() -> bool:
    """Tell whether who asks may be told everything: has signed in, or need not."""
    return bool(g.get("is_known", False))


def is_local(host: str) -> bool:
    """Tell whether no foreign name server says what ``host`` is: an address, or localhost."""
    bare = host.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return bare == "localhost" or bare.endswith(".localhost")
    return True


class Gate:
    """Stands before an application. ``rate`` is how often a client may ask a minute; 0 for ever."""

    def __init__(self, proxies: Proxies, ways: SignIn, rate: int) -> None:
        self._proxies, self._ways, self._rate = proxies, ways, rate

    def guard(self, app: Flask) -> None:
        """Let every request of ``app`` pass through here. Called once for an application."""
        app.wsgi_app = self._proxies.before(app.wsgi_app)  # type: ignore[assignment, method-assign]
        app.before_request(_check_method)
        app.before_request(self._check_host)
        app.before_request(self._identify)
        if self._rate:
            limiter = Limiter(
                _client,
                application_limits=[f"{self._rate} per minute"],
                storage_uri="memory://",
                strategy="sliding-window-counter",
                on_breach=_refuse,
            )
            limiter.request_filter(_is_open)
            limiter.init_app(app)
        app.before_request(self._check_known)
        app.before_request(_check_slash)
        app.after_request(_secured)

    def _check_host(self) -> None:
        if self._ways.is_needed or request.environ[BY_PROXY]:
            return
        host = request.host.rpartition(":")[0] if _PORT.search(request.host) else request.host
        if not is_local(host):
            raise Misdirected(
                f"Nobody needs to sign in here, so only this machine's own names are answered to, "
                f"and {shown(host)} is none. Behind a proxy, set [server] trusted_proxies to its "
                "address."
            )

    def _identify(self) -> None:
        ways, environ = self._ways, request.environ
        g.caller, g.is_known = None, not ways.is_needed
        if not ways.is_needed or request.path == "/livez":
            return
        address = bucket(environ.get("REMOTE_ADDR", ""))
        try:
            g.caller = ways.who(environ.get("HTTP_AUTHORIZATION"), environ.get(USER), address)
        except (TooOften, Crowded):
            if not _is_open():
                raise
        g.is_known = g.caller is not None
        environ[CALLER] = g.caller

    def _check_known(self) -> None:
        if not is_known() and not _is_open():
            raise NotSignedIn(
                "Sign in to be answered: nobody did, or with a name, password or token that is "
                "not known here",
                self._ways.challenges,
            )


def make(config: Config) -> Gate:
    """Return the gate that the options describe. Raises ConfigError where they can't be met."""
    server = config.server
    proxies = Proxies(server.trusted_proxies, config.auth.user_header, server.url_prefix)
    return Gate(proxies, sign_in.make(config), server.rate_limit)


def _check_method() -> None:
    if request.method not in METHODS:
        raise MethodNotAllowed(list(METHODS))


def _is_open() -> bool:
    return request.path in OPEN or is_public(request.path)


def _client() -> str:
    if g.caller is not None:
        return f"name {g.caller}"
    return f"address {bucket(request.environ.get('REMOTE_ADDR', ''))}"


def _refuse(limit: RequestLimit) -> Response:
    raise TooOften(
        f"This client asked more often than {limit.limit.amount} times a minute, which [server] "
        "rate_limit allows",
        limit.reset_at - time.time(),
    )


def _check_slash() -> Response | None:
    """Send a browser from the prefix to the folder: the page's addresses are relative to that."""
    environ = request.environ
    if environ["SCRIPT_NAME"] and not environ["PATH_INFO"]:
        made = redirect(environ["SCRIPT_NAME"] + "/", 308)
        return Response(made.get_data(), made.status_code, list(made.headers))
    return None


def _secured(response: Response) -> Response:
    headers.secure(response.headers)
    return response
