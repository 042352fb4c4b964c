"""Watch which conductors are registered on a board.

TaskFlow registers a conductor as an ephemeral znode below the board's entities, once per run. The
znode disappears with the conductor's session. If TaskFlow is given the board's path with a slash at
its end, conductors register elsewhere; both places are watched. The content of the znodes is
hostile, like everything on a watched board.

Promises: what is handed on is what ZooKeeper held at the last read, at most ``MAX_CONDUCTORS``
conductors. Conductors are not part of the board's account: only the current ones are published, not
each change. A conductor that lost its session may go on working without being registered. A
conductor whose znode may not be read is left out, and the list is marked as incomplete.
"""

import logging
from datetime import datetime
from typing import Final, Protocol

from gevent.event import Event
from kazoo.exceptions import NoAuthError, NoNodeError

from canary.errors import BoardDenied, BoardMissing, CanaryError
from canary.logs.complaint import Complaint
from canary.model.conductors import Conductor, conductor
from canary.model.names import conductor_folders
from canary.model.payload import payload
from canary.watchers.context import WatchContext
from canary.zookeeper import errors_as_ours, wait
from canary.zookeeper.node_watch import NodeWatch
from canary.zookeeper.stats import zookeeper_time

LOG = logging.getLogger(__name__)

MAX_CONDUCTORS: Final = 1_000  # per board; a MongoDB document holds 16 MB
RETRY_DELAY: Final = 1.0  # seconds before the first new try after a failure; doubled each time
MAX_RETRY_DELAY: Final = 30.0  # seconds
# Seconds without a change until the watches are checked. Only an ACL that forbids reading the
# folder for a while ends a watch without an event.
CHECK_INTERVAL: Final = 300.0

Registered = tuple[list[Conductor], bool]  # the conductors, and whether they are all


class Tell(Protocol):
    """A callback: which conductors there are, when, and whether they are all."""

    def __call__(self, conductors: list[Conductor], now: datetime, *, whole: bool) -> None:
        """Store or publish the conductors."""


class ConductorsWatch:
    """Watches the conductors of the board at ``path``, and calls ``tell`` when they change.

    ``tell`` may raise a CanaryError; then it is called again later.
    """

    def __init__(self, context: WatchContext, path: str, tell: Tell) -> None:
        self._client, self._masker, self._tell = context.client, context.masker, tell
        self._clock, self._ensemble_clock = context.clock, context.ensemble_clock
        self._folders = conductor_folders(path)
        self._extra = {"board": path}
        self._too_many = Complaint(LOG, f"only {MAX_CONDUCTORS} conductors are shown", self._extra)
        self._wake, self._stop = Event(), Event()

    def stop(self) -> None:
        """Ask ``run`` to return. May be called from any greenlet, and twice."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Watch the conductors until ``stop``."""
        nodes = [NodeWatch(self._client, folder, self._wake.set) for folder in self._folders]
        told: Registered | None = None
        delay = RETRY_DELAY
        self._wake.set()
        try:
            while True:
                is_woken = self._clock.wait(self._wake, CHECK_INTERVAL)
                self._wake.clear()
                if self._stop.is_set():
                    return
                try:
                    if is_woken or any(node.check() for node in nodes):
                        found, is_whole = self._read(nodes)
                        if (found, is_whole) != told:
                            self._tell(found, self._clock.now(), whole=is_whole)
                            told = found, is_whole
                    delay = RETRY_DELAY
                    continue
                except BoardDenied as error:
                    LOG.debug("the conductors could not be read: %s", error, extra=self._extra)
                    if told is None or told[1]:
                        told = self._hide(told)
                except CanaryError as error:
                    LOG.debug("the conductors could not be read: %s", error, extra=self._extra)
                except Exception:
                    LOG.exception("the conductors could not be read", extra=self._extra)
                self._clock.wait(self._stop, delay)
                self._wake.set()
                delay = min(delay * 2, MAX_RETRY_DELAY)
        finally:
            for node in nodes:
                node.close()

    def _hide(self, told: Registered | None) -> Registered | None:
        """Publish that the conductors are hidden; return what is published, or None."""
        try:
            self._tell([], self._clock.now(), whole=False)
        except CanaryError as error:
            LOG.debug(
                "could not store that the conductors are hidden: %s", error, extra=self._extra
            )
            return told
        return [], False

    def _read(self, nodes: list[NodeWatch]) -> Registered:
        """Return the conductors, and whether they are all."""
        for node in nodes:
            node.refresh()
        parts = [self._read_folder(folder) for folder in self._folders]
        found = [each for part, _ in parts for each in part]
        is_whole = all(is_whole for _, is_whole in parts) and len(found) <= MAX_CONDUCTORS
        return found[:MAX_CONDUCTORS], is_whole

    def _read_folder(self, folder: str) -> Registered:
        timeout = self._client.call_timeout
        try:
            names = sorted(wait(self._client.get_children_async(folder), timeout))
        except BoardMissing:
            return [], True
        if len(names) > MAX_CONDUCTORS:
            self._too_many.say(f"there are {len(names)}")
        seen_at = self._clock.now()
        answers = {
            name: self._client.get_async(f"{folder}/{name}") for name in names[:MAX_CONDUCTORS]
        }
        found, is_whole = [], len(names) <= MAX_CONDUCTORS
        for name, answer in answers.items():
            try:
                with errors_as_ours(timeout, answers=(NoNodeError, NoAuthError)):
                    data, stat = answer.get(timeout=timeout)
            except (NoNodeError, NoAuthError) as error:
                is_whole = is_whole and isinstance(error, NoNodeError)
                continue
            since = self._ensemble_clock.here(zookeeper_time(stat.ctime), seen_at)
            shown = self._masker.identity(payload.text(name, payload.MAX_NAME))
            found.append(conductor(shown, data or b"", since, stat.ephemeralOwner, self._masker))
        return found, is_whole
