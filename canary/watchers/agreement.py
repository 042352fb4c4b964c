"""Read what MongoDB holds of many boards with one query.

Each board is compared with MongoDB once a minute, and a query per board is what costs most. So the
boards of one worker whose turn comes at about the same time share a query. No greenlet waits for
the answer.

Promises: a callback is called once, with what was stored after its request, or with None if that
could not be read or is too much to hold in memory. A second request for a board replaces one that
still waits; then only the second callback is called.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

import gevent

from canary.clock import CLOCK, Clock
from canary.errors import CanaryError
from canary.stores.mongo.documents import Document

LOG = logging.getLogger(__name__)

GATHERING: Final = 0.2  # seconds in which further requests join a query
MOST: Final = 50  # boards in one query

Take = Callable[[list[Document] | None], None]
Read = Callable[[Collection[str]], Mapping[str, list[Document]] | None]


class Together:
    """The queries of one worker. ``read`` takes paths and returns what is stored, by path."""

    def __init__(self, read: Read, clock: Clock = CLOCK) -> None:
        self._read, self._clock = read, clock
        self._asked: dict[str, Take] = {}
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def ask(self, path: str, take: Take) -> None:
        """Request what is stored of a board. ``take`` is called with it and must not wait."""
        self._asked[path] = take
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        try:
            while self._asked:
                self._clock.sleep(GATHERING)
                asked, self._asked = self._asked, {}
                all_paths = list(asked)
                for first in range(0, len(all_paths), MOST):
                    paths = all_paths[first : first + MOST]
                    stored = self._try_read(paths)
                    for path in paths:
                        asked[path](stored.get(path))
        finally:
            self._greenlet = None

    def _try_read(self, paths: list[str]) -> Mapping[str, list[Document]]:
        try:
            return self._read(paths) or {}
        except CanaryError as error:
            LOG.debug("%d boards could not be read with one query: %s", len(paths), error)
        except Exception:
            LOG.exception("%d boards could not be read with one query", len(paths))
        return {}
