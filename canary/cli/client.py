"""Requests to a canary-server, and their failures as Canary's own errors.

Promises:

- A request returns an answer, or raises a CanaryError that says what to do next. It ends after
  ``Access.timeout`` seconds of silence; the event stream after ``SILENCE``.
- A list is read page by page, as it is used.
- If the server refused or dropped a connection before it answered, the request is retried, twice
  and within a second. A request that was answered with 429 is retried when the server says, unless
  it is for the event stream. Nothing else is retried, in particular no request that was sent and
  not answered in time.
- No credentials are taken from the user's files (``.netrc``).
- Credentials are sent only to the scheme, host and port of ``Access.url``, even if it redirects
  elsewhere, and through a proxy only if they are encrypted.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import requests
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning, ReadTimeoutError

from canary.cli import filters
from canary.cli.access import Access
from canary.cli.errors import Unanswered
from canary.cli.http_headers import date, retry_after
from canary.cli.proxies import proxy_for
from canary.cli.session import Session, origin, proxies_of, verify
from canary.errors import CanaryError, UsageError

JSON = dict[str, Any]
Query = Sequence[tuple[str, str]]

PAGE: Final = 1_000  # entries; the most that the server returns at a time
CONNECT_TIMEOUT: Final = 5.0  # seconds
SILENCE: Final = 30.0  # seconds without a byte until a stream is lost; a heartbeat comes every two
CHUNK: Final = 65_536  # bytes read from a stream at a time, at most
CLOCK_TOLERANCE: Final = 2.0  # seconds; the Date header has whole seconds
MAX_SHOWN: Final = 500  # characters quoted from a server, which may not be a canary-server

EVENTS: Final = "text/event-stream"


class Client:
    """A client of one server.

    The constructor raises UsageError if credentials would go unencrypted through a proxy, or if a
    variable does not name a proxy.
    """

    def __init__(self, access: Access) -> None:
        self.url = access.url
        self._timeout = access.timeout
        self._ahead = timedelta(0)
        self._proxy = proxy_for(access.url)
        if self._proxy and (access.token or access.user) and access.url.startswith("http://"):
            raise UsageError(
                f"{access.url} is reached through the proxy {self._proxy.shown}"
                f" ({self._proxy.variable}), which could read the token or password: use an"
                " https:// URL, or add the server's host to no_proxy"
            )
        self._session = Session(access)
        self._verify = verify(access)
        if not access.verify:
            disable_warnings(InsecureRequestWarning)  # implied by --insecure

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def now(self) -> datetime:
        """Return the current time in UTC, by the server's clock as its last answer showed it.

        If the two differ by at most ``CLOCK_TOLERANCE``, this machine's time is returned.
        """
        return datetime.now(UTC) + self._ahead

    def get(self, where: str, query: Query = (), *, statuses: Sequence[int] = ()) -> JSON:
        """Return the JSON object at ``where``, a path such as ``/v2/boards``.

        An answer with an error status is returned only if the status is one of ``statuses``.
        Raises UsageError if the server finds the request wrong (400), and Unanswered for any other
        failure.
        """
        with self._errors_as_ours(" Use a larger --timeout to wait longer"):
            answer = self._session.get(
                self.url + where,
                params=list(query),
                timeout=(CONNECT_TIMEOUT, self._timeout),
                verify=self._verify,
                proxies=proxies_of(self._proxy),
            )
        self._compare_clocks(answer)
        if not answer.ok and answer.status_code not in statuses:
            raise self._refusal(answer)
        told = _object(answer)
        if told is None:
            raise Unanswered(
                f"{self._where} did not answer with a JSON object: is it a canary-server? Check"
                " --url or CANARY_URL"
            )
        return told

    def rows(self, resource: str, query: Query = (), limit: int | None = None) -> "Rows":
        """Return the list ``resource``: its first ``limit`` entries, or all if that is None."""
        return Rows(self, resource, query, limit)

    @contextlib.contextmanager
    def stream(self, query: Query = (), last: str | None = None) -> Iterator[Iterator[bytes]]:
        """Open the event stream and give its bytes as they arrive.

        If ``last`` is the id of an event, the stream resumes after that event. The bytes end if the
        server ends the stream. Raises Unanswered if the connection is lost, and what ``get`` raises
        if the server refuses.
        """
        headers = {"Accept": EVENTS, "Cache-Control": "no-store"}
        if last is not None:
            headers["Last-Event-ID"] = last
        with self._errors_as_ours():
            answer = self._session.get(
                f"{self.url}/v2/stream",
                params=list(query),
                headers=headers,
                stream=True,
                verify=self._verify,
                proxies=proxies_of(self._proxy),
                timeout=(CONNECT_TIMEOUT, SILENCE),
            )
        with contextlib.closing(answer):
            self._compare_clocks(answer)
            if not answer.ok:
                raise self._refusal(answer)
            if not answer.headers.get("Content-Type", "").startswith(EVENTS):
                raise Unanswered(
                    f"{self.url} did not answer with an event stream: check --url or CANARY_URL"
                )
            yield self._chunks(answer)

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        with self._errors_as_ours():
            while chunk := answer.raw.read1(CHUNK, decode_content=True):
                yield chunk

    @contextlib.contextmanager
    def _errors_as_ours(self, patience: str = "") -> Iterator[None]:
        """Raise errors as Unanswered; ``patience`` is appended to the message of a timeout."""
        try:
            yield
        except requests.exceptions.ProxyError as error:
            proxy = self._proxy
            named = f"The proxy {proxy.shown} ({proxy.variable})" if proxy else "The proxy"
            raise Unanswered(
                f"{named} did not connect to {self.url} ({_brief(error)}): is its address right? If"
                " the server can be reached without it, add the server's host to no_proxy",
                may_pass=True,
            ) from error
        except requests.exceptions.SSLError as error:
            raise Unanswered(
                f"The certificate of {self.url} could not be verified ({_brief(error)}): use"
                " --cacert FILE, or --insecure to skip the check"
            ) from error
        except (requests.exceptions.Timeout, ReadTimeoutError) as error:
            is_connected = isinstance(error, requests.exceptions.ReadTimeout)
            raise Unanswered(
                f"{self._where} did not answer in time: is canary-server overloaded there?"
                f"{patience if is_connected else ''}",
                may_pass=True,
            ) from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise Unanswered(
                f"{self._where} does not answer ({_brief(error)}): is canary-server running there?"
                " --url or CANARY_URL sets its address",
                may_pass=True,
            ) from error

    @property
    def _where(self) -> str:
        proxy = self._proxy
        through = f", through the proxy {proxy.shown} ({proxy.variable})," if proxy else ""
        return f"{self.url}{through}"

    def _refusal(self, answer: requests.Response) -> CanaryError:
        """Return the error for an answer with an error status."""
        if origin(answer.url) != origin(self.url):
            return Unanswered(
                f"{self.url} redirects to {origin(answer.url)}, which answers {answer.status_code};"
                " no credentials are sent there. If that is the server, set --url or CANARY_URL"
                " to it"
            )
        status = answer.status_code
        told = _object(answer) or {}
        detail = told.get("detail") or told.get("description") or answer.reason or "no reason given"
        said = str(detail)[:MAX_SHOWN]
        match status:
            case 400:
                return UsageError(filters.by_option(said))
            case 407 if self._proxy:
                return Unanswered(
                    f"The proxy {self._proxy.shown} requires authentication (407): put user and"
                    f" password into {self._proxy.variable}, or add the server's host to no_proxy"
                )
            case 401 | 403:
                return Unanswered(
                    f"{self._where} refused the request ({status}): {said}. Sign in with"
                    " CANARY_TOKEN, or with CANARY_USER and CANARY_PASSWORD"
                )
            case 404:
                return Unanswered(
                    f"{self.url} has no {answer.request.path_url.partition('?')[0]}: check --url"
                    " or CANARY_URL, and that canary-server is not older than this command"
                )
        wait = retry_after(answer.headers.get("Retry-After"), self.now) or 0.0
        hint = f"; try again in {math.ceil(wait)} s" if wait else ""
        return Unanswered(
            f"{self._where} answers {status}: {said}{hint}",
            may_pass=status in {429, 502, 503, 504},
            wait=wait,
        )

    def _compare_clocks(self, answer: requests.Response) -> None:
        told = date(answer.headers.get("Date"))
        if told is None:
            return
        ahead = told - datetime.now(UTC)
        is_off = abs(ahead.total_seconds()) > CLOCK_TOLERANCE
        self._ahead = ahead if is_off else timedelta(0)


class Rows:
    """A list on the server, to be iterated over once.

    After that, ``is_more`` says whether there are entries beyond the limit.
    """

    def __init__(self, client: Client, resource: str, query: Query, limit: int | None) -> None:
        self._client, self._resource, self._query, self._limit = client, resource, query, limit
        self.is_more = False

    def __iter__(self) -> Iterator[JSON]:
        left, cursor = self._limit, None
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            query = [*self._query, ("limit", str(size))]
            query += [("cursor", cursor)] if cursor else []
            page = self._client.get(f"/v2/{self._resource}", query)
            rows = page.get(self._resource)
            if not isinstance(rows, list):
                raise Unanswered(
                    f"{self._client.url} did not answer with a list of {self._resource}: check"
                    " --url or CANARY_URL"
                )
            cursor = page.get("next")
            self.is_more = cursor is not None
            yield from rows
            left = None if left is None else left - len(rows)
            if cursor is None:
                return


def _object(answer: requests.Response) -> JSON | None:
    try:
        told = answer.json()
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _brief(error: BaseException) -> str:
    """Return the innermost reason in a few words, without addresses of objects and URLs."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        reason = getattr(error, "reason", None)
        inner = reason if isinstance(reason, BaseException) else error.__cause__
        inner = inner or next((each for each in error.args if isinstance(each, Exception)), None)
        error = inner or error.__context__ or error
    return str(getattr(error, "strerror", None) or type(error).__name__)[:MAX_SHOWN]
