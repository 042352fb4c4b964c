"""Asking a canary-server over HTTP, as its clients do."""

from http import HTTPStatus
from typing import Any, Final

import requests

from tests.waiting import eventually

LIMIT: Final = 30  # seconds for an answer, on a busy machine


def is_ready(url: str) -> bool:
    """Tell whether the server is there and reaches MongoDB."""
    try:
        return requests.get(f"{url}/readyz", timeout=LIMIT).status_code == HTTPStatus.OK
    except requests.ConnectionError:
        return False


def ask(url: str, resource: str, **query: str) -> Any:
    """Return what the API answers."""
    answer = requests.get(f"{url}{resource}", params=query, timeout=LIMIT)
    assert answer.status_code == HTTPStatus.OK, answer.text
    return answer.json()


def is_not_yet(status: int, retry_after: str | None) -> bool:
    """Tell whether the server answered that it is not ready, and when to ask again.

    So it may until it has read the boards, which every process of it does for itself.
    """
    return status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after is not None


def open_stream(url: str, **options: Any) -> requests.Response:
    """Connect to the event stream, as often as it takes the server to be ready for that."""

    def connect() -> list[requests.Response]:
        answer = requests.get(f"{url}/v2/stream", stream=True, **{"timeout": LIMIT} | options)
        if is_not_yet(answer.status_code, answer.headers.get("Retry-After")):
            answer.close()
            return []
        return [answer]

    [opened] = eventually(connect, why="the server is ready to stream")
    assert opened.status_code == HTTPStatus.OK, opened.text
    return opened
