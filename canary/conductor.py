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
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import gevent
from gevent.event import Event
from taskflow import engines
from taskflow import exceptions as taskflow_exceptions
from taskflow.conductors import base
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJob
from taskflow.types.entity import Entity

from canary import watch_flow
from canary.claims import Claim, Claims
from canary.errors import CanaryError, ZooKeeperUnavailable
from canary.model.names import conductor_folder
from canary.registry import Registered, Registry, WatchJob, WatchJobBoard
from canary.watchers.node import NodeWatch
from canary.zookeeper import wait

LOG = logging.getLogger(__name__)

RELIST_INTERVAL: Final = 30.0  # seconds between looks at the board when nothing wakes it
RETRY_DELAY: Final = 1.0  # seconds until a watch job that failed is tried again; doubled each time
MAX_RETRY_DELAY: Final = 60.0  # seconds
STOP_TIMEOUT: Final = 7.0  # seconds that all watches together have to come to an end; the worker 10


@dataclass(slots=True, eq=False)
class Run:
    """One run of a watch job."""

    claim: Claim
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
    return. ``looked`` is called with what was found at every look at the board; it must not wait.
    """

    def __init__(
        self, name: str, jobboard: WatchJobBoard, watch: Watch, looked: Looked, max_boards: int
    ) -> None:
        super().__init__(name, jobboard)
        self._board = jobboard
        self._client = jobboard.client
        self._registry = Registry(jobboard)
        self.claims = Claims(jobboard, name)
        self._watch, self._looked, self._max_boards = watch, looked, max_boards
        self._runs: dict[str, Run] = {}
        self._backoffs: dict[str, Backoff] = {}
        self._wake, self._stopping, self._dead = Event(), Event(), Event()
        self._next_look = 0.0  # by the monotonic clock, if nothing wakes it
        self._registered_session: int | None = None
        self._failure: Exception | None = None

    @cached_property
    def conductor(self) -> Entity:
        """Who this conductor is: TaskFlow's own says ``localhost`` on many a machine."""
        host, pid = os.uname().nodename, os.getpid()
        return Entity(
            self.ENTITY_KIND, f"{self._name}@{host}:{pid}", {"hostname": host, "pid": pid}
        )

    def boards(self) -> list[str]:
        """Return the paths of the boards whose watch jobs are being run."""
        return [run.claim.job.path for run in self._runs.values()]

    def stop(self) -> None:
        """Ask ``run`` to abandon its watch jobs and return. May be called from a signal handler."""
        self._stopping.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until ``run`` has returned, for ``timeout`` seconds at most; tell whether it has."""
        return bool(self._dead.wait(timeout))

    def run(self, max_dispatches: int | None = None) -> None:  # noqa: ARG002 -- TaskFlow's signature
        """Claim and run watch jobs until ``stop`` is called. What a defect raises, it raises."""
        self._dead.clear()
        looking = gevent.spawn(self._loop)
        try:
            self._stopping.wait()
        finally:
            looking.kill()  # it may be waiting for ZooKeeper, and is never inside pymongo
            self._end_runs()
            self._dead.set()
        if self._failure is not None:
            raise self._failure

    def _loop(self) -> None:
        node = NodeWatch(self._client, self._board.path, self._wake.set)
        self._wake.set()
        try:
            while True:
                self._wake.wait(max(0.0, self._next_look - time.monotonic()))
                self._wake.clear()
                try:
                    if not self._board.connected:
                        self._board.connect(self._client.call_timeout)
                    node.refresh()
                    is_registered = self._register()
                    self._look()
                    if not is_registered:
                        self._look_in(RETRY_DELAY)
                except CanaryError as error:
                    LOG.warning("can't see Canary's own board, will try again: %s", error)
                    self._next_look = time.monotonic() + RETRY_DELAY
                    self._client.revive()
        except Exception as error:  # noqa: BLE001 -- ``run`` raises it
            self._failure = error
        finally:
            node.close()
            self._stopping.set()

    def _look_in(self, delay: float) -> None:
        """Look at the board again in ``delay`` seconds at the latest."""
        self._next_look = min(self._next_look, time.monotonic() + delay)

    def _register(self) -> bool:
        """Register as a conductor, once a session: the entity's znode goes with it.

        Returns whether it is registered. It is not while the znode is that of a session before,
        of this process or of one that had its number, and has to expire first.
        """
        session = self._client.session
        if session is None or session == self._registered_session:
            return session is not None
        with self._board.limited(self._client.call_timeout):
            self._board.register_entity(self.conductor)
        entity = f"{conductor_folder(self._board.path)}/{self.conductor.name}"
        stat = wait(self._client.exists_async(entity), self._client.call_timeout)
        if stat is None or stat.ephemeralOwner != session:
            return False
        self._registered_session = session
        return True

    def _look(self) -> None:
        """Compare the board with what is run here; start what is free, stop what is gone."""
        seen = self._registry.look()
        claimed = {job.name for job in seen.jobs if job.claimed}
        for name, run in self._runs.items():
            if name not in claimed:  # removed, or its lock was taken away
                run.stop.set()
        names = {job.name for job in seen.jobs}
        self._backoffs = {name: b for name, b in self._backoffs.items() if name in names}
        self.claims.forget_all_but(names)
        self._looked(seen)
        self._next_look = time.monotonic() + RELIST_INTERVAL
        for job in self._free(seen):
            if len(self._runs) >= self._max_boards:
                return
            backoff = self._backoffs.get(job.name)
            if backoff is not None and backoff.due > time.monotonic():
                self._look_in(backoff.due - time.monotonic())
                continue
            try:
                claim = self.claims.make(job)
            except ZooKeeperUnavailable:
                raise
            except CanaryError as error:
                LOG.warning("not claimed: %s", error, extra={"board": job.path})
                self._look_in(self._back_off(job.name))
            else:
                if claim is not None:
                    run = self._runs[job.name] = Run(claim)
                    run.greenlet = gevent.spawn(self._run, run)

    def _free(self, seen: Registered) -> list[WatchJob]:
        """Return the jobs that may be claimed: of each board the first, if nobody runs it."""
        first: dict[str, WatchJob] = {}
        for job in seen.jobs:
            first.setdefault(job.path, job)
        return [
            job
            for job in first.values()
            if job.name not in self._runs and self.claims.may_be_made(job)
        ]

    def _run(self, run: Run) -> None:
        """Run a watch job to its end, abandon it, and have it tried again later."""
        name, extra = run.claim.job.name, _extra(run.claim)
        LOG.info("watching", extra=extra)
        try:
            self._dispatch_job(run.claim.held)
        except Exception:
            LOG.exception("the run of a watch job failed", extra=extra)
        try:
            self.claims.abandon(run.claim)
        except Exception:
            LOG.exception("a watch job was not abandoned", extra=extra)
        del self._runs[name]
        if not run.stop.is_set():
            self._back_off(name, time.monotonic() - run.started)
        LOG.info("watching no longer", extra=extra)
        self._wake.set()

    def _back_off(self, name: str, lasted: float = 0.0) -> float:
        """Leave a job that failed alone for a while, longer each time; return for how long."""
        last = self._backoffs.get(name)
        delay = RETRY_DELAY
        if last is not None and lasted < MAX_RETRY_DELAY:
            delay = min(last.delay * 2, MAX_RETRY_DELAY)
        self._backoffs[name] = Backoff(time.monotonic() + delay, delay)
        return delay

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
            cause = end.__cause__
            is_defect = cause is not None and not isinstance(cause, CanaryError)
            log = LOG.debug if run.stop.is_set() and not is_defect else LOG.warning
            log("%s", end, exc_info=cause if is_defect else None, extra=_extra(run.claim))
        return False

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


def _extra(claim: Claim) -> dict[str, Any]:
    """Return what log records about a claim carry."""
    return {"board": claim.job.path, "epoch": claim.epoch}
