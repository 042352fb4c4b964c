"""HTTP for the command line: retries, redirects, credentials and proxies.

Promises: credentials are sent only to the scheme, host and port of `Access.url`, even if it
redirects elsewhere. ``.netrc`` is not read.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import MaxRetryError, ReadTimeoutError
from urllib3.util import Retry

from canary.cli.access import Access
from canary.cli.http_headers import date, retry_after
from canary.cli.proxies import Proxy, proxy_for

AGAIN: Final[dict[str, Any]] = {
    "total": 5,
    "connect": 2,
    "read": 2,
    "redirect": 3,
    "other": 0,
    "allowed_methods": ["GET"],
    "backoff_factor": 0.2,  # the first retry comes at once, the second after twice this, in seconds
    "retry_after_max": 30,  # seconds
    "raise_on_status": False,
}


class _Again(Retry):
    """Which requests are retried. After a 503 they are not: it says what is wrong, and may last."""

    RETRY_AFTER_STATUS_CODES = frozenset({429})

    def increment(self, *words: Any, **more: Any) -> Self:
        """Return the retries that are left. Raises an error after which there is no retry."""
        if isinstance(error := more.get("error"), ReadTimeoutError):
            raise error
        answer: BaseHTTPResponse | None = more.get("response")
        if (
            answer is not None
            and answer.status in self.RETRY_AFTER_STATUS_CODES
            and self.get_retry_after(answer) is None
        ):
            raise MaxRetryError(more["_pool"], words[1])  # urllib3 returns the answer then
        return super().increment(*words, **more)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return how many seconds an answer asks to wait; None if it does not."""
        fields = response.headers
        told = date(fields.get("Date"))
        wait = retry_after(fields.get("Retry-After"), lambda: told or datetime.now(UTC))
        return None if wait is None else min(wait, self.retry_after_max)


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Nobody(AuthBase):
    """Sends no credentials. Without it, requests would look for some in ``.netrc``."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Session(requests.Session):
    """Follows redirects, to another server without credentials, and with each URL's own proxy."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self.trust_env = False  # proxy variables are read here, .netrc is not read
        self.headers["User-Agent"] = "canary"
        self.auth = _credentials(access)
        for scheme in ("http://", "https://"):
            self.mount(scheme, HTTPAdapter(max_retries=_Again(**AGAIN)))
        # If the server refuses another stream for a while, the user is told, and does not wait in
        # silence.
        told = _Again(**AGAIN, respect_retry_after_header=False)
        self.mount(f"{access.url}/v2/stream", HTTPAdapter(max_retries=told))

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Remove the credentials if a redirect leads to another scheme, host or port."""
        if origin(prepared_request.url) != origin(response.request.url):
            prepared_request.headers.pop("Authorization", None)

    def rebuild_proxies(
        self, prepared_request: requests.PreparedRequest, proxies: Any
    ) -> dict[str, str]:
        """Return the proxies for the URL that a redirect leads to."""
        del proxies
        own = proxies_of(proxy_for(prepared_request.url or ""))
        return dict(super().rebuild_proxies(prepared_request, own))  # type: ignore[no-untyped-call]


def verify(access: Access, environ: Mapping[str, str] = os.environ) -> bool | str:
    """Return the argument ``verify`` of requests: a file of authorities, or whether to verify."""
    if access.verify is not True:
        return access.verify
    bundles = (environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    return next(filter(None, bundles), True)


def _credentials(access: Access) -> AuthBase:
    if access.token:
        return _Bearer(access.token)
    if access.user:
        # As bytes: requests would encode text in Latin-1.
        return HTTPBasicAuth(access.user.encode(), (access.password or "").encode())
    return _Nobody()


def proxies_of(proxy: Proxy | None) -> dict[str, str]:
    """Return the argument ``proxies`` of requests."""
    return dict.fromkeys(("http", "https"), proxy.url) if proxy else {}


def origin(url: str | None) -> str:
    """Return scheme, host and port of a URL, as in ``http://host:80``."""
    parts = urlsplit(url or "")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}:{port}"
