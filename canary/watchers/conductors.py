"""Watching which conductors are registered on a board.

TaskFlow registers a conductor as an ephemeral znode below the board's entities, once a run; the
znode goes with the conductor's session. Its content is hostile, like everything on a watched board.

Promises: what it hands on is what ZooKeeper held when it was last looked at, at most
``MAX_CONDUCTORS`` of it. It is not part of the board's account: conductors are told as they are
now, not change by change. A conductor that lost its session may go on working without being
registered; one whose znode may not be read is left out.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from gevent.event import Event
from kazoo.exceptions import NoAuthError, NoNodeError

from canary.clock import now
from canary.errors import BoardMissing, CanaryError
from canary.model import payload
from canary.model.conductors import Conductor, conductor
from canary.model.names import conductor_folder
from canary.watchers.node import NodeWatch
from canary.watchers.stats import zookeeper_time
from canary.zookeeper import Client, errors_as_ours, wait

LOG = logging.getLogger(__name__)

MAX_CONDUCTORS: Final = 1_000  # of one board; a document of MongoDB holds 16 MB
RETRY_DELAY: Final = 1.0  # seconds before the first new try after a failure; doubled each time
MAX_RETRY_DELAY: Final = 30.0  # seconds
# Seconds without a change until the watches are looked after. Only an ACL that forbids reading the
# folder for a while ends one without a word.
CHECK_INTERVAL: Final = 300.0

Tell = Callable[[list[Conductor], datetime], None]


class ConductorsWatch:
    """Follows the conductors of the board at ``path`` and calls ``tell`` whenever they change.

    ``tell`` may raise a CanaryError: then it is called again later.
    """

    def __init__(self, client: Client, path: str, tell: Tell) -> None:
        self._client, self._tell = client, tell
        self._folder = conductor_folder(path)
        self._extra = {"board": path}
        self._wake, self._stop = Event(), Event()

    def stop(self) -> None:
        """Ask ``run`` to return. May be called from anywhere, and twice."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Follow them until ``stop``."""
        node = NodeWatch(self._client, self._folder, self._wake.set)
        told: list[Conductor] | None = None
        delay = RETRY_DELAY
        self._wake.set()
        try:
            while True:
                is_woken = self._wake.wait(CHECK_INTERVAL)
                self._wake.clear()
                if self._stop.is_set():
                    return
                try:
                    if is_woken or node.check():
                        node.refresh()
                        found = self._read()
                        if found != told:
                            self._tell(found, now())
                            told = found
                    delay = RETRY_DELAY
                    continue
                except CanaryError as error:
                    LOG.debug("conductors not seen: %s", error, extra=self._extra)
                except Exception:
                    LOG.exception("conductors not seen", extra=self._extra)
                self._stop.wait(delay)
                self._wake.set()
                delay = min(delay * 2, MAX_RETRY_DELAY)
        finally:
            node.close()

    def _read(self) -> list[Conductor]:
        timeout = self._client.call_timeout
        try:
            names = sorted(wait(self._client.get_children_async(self._folder), timeout))
        except BoardMissing:
            return []
        if len(names) > MAX_CONDUCTORS:
            LOG.warning(
                "only %d of %d conductors are shown", MAX_CONDUCTORS, len(names), extra=self._extra
            )
        answers = {
            name: self._client.get_async(f"{self._folder}/{name}")
            for name in names[:MAX_CONDUCTORS]
        }
        found = []
        for name, answer in answers.items():
            try:
                with errors_as_ours(timeout, answers=(NoNodeError, NoAuthError)):
                    data, stat = answer.get(timeout=timeout)
            except (NoNodeError, NoAuthError):
                continue
            since = zookeeper_time(stat.ctime)
            found.append(
                conductor(payload.text(name, payload.MAX_NAME), data, since, stat.ephemeralOwner)
            )
        return found
