"""Whether ZooKeeper answers, by this process's own clock.

kazoo may go on saying CONNECTED long after a server froze, or after its own process was frozen past
the end of its session. So once a second something is asked of ZooKeeper, for real: a ``sync``,
which is answered only after the leader was asked, and after every event that was due before.

Promises: ``LOST`` is told when nothing that was sent within the session's timeout has been
answered, whatever kazoo says; then the session may be over, and what hangs on it another's.
``SILENT`` is told before that. A server that is silent for half of the timeout is left for another,
where there is one.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Final

from gevent.event import Event

from canary.clock import elapsed, now
from canary.errors import CanaryError, ZooKeeperUnavailable
from canary.zookeeper.calls import wait
from canary.zookeeper.client import Client

LOG = logging.getLogger(__name__)

INTERVAL: Final = 1.0  # seconds between two questions
SILENCE: Final = 2.0  # seconds without an answer that are no longer called live


class Contact(Enum):
    """How this process stands with ZooKeeper."""

    ANSWERS = "answers"
    SILENT = "silent"
    LOST = "lost"


Listener = Callable[[Contact], None]


class Pulse:
    """Asks and listens, for all that depends on one client.

    ``until``: everything that ZooKeeper had to tell of the time before it has been heard; None
    before the first answer.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._listeners: set[Listener] = set()
        self._has_dropped = False
        self.contact = Contact.ANSWERS
        self.until: datetime | None = None

    def add_listener(self, listener: Listener) -> None:
        """Have ``listener`` called whenever the contact changes; it must only set flags."""
        self._listeners.add(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Call ``listener`` no more."""
        self._listeners.discard(listener)

    def run(self, stopping: Event) -> None:
        """Ask until ``stopping`` is set."""
        while not stopping.is_set():
            asked, moment = elapsed(), now()
            try:
                wait(self._client.sync_async("/"), self._patience())
            except ZooKeeperUnavailable as error:
                LOG.debug("no pulse: %s", error)
            except CanaryError as error:
                LOG.warning("ZooKeeper refuses to sync: %s", error)
                self.until = moment
            else:
                self.until = moment
            self._judge()
            stopping.wait(min(max(0.0, asked + INTERVAL - elapsed()), self._patience()))

    def _limit(self) -> float:
        """Return after how many seconds of silence the contact gets worse than it is."""
        timeout = self._client.session_timeout
        return min(SILENCE, timeout / 2) if self.contact is Contact.ANSWERS else timeout

    def _patience(self) -> float:
        """Return how many seconds may be waited until ``_judge`` has to be called."""
        if self.contact is Contact.LOST:
            return INTERVAL
        left = self._client.heard + self._limit() - elapsed()
        return min(max(left, 0.05), INTERVAL)

    def _judge(self) -> None:
        silence = elapsed() - self._client.heard
        timeout = self._client.session_timeout
        if silence >= timeout:
            contact = Contact.LOST
        elif silence >= min(SILENCE, timeout / 2):
            contact = Contact.SILENT
        else:
            contact, self._has_dropped = Contact.ANSWERS, False
        if silence >= timeout / 2 and not self._has_dropped:
            self._has_dropped = True
            self._client.drop()
        if contact is not self.contact:
            LOG.log(
                logging.INFO if contact is Contact.ANSWERS else logging.WARNING,
                "ZooKeeper %s, last heard %.1f s ago",
                contact.value,
                silence,
            )
            self.contact = contact
            for listener in tuple(self._listeners):
                listener(contact)
