"""Reading what MongoDB holds of many boards at once, for each of which one question costs the most.

Boards are compared with it once a minute, and those of one worker whose turn it is at about one
time are asked for with one question. Nobody waits for the answer.

Promises: whoever asks is told, once: what was stored after they asked, or None where that could not
be read, or would be too much to be held. Who asks for a board again before that is told once.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

import gevent

from canary.errors import CanaryError
from canary.stores.documents import Document

LOG = logging.getLogger(__name__)

GATHERING: Final = 0.2  # seconds for others to ask as well
MOST: Final = 50  # boards in one question

Take = Callable[[list[Document] | None], None]
Read = Callable[[Collection[str]], Mapping[str, list[Document]] | None]


class Together:
    """One worker's; ``read`` returns what is stored of boards, by their paths."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._asked: dict[str, Take] = {}
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def ask(self, path: str, take: Take) -> None:
        """Have ``take`` called with what is stored of a board; it must not wait."""
        self._asked[path] = take
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        try:
            while self._asked:
                gevent.sleep(GATHERING)
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
            LOG.debug("%d boards were not read together: %s", len(paths), error)
        except Exception:
            LOG.exception("%d boards were not read together", len(paths))
        return {}
