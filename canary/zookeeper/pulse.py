"""The pulse: whether ZooKeeper answers, by this process's own clock.

kazoo may go on saying CONNECTED long after a server froze, or after its own process was frozen past
the end of its session. So once a second the pulse sends a ``sync``. Its answer comes only after the
leader was asked, and after every event that was due before.

Promises: listeners get ``LOST`` when nothing that was sent within the session's timeout has been
answered, whatever kazoo says. Then the session may be over, and another client may own what
depended on it. Listeners get ``SILENT`` before that. If a server is silent for half of the timeout,
the connection is dropped, so that another server is tried if there is one.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Final

from gevent.event import Event

from canary.clock import CLOCK, Clock
from canary.errors import CanaryError, ZooKeeperUnavailable
from canary.logs.complaint import Complaint
from canary.zookeeper.calls import wait
from canary.zookeeper.client import Client

LOG = logging.getLogger(__name__)

INTERVAL: Final = 1.0  # seconds between two syncs
SILENCE: Final = 2.0  # seconds without an answer after which nothing is called live


class Contact(Enum):
    """The state of this process's contact with ZooKeeper."""

    ANSWERS = "answers"
    SILENT = "silent"
    LOST = "lost"


Listener = Callable[[Contact], None]


class Pulse:
    """Sends the syncs and calls the listeners, for everything that depends on one client.

    ``until``: ZooKeeper has reported everything that happened before this moment; None before the
    first answer.
    """

    def __init__(self, client: Client, clock: Clock = CLOCK) -> None:
        self._client, self._clock = client, clock
        self._listeners: set[Listener] = set()
        self._has_dropped = False
        self.contact = Contact.ANSWERS
        self.until: datetime | None = None

    def add_listener(self, listener: Listener) -> None:
        """Call ``listener`` whenever the contact changes; it must only set flags."""
        self._listeners.add(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Stop calling ``listener``."""
        self._listeners.discard(listener)

    def run(self, stopping: Event) -> None:
        """Send syncs until ``stopping`` is set."""
        refused = Complaint(LOG, "ZooKeeper refuses the sync")
        while not stopping.is_set():
            asked, moment = self._clock.elapsed(), self._clock.now()
            try:
                wait(self._client.sync_async("/"), self._patience())
            except ZooKeeperUnavailable as error:
                LOG.debug("no pulse: %s", error)
            except CanaryError as error:
                refused.say(error)
                self.until = moment
            else:
                self.until = moment
                refused.over()
            self._judge()
            pause = min(max(0.0, asked + INTERVAL - self._clock.elapsed()), self._patience())
            self._clock.wait(stopping, pause)

    def _limit(self) -> float:
        """Return the seconds of silence after which the contact gets worse than it is now."""
        timeout = self._client.session_timeout
        return min(SILENCE, timeout / 2) if self.contact is Contact.ANSWERS else timeout

    def _patience(self) -> float:
        """Return how many seconds may pass until ``_judge`` has to be called."""
        if self.contact is Contact.LOST:
            return INTERVAL
        left = self._client.heard + self._limit() - self._clock.elapsed()
        return min(max(left, 0.05), INTERVAL)

    def _judge(self) -> None:
        silence = self._clock.elapsed() - self._client.heard
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
