"""A TaskFlow conductor for watch jobs: it runs many at once, for ever, and does not poll.

It learns from a watch on Canary's own board which watch jobs are free, tries to claim only those,
and sleeps otherwise. TaskFlow's own conductors try to claim every job twice a second, and take a
job that ends for done.

Promises: a watch job is never consumed or trashed by it, only abandoned, and only by who holds the
very lock of that claim; there is one run of a watch job at a time; garbage on the board, a lost
session, a failing store or a failing watch do not end its loop, and what failed comes back with
backoff. Two watch jobs for one board: the one posted first is run, the other left alone.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import gevent
from gevent.event import Event
from kazoo.exceptions import NoNodeError
from taskflow import engines
from taskflow import exceptions as taskflow_exceptions
from taskflow.conductors import base
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJob

from canary import watch_flow
from canary.errors import CanaryError
from canary.registry import Registered, Registry, WatchJob, WatchJobBoard
from canary.watchers.node import NodeWatch
from canary.zookeeper import errors_as_ours

LOG = logging.getLogger(__name__)

RELIST_INTERVAL: Final = 30.0  # seconds between looks at the board when nothing wakes it
RETRY_DELAY: Final = 1.0  # seconds until a watch job that failed is tried again; doubled each time
MAX_RETRY_DELAY: Final = 60.0  # seconds
STOP_TIMEOUT: Final = 7.0  # seconds that all watches together have to come to an end


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim on a watch job: ``epoch`` is the czxid of its lock, ``session`` the lock's owner."""

    job: WatchJob
    epoch: int
    session: int


@dataclass(slots=True, eq=False)
class Run:
    """One run of a watch job."""

    claim: Claim
    held: ZookeeperJob
    stop: Event = field(default_factory=Event)
    greenlet: Any = None
    started: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Backoff:
    """When a watch job that failed may be tried again."""

    due: float
    delay: float


Watch = Callable[[Claim, Event], None]
Looked = Callable[[Registered], None]


class WatchConductor(base.Conductor):
    """Runs ``watch`` for every watch job that it can claim, until ``stop``.

    ``watch`` is called in a greenlet of its own, with the claim and with an event that tells it to
    return. ``looked`` is called with what was found at every look at the board.
    """

    def __init__(
        self, name: str, jobboard: WatchJobBoard, watch: Watch, looked: Looked, max_boards: int
    ) -> None:
        super().__init__(name, jobboard)
        self._board = jobboard
        self._client = jobboard.client
        self._registry = Registry(jobboard)
        self._watch, self._looked, self._max_boards = watch, looked, max_boards
        self._runs: dict[str, Run] = {}
        self._backoffs: dict[str, Backoff] = {}
        self._uncertain: set[str] = set()  # claimed perhaps: the answer was lost
        self._wake, self._stopping, self._dead = Event(), Event(), Event()
        self._registered_session: int | None = None

    def boards(self) -> list[str]:
        """Return the paths of the boards whose watch jobs are being run."""
        return [run.claim.job.path for run in self._runs.values()]

    def stop(self) -> None:
        """Ask ``run`` to abandon its watch jobs and return. May be called from a signal handler."""
        self._stopping.set()
        self._wake.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until ``run`` has returned, for ``timeout`` seconds at most; tell whether it has."""
        return bool(self._dead.wait(timeout))

    def run(self, max_dispatches: int | None = None) -> None:  # noqa: ARG002 -- TaskFlow's signature
        """Claim and run watch jobs until ``stop`` is called."""
        self._dead.clear()
        node = NodeWatch(self._client, self._board.path, self._wake.set)
        try:
            self._loop(node)
        finally:
            node.close()
            self._end_runs()
            self._dead.set()

    def _loop(self, node: NodeWatch) -> None:
        self._wake.set()
        while True:
            self._wake.wait(self._pause())
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                if not self._board.connected:
                    self._board.connect(self._client.call_timeout)
                node.refresh()
                self._register()
                self._look()
            except CanaryError as error:
                LOG.warning("can't see Canary's own board, will try again: %s", error)
                self._stopping.wait(RETRY_DELAY)
                self._wake.set()

    def _pause(self) -> float:
        """Return for how many seconds there is nothing to do if nothing happens."""
        now = time.monotonic()
        return max(0.0, min([RELIST_INTERVAL, *(b.due - now for b in self._backoffs.values())]))

    def _register(self) -> None:
        """Register as a conductor, once a session: the entity's znode goes with it."""
        session = self._client.session
        if session is not None and session != self._registered_session:
            with self._board.limited(self._client.call_timeout):
                self._board.register_entity(self.conductor)
            self._registered_session = session

    def _look(self) -> None:
        """Compare the board with what is run here; start what is free, stop what is gone."""
        seen = self._registry.look()
        names = {job.name for job in seen.jobs}
        for name, run in list(self._runs.items()):
            if name not in names:
                run.stop.set()
        self._backoffs = {name: b for name, b in self._backoffs.items() if name in names}
        self._looked(seen)
        first: dict[str, str] = {}
        for job in seen.jobs:
            first.setdefault(job.path, job.name)
        for job in seen.jobs:
            if self._stopping.is_set() or len(self._runs) >= self._max_boards:
                return
            if first[job.path] != job.name or job.name in self._runs:
                continue
            backoff = self._backoffs.get(job.name)
            if backoff is not None and backoff.due > time.monotonic():
                continue
            if not job.claimed or job.name in self._uncertain:
                self._try_claim(job)

    def _try_claim(self, job: WatchJob) -> None:
        """Claim a watch job and start its run; leave it to others if they were faster."""
        held = self._board.hold(job)
        try:
            if job.name not in self._uncertain:
                self._uncertain.add(job.name)
                with self._board.limited(self._client.call_timeout):
                    self._board.claim(held, self._name)
            claim = self._read_back(job)
        except (taskflow_exceptions.UnclaimableJob, taskflow_exceptions.NotFound):
            claim = None
        except CanaryError:
            self._board.let_go(held)
            raise
        self._uncertain.discard(job.name)
        if claim is None:
            self._board.let_go(held)
            return
        run = Run(claim, held)
        self._runs[job.name] = run
        run.greenlet = gevent.spawn(self._run, run)

    def _read_back(self, job: WatchJob) -> Claim | None:
        """Return the claim on ``job`` if its lock is this session's, else None."""
        timeout = self._client.call_timeout
        answer = self._client.get_async(f"{self._board.path}/{job.name}{self._board.LOCK_POSTFIX}")
        try:
            with errors_as_ours(timeout, answers=(NoNodeError,)):
                _, stat = answer.get(timeout=timeout)
        except NoNodeError:
            return None
        if stat.ephemeralOwner != self._client.session:
            return None
        return Claim(job, stat.czxid, stat.ephemeralOwner)

    def holds(self, claim: Claim) -> bool:
        """Tell, by reading it back from ZooKeeper, whether a claim is still this conductor's."""
        found = self._read_back(claim.job)
        return found is not None and found.epoch == claim.epoch

    def _run(self, run: Run) -> None:
        """Run a watch job to its end, abandon it, and have it tried again later."""
        job = run.claim.job
        extra = {"board": job.path, "epoch": run.claim.epoch}
        LOG.info("watching", extra=extra)
        try:
            self._dispatch_job(run.held)
        except Exception:
            LOG.exception("the run of a watch job failed", extra=extra)
        try:
            self._abandon(run)
        except CanaryError as error:
            LOG.warning("not abandoned, its lock goes with the session: %s", error, extra=extra)
            self._uncertain.add(job.name)
        self._board.let_go(run.held)
        del self._runs[job.name]
        if not run.stop.is_set():
            self._back_off(run)
        LOG.info("watching no longer", extra=extra)
        self._wake.set()

    def _back_off(self, run: Run) -> None:
        name = run.claim.job.name
        last = self._backoffs.get(name)
        lasted = time.monotonic() - run.started
        delay = RETRY_DELAY
        if last is not None and lasted < MAX_RETRY_DELAY:
            delay = min(last.delay * 2, MAX_RETRY_DELAY)
        self._backoffs[name] = Backoff(time.monotonic() + delay, delay)

    def _dispatch_job(self, job: ZookeeperJob) -> bool:
        """Run a watch job's flow. Returns whether to consume the job: never."""
        run = self._runs[job.path.rpartition("/")[2]]
        flow = watch_flow.build(lambda _path, _epoch: self._watch(run.claim, run.stop))
        engine = engines.load(
            flow, store={"path": run.claim.job.path, "epoch": run.claim.epoch}, engine="serial"
        )
        try:
            engine.run()
        except taskflow_exceptions.ExecutionFailure as end:
            log = LOG.debug if run.stop.is_set() else LOG.warning
            log("%s", end, extra={"board": run.claim.job.path, "epoch": run.claim.epoch})
        return False

    def _abandon(self, run: Run) -> None:
        """Delete the lock of this very claim, if it is there still.

        TaskFlow's own ``abandon`` compares the owner's name alone, which all workers share.
        """
        claim = self._read_back(run.claim.job)
        if claim is not None and claim.epoch == run.claim.epoch:
            timeout = self._client.call_timeout
            with errors_as_ours(timeout, answers=(NoNodeError,)):
                try:
                    self._client.delete_async(run.held.lock_path).get(timeout=timeout)
                except NoNodeError:
                    LOG.debug("%s was abandoned already", run.held.path)

    def _end_runs(self) -> None:
        runs = list(self._runs.values())
        for run in runs:
            run.stop.set()
        gevent.joinall([run.greenlet for run in runs], timeout=STOP_TIMEOUT)
        if self._runs:
            LOG.warning(
                "%d watches did not end in %g s; their locks go with the session",
                len(self._runs),
                STOP_TIMEOUT,
            )
