"""The questions to a canary-server, and what goes wrong with them as Canary's own errors.

Promises: a question ends within ``Access.timeout`` seconds of silence, with an answer or a
CanaryError that says what to do next; a list comes page by page, as it is read. A question that the
server refused or dropped before it answered is asked again, twice and within a second, and one that
was asked too often (429) when the server says; nothing else is, silence least of all. No file of
the user's (``.netrc``) adds credentials to what ``Access`` says.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning, ReadTimeoutError
from urllib3.util import Retry

from canary.cli import filters
from canary.cli.access import Access
from canary.cli.errors import Unanswered
from canary.errors import CanaryError, UsageError

JSON = dict[str, Any]
Query = Sequence[tuple[str, str]]

PAGE: Final = 1_000  # entries; the most that the server gives at a time
CONNECT_TIMEOUT: Final = 5.0  # seconds
SILENCE: Final = 30.0  # seconds of a stream without a byte; a heartbeat comes every two
CHUNK: Final = 65_536  # bytes read of a stream at a time, at most
CLOCK_TOLERANCE: Final = 2.0  # seconds; the server tells its time in whole ones
MAX_SHOWN: Final = 500  # characters of what a server says that is no canary-server

AGAIN: Final[dict[str, Any]] = {
    "total": 5,
    "connect": 2,
    "read": 2,
    "redirect": 3,
    "other": 0,
    "allowed_methods": ["GET"],
    "backoff_factor": 0.2,  # seconds before the second new try; the first comes at once
    "retry_after_max": 30,  # seconds
    "raise_on_status": False,
}
EVENTS: Final = "text/event-stream"


class _Again(Retry):
    """What is asked again. A 503 is not: it says what is wrong, and may go on saying so."""

    RETRY_AFTER_STATUS_CODES = frozenset({429})

    def increment(self, *words: Any, **more: Any) -> Self:
        """Return what is left of the tries. Raises what there is to be no other try for."""
        if isinstance(error := more.get("error"), ReadTimeoutError):
            raise error
        return super().increment(*words, **more)


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Nobody(AuthBase):
    """Without it requests would look for credentials in ``.netrc``."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Client:
    """One server, asked over one connection."""

    def __init__(self, access: Access) -> None:
        self.url = access.url
        self._timeout = access.timeout
        self._ahead = timedelta(0)
        self._session = requests.Session()
        # Said with each question: REQUESTS_CA_BUNDLE would win over what the session says.
        self._verify = access.verify
        if not access.verify:
            disable_warnings(InsecureRequestWarning)  # who said --insecure knows
        self._session.headers["User-Agent"] = "canary"
        self._session.auth = _credentials(access)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_Again(**AGAIN)))

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def now(self) -> datetime:
        """Return the time by the server's clock, as far as it differs from this machine's."""
        return datetime.now(UTC) + self._ahead

    def get(self, where: str, query: Query = (), *, statuses: Sequence[int] = ()) -> JSON:
        """Return the JSON object at ``where``; an answer with one of ``statuses`` is one, too.

        Raises UsageError where the question is wrong, and Unanswered.
        """
        with self._errors_as_ours(" --timeout waits longer"):
            answer = self._session.get(
                self.url + where,
                params=list(query),
                timeout=(CONNECT_TIMEOUT, self._timeout),
                verify=self._verify,
            )
        self._compare_clocks(answer)
        if not answer.ok and answer.status_code not in statuses:
            raise self._refusal(answer)
        told = _object(answer)
        if told is None:
            raise Unanswered(
                f"{self.url} answers with what is no JSON object: is that a canary-server? Check"
                " --url or CANARY_URL"
            )
        return told

    def rows(self, resource: str, query: Query = (), limit: int | None = None) -> "Rows":
        """Return the list called ``resource``, its first ``limit`` entries unless that is None."""
        return Rows(self, resource, query, limit)

    @contextlib.contextmanager
    def stream(self, query: Query = (), last: str | None = None) -> Iterator[Iterator[bytes]]:
        """Open the event stream, behind the event ``last``; gives its bytes as they come.

        The bytes end where the server ends the stream; Unanswered is raised where it is lost.
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
                timeout=(CONNECT_TIMEOUT, SILENCE),
            )
        with contextlib.closing(answer):
            self._compare_clocks(answer)
            if not answer.ok:
                raise self._refusal(answer)
            if not answer.headers.get("Content-Type", "").startswith(EVENTS):
                raise Unanswered(
                    f"{self.url} answers with what is no event stream: check --url or CANARY_URL"
                )
            yield self._chunks(answer)

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        with self._errors_as_ours():
            while chunk := answer.raw.read1(CHUNK, decode_content=True):
                yield chunk

    @contextlib.contextmanager
    def _errors_as_ours(self, patience: str = "") -> Iterator[None]:
        """Raise what goes wrong as Unanswered; ``patience`` is how to wait longer for an answer."""
        try:
            yield
        except requests.exceptions.SSLError as error:
            raise Unanswered(
                f"The certificate of {self.url} is not to be trusted ({_brief(error)}): say"
                " --cacert FILE, or --insecure"
            ) from error
        except (requests.exceptions.Timeout, ReadTimeoutError) as error:
            is_connected = isinstance(error, requests.exceptions.ReadTimeout)
            raise Unanswered(
                f"{self.url} did not answer in time: is canary-server well there?"
                f"{patience if is_connected else ''}",
                may_pass=True,
            ) from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise Unanswered(
                f"{self.url} does not answer ({_brief(error)}): is canary-server running there?"
                " --url or CANARY_URL say where it is",
                may_pass=True,
            ) from error

    def _refusal(self, answer: requests.Response) -> CanaryError:
        """Return the error that an answer is."""
        status = answer.status_code
        told = _object(answer) or {}
        detail = told.get("detail") or told.get("description") or answer.reason or "no reason given"
        said = str(detail)[:MAX_SHOWN]
        match status:
            case 400:
                return UsageError(filters.by_option(said))
            case 401 | 403:
                return Unanswered(
                    f"{self.url} refuses ({status}): {said}. Sign in by CANARY_TOKEN, or by"
                    " CANARY_USER and CANARY_PASSWORD"
                )
            case 404:
                return Unanswered(
                    f"{self.url} has no {answer.request.path_url.partition('?')[0]}: check --url"
                    " or CANARY_URL, and that canary-server is not older than this command"
                )
        again = answer.headers.get("Retry-After", "")
        hint = f"; try again in {again} s" if again.isdecimal() else ""
        return Unanswered(
            f"{self.url} answers {status}: {said}{hint}", may_pass=status in {429, 502, 503, 504}
        )

    def _compare_clocks(self, answer: requests.Response) -> None:
        try:
            told = parsedate_to_datetime(answer.headers["Date"])
        except (KeyError, ValueError, TypeError):
            return
        ahead = told.astimezone(UTC) - datetime.now(UTC)
        is_off = abs(ahead.total_seconds()) > CLOCK_TOLERANCE
        self._ahead = ahead if is_off else timedelta(0)


class Rows:
    """A list of the server's, walked once. ``is_more``: there are entries beyond the limit."""

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
                raise Unanswered(f"{self._client.url} tells no {self._resource}: check --url")
            cursor = page.get("next")
            self.is_more = cursor is not None
            yield from rows
            left = None if left is None else left - len(rows)
            if cursor is None:
                return


def _credentials(access: Access) -> AuthBase:
    if access.token:
        return _Bearer(access.token)
    if access.user:
        # As bytes: requests would write text in Latin-1.
        return HTTPBasicAuth(access.user.encode(), (access.password or "").encode())
    return _Nobody()


def _object(answer: requests.Response) -> JSON | None:
    try:
        told = answer.json()
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _brief(error: BaseException) -> str:
    """Return the innermost reason in a few words, without objects' addresses and URLs."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        reason = getattr(error, "reason", None)
        inner = reason if isinstance(reason, BaseException) else error.__cause__
        inner = inner or next((each for each in error.args if isinstance(each, Exception)), None)
        error = inner or error.__context__ or error
    return str(getattr(error, "strerror", None) or type(error).__name__)[:MAX_SHOWN]
