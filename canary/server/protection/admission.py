"""Who sent a request, and whether this client may send one now; decided before Flask sees it.

Promises: every request counts, whatever its path. It counts for its client: the name that signed
in, or else the address. A refused request is answered with a problem document and ``Retry-After``,
and its connection is closed, so a client that ignores the refusal has to connect again each time.

Strangers, which are clients that have not signed in, are answered in turn (`Turns`), however many
requests they send at once; requests of signed-in clients are answered in between. Requests for
/livez and /readyz wait for no stranger.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from canary.server.auth.sign_in import SignIn
from canary.server.dashboard import is_public
from canary.server.http.connection import Connection
from canary.server.problems import Crowded, TooOften, refusal
from canary.server.protection import places, rate
from canary.server.protection.headers import SECURITY
from canary.server.protection.places import Places
from canary.server.protection.proxies import USER, bucket
from canary.server.protection.rate import Rate
from canary.server.protection.turns import Turns

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

HEALTH: Final = frozenset({"/livez", "/readyz"})
STREAM: Final = "/v2/stream"  # lasts as long as the client wants, and has limits of its own

#: The key of the client's connection in a request's environment.
CONNECTION: Final = "gunicorn.socket"
#: The key of the name that signed in; the value is None if nobody did.
CALLER: Final = "canary.caller"
#: The key that says whether the client may get everything: it has signed in, or need not.
IS_KNOWN: Final = "canary.is_known"

#: Called for each refused request with its method and the status of the answer.
Refused: TypeAlias = Callable[[str, int], None]


def is_open(path: str) -> bool:
    """Return whether a path needs no sign-in."""
    return path in HEALTH or is_public(path)


class Admission:
    """Counts the requests and answers of each client of one process.

    ``allowed`` is how many requests per minute a client may send, or 0 for no limit. ``refused`` is
    called for each refused request.
    """

    def __init__(self, ways: SignIn, allowed: int, refused: Refused | None = None) -> None:
        self._ways, self._refused = ways, refused
        self._rate = Rate(allowed, "[server] rate_limit")
        self._health_rate = Rate(rate.HEALTH if allowed else 0, "/livez and /readyz together")
        self._health = Places(places.HEALTH)
        self._turns = Turns()
        self._known, self._strangers = Places(places.KNOWN), Places(places.STRANGERS)

    def before(self, application: "WSGIApplication") -> "WSGIApplication":
        """Return a WSGI application that passes only admitted requests on to ``application``."""

        def answer(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
            connection = environ.get(CONNECTION)
            try:
                self._admit(environ, connection)
            except (TooOften, Crowded) as error:
                if connection is not None:
                    connection.refuse()
                return self._refuse(environ, start_response, error)
            if environ[IS_KNOWN] or environ.get("PATH_INFO") in HEALTH:
                return application(environ, start_response)
            with self._turns:
                return application(environ, start_response)

        return answer

    def foresee(self, address: str, head: bytes) -> bytes | None:
        """Return the whole response that refuses a request from ``address``, or None to parse it.

        ``head`` is what has arrived so far. Most of a flood from one address is refused here,
        without being parsed. A request is only refused here if its head is complete and has no
        credentials, because it is then certainly a stranger's.
        """
        if not self._ways.is_needed or not self._strangers.is_full(f"address {bucket(address)}"):
            return None
        line, _, fields = head.partition(b"\r\n")
        is_whole = line.startswith(b"GET /") and b"\r\n\r\n" in fields
        if (
            not is_whole
            or b"authorization" in fields.lower()
            or any(path.encode() in line for path in HEALTH)
        ):
            return None
        status, body, headers = refusal("", self._strangers.refusal)
        if self._refused is not None:
            self._refused("GET", status.value)
        headers |= {"Connection": "close", "Content-Length": str(len(body)), **SECURITY}
        lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", body]).encode()

    def _admit(self, environ: dict[str, Any], connection: Connection | None) -> None:
        path = environ.get("PATH_INFO", "")
        address = bucket(environ.get("REMOTE_ADDR", ""))
        self._identify(environ, path, address)
        caller = environ[CALLER]
        client = f"address {address}" if caller is None else f"name {caller}"
        (self._health_rate if path in HEALTH else self._rate).count(client)
        if connection is None:
            return  # the application is called without gunicorn, as in tests
        connection.is_known = caller is not None
        places = self._places(path, environ[IS_KNOWN])
        if places is not None:
            connection.at_end(places.take(client, connection.cut))

    def _places(self, path: str, is_known: bool) -> Places | None:
        if path in HEALTH:
            return self._health
        if not is_known:
            return self._strangers
        return None if path == STREAM else self._known

    def _identify(self, environ: dict[str, Any], path: str, address: str) -> None:
        ways = self._ways
        environ[CALLER], environ[IS_KNOWN] = None, not ways.is_needed
        if not ways.is_needed or path == "/livez":
            return
        try:
            caller = ways.who(environ.get("HTTP_AUTHORIZATION"), environ.get(USER), address)
        except (TooOften, Crowded):
            if not is_open(path):
                raise
            caller = None
        environ[CALLER], environ[IS_KNOWN] = caller, caller is not None

    def _refuse(
        self, environ: dict[str, Any], start_response: "StartResponse", error: TooOften | Crowded
    ) -> Iterable[bytes]:
        status, body, fields = refusal(environ.get("PATH_INFO", ""), error)
        fields |= {"Content-Length": str(len(body)), **SECURITY}
        start_response(f"{status.value} {status.phrase}", list(fields.items()))
        if self._refused is not None:
            self._refused(environ.get("REQUEST_METHOD", ""), status.value)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body.encode()]
