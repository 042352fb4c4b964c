"""A client of ``/v2/stream`` that comes back, as clients are told to do."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Final, Protocol

import requests

from tests.asking import open_stream

NDJSON: Final = {"Accept": "application/x-ndjson"}

Told = dict[str, Any]


class Addressed(Protocol):
    """A server, as far as its client knows it."""

    @property
    def address(self) -> str:
        """Its URL, without a path."""


class Client:
    """Reads JSON lines, one after the other, and remembers the last id, over many connections."""

    def __init__(self, server: Addressed, last: str | None = None, **query: Any) -> None:
        self.server, self.last, self._query = server, last, query
        self.told: list[Told] = []

    @contextlib.contextmanager
    def connected(self) -> Iterator[Iterator[Told]]:
        """Connect, and read what comes until the end of the ``with``."""
        headers = NDJSON | ({"Last-Event-ID": self.last} if self.last else {})
        with open_stream(self.server.address, params=self._query, headers=headers) as answer:
            assert answer.headers["Content-Type"] == "application/x-ndjson"
            yield self._lines(answer)

    def _lines(self, answer: requests.Response) -> Iterator[Told]:
        for line in answer.iter_lines(chunk_size=None):
            told = json.loads(line)
            self.last = told["id"] or self.last
            if told["event"] != "heartbeat":
                self.told.append(told)
            yield told

    def read_until(self, *revisions: int, event: str = "change") -> "Client":
        """Connect, read up to the change that has the last of ``revisions``, and leave."""
        with self.connected() as lines:
            for told in lines:
                if told["event"] == event and (
                    not revisions or told["data"]["revision"] == revisions[-1]
                ):
                    return self
        raise AssertionError(f"it ended: {self.told[-3:]}")

    def come_back_until(self, revision: int) -> "Client":
        """Read up to the change that has ``revision``, as a client that is dropped if it is slow.

        Each connection must bring it on.
        """
        while not self.told or self.told[-1]["data"].get("revision") != revision:
            seen = len(self.revisions)
            with self.connected() as lines:
                for told in lines:
                    if told["event"] == "change" and told["data"]["revision"] == revision:
                        return self
            assert self.told[-1]["event"] == "dropped", f"it ended: {self.told[-3:]}"
            assert len(self.revisions) > seen
        return self

    def start(self) -> "Client":
        """Connect, get a first id, and leave."""
        return self.read_until(event="heartbeat")

    @property
    def revisions(self) -> list[int]:
        return [told["data"]["revision"] for told in self.of("change")]

    def of(self, name: str) -> list[Told]:
        return [told for told in self.told if told["event"] == name]

    @property
    def names(self) -> set[str]:
        return {told["event"] for told in self.told}
