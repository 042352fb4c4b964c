"""A TaskFlow conductor for watch jobs: it runs many at once, for ever, and does not poll.

It learns from a watch on Canary's own board which watch jobs are free, tries to claim only those,
as many as are its share, and sleeps otherwise. TaskFlow's own conductors try to claim every job
twice a second, and take a job that ends for done.

Promises: a watch job is never consumed or trashed by it, only abandoned, and only by who holds the
very lock of that claim; there is one run of a watch job at a time; garbage on the board, a lost
session, a failing store or a failing watch do not end its loop, and what failed comes back with
backoff. Two watch jobs for one board: the one posted first is run, the other ended. What it runs
beyond its share it gives up, one clean end of a run after the other, for another to take.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from taskflow import engines
from taskflow import exceptions as taskflow_exceptions
from taskflow.conductors import base
from taskflow.jobs.backends.impl_zookeeper import ZookeeperJob
from taskflow.types.entity import Entity

from canary import watch_flow
from canary.backoff import RETRY_DELAY, Backoffs
from canary.claims import Claim, Claims
from canary.errors import CanaryError, ZooKeeperUnavailable
from canary.jobboard import WatchJobBoard
from canary.members import Members
from canary.model.shares import shares
from canary.registry import Registered, Registry, WatchJob
from canary.runs import Run
from canary.watchers.node import NodeWatch

LOG = logging.getLogger(__name__)

RELIST_INTERVAL: Final = 30.0  # seconds between looks at the board when nothing wakes it
SETTLE_DELAY: Final = 3.0  # seconds that a share must have been too large before some is given up
CLAIMS_AT_ONCE: Final = 16
STOP_TIMEOUT: Final = 7.0  # seconds that all watches together have to come to an end; the worker 10


Watch = Callable[[Claim, Event], None]
Looked = Callable[[Registered], None]


class WatchConductor(base.Conductor):
    """Runs ``watch`` for every watch job that is its share, until ``stop``.

    ``watch`` is called in a greenlet of its own, with the claim and with an event that tells it to
    return. ``looked`` is called with what was found at every look at the board; it must not wait.
    """

    def __init__(
        self, name: str, jobboard: WatchJobBoard, watch: Watch, looked: Looked, max_boards: int
    ) -> None:
        super().__init__(name, jobboard)
        self._board, self._client = jobboard, jobboard.client
        self._registry = Registry(jobboard.client, jobboard.path)
        self.claims = Claims(jobboard, name)
        self._claiming = BoundedSemaphore(CLAIMS_AT_ONCE)
        self._watch, self._looked = watch, looked
        self._runs: dict[str, Run] = {}
        self._backoffs = Backoffs()
        self._wake, self._stopping, self._dead = Event(), Event(), Event()
        self._members = Members(jobboard, self.ENTITY_KIND, name, max_boards, self._wake.set)
        self._is_fit = True
        self._excessive_since: float | None = None  # by the monotonic clock
        self._next_look = 0.0  # the same, if nothing wakes it
        self._failure: Exception | None = None

    @property
    def conductor(self) -> Entity:
        """Who this conductor is: TaskFlow's own says ``localhost`` on many a machine."""
        return self._members.entity

    def boards(self) -> list[str]:
        """Return the paths of the boards whose watch jobs are being run."""
        return [run.job.path for run in self._runs.values() if run.claim is not None]

    def set_fit(self, *, is_fit: bool) -> None:
        """Say whether this conductor can do its work, which it can't without its store.

        While it can't it claims nothing, and what it runs is for those who can, if there are any.
        """
        if is_fit is not self._is_fit:
            LOG.warning("%s its share of the boards", "takes" if is_fit else "offers others")
            self._is_fit = is_fit
            self._backoffs.forget()
            self._wake.set()

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
            self._members.close()  # so that the others take what is given up now
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
                    self._look()
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

    def _look(self) -> None:
        """Compare the board with what is run here; start what is free, stop what is gone."""
        self._next_look = time.monotonic() + RELIST_INTERVAL
        capacities = self._capacities()
        seen = self._registry.look()
        claimed = {job.name for job in seen.jobs if job.claimed}
        for run in self._runs.values():
            if run.is_gone(seen.stat, claimed):
                run.stop.set()
        names = {job.name for job in seen.jobs}
        self._backoffs.forget_all_but(names)
        self.claims.forget_all_but(names)
        self._looked(seen)
        first = self._first_of_each(seen.jobs)
        shared = shares(len(first), capacities)
        running = [run for run in self._runs.values() if not run.stop.is_set()]
        if self.conductor.name in shared:
            share = shared[self.conductor.name]
        else:
            # Nobody is listed: no better place for what is run here. Or others are, and can work.
            share = 0 if shared else len(running)
        self._give_up(running, len(running) - share)
        free = [job for job in first if job.name not in self._runs and self.claims.may_be_made(job)]
        # Each worker begins at its own place, so that they do not all try for the same ones.
        before = sum(count for name, count in shared.items() if name < self.conductor.name)
        place = before % len(free) if free else 0
        self._start(free[place:] + free[:place], share - len(running))
        for job in free:
            if job.claimed and job.name not in self._runs:  # here, by a claim that nobody runs
                gevent.spawn(self.claims.give_back, job)

    def _capacities(self) -> dict[str, int]:
        """Return how many boards each worker can take that is there and fit for it."""
        if not self._is_fit:
            if not self._members.withdraw():
                self._look_in(RETRY_DELAY)
        elif not self._members.join():
            self._look_in(RETRY_DELAY)
        capacities = self._members.capacities()
        capacities.pop(self.conductor.name, None)  # it may be one that had this name before
        if self._is_fit:
            capacities[self.conductor.name] = self._members.capacity
        return capacities

    def _first_of_each(self, jobs: tuple[WatchJob, ...]) -> list[WatchJob]:
        """Return the jobs that count, of each board the one posted first; end the others."""
        first: dict[str, WatchJob] = {}
        for job in jobs:
            if first.setdefault(job.path, job) is not job:
                extra = {"board": job.path, "job": job.name}
                LOG.warning("a second watch job for this board is ended", extra=extra)
                try:
                    self._registry.end(job)
                except CanaryError as error:
                    LOG.warning("it is still there: %s", error, extra=extra)
        return list(first.values())

    def _give_up(self, running: list[Run], excess: int) -> None:
        """Stop as many runs as are beyond the share, once it is sure that they will be."""
        if excess <= 0:
            self._excessive_since = None
            return
        now = time.monotonic()
        if self._excessive_since is None:
            self._excessive_since = now
        left = self._excessive_since + SETTLE_DELAY - now
        if left > 0:
            self._look_in(left)
            return
        LOG.info("%d boards are given up for others to watch", excess)
        for run in running[-excess:]:
            run.stop.set()

    def _start(self, free: list[WatchJob], room: int) -> None:
        for job in free:
            if room <= 0:
                return
            left = self._backoffs.left(job.name)
            if left > 0:
                self._look_in(left)
                continue
            room -= 1
            run = self._runs[job.name] = Run(job)
            run.greenlet = gevent.spawn(self._run, run)

    def _run(self, run: Run) -> None:
        """Claim a watch job, run it to its end, abandon it, and have it tried again later."""
        try:
            with self._claiming:
                if not run.stop.is_set():
                    run.claim = self.claims.make(run.job)
            if run.claim is not None:
                LOG.info("watching", extra=run.extra)
                self._dispatch_job(run.claim.held)
                self.claims.abandon(run.claim)
                LOG.info("watching no longer", extra=run.extra)
        except Exception as error:  # noqa: BLE001 -- logged, and the job comes back
            self._log_end(run, error)
        finally:
            del self._runs[run.job.name]
            if run.failure is not None and not run.stop.is_set():
                lasted = time.monotonic() - run.started
                # One that ZooKeeper does not answer comes back with it, and no sooner.
                is_its_fault = not isinstance(run.failure, ZooKeeperUnavailable)
                self._backoffs.failed(run.job.name, lasted, is_its_fault=is_its_fault)
            self._wake.set()

    def _dispatch_job(self, job: ZookeeperJob) -> bool:
        """Run a watch job's flow. Returns whether to consume the job: never."""
        run = self._runs[job.path.rpartition("/")[2]]
        if run.claim is not None:
            self._execute(run, run.claim)
        return False

    def _execute(self, run: Run, claim: Claim) -> None:
        flow = watch_flow.build(lambda _path, _epoch: self._watch(claim, run.stop))
        try:
            engines.run(flow, store={"path": run.job.path, "epoch": claim.epoch}, engine="serial")
        except taskflow_exceptions.ExecutionFailure as end:
            self._log_end(run, end.__cause__)

    def _log_end(self, run: Run, cause: BaseException | None) -> None:
        run.failure = cause
        if cause is None:
            return
        is_defect = not isinstance(cause, CanaryError)
        log = LOG.debug if run.stop.is_set() and not is_defect else LOG.warning
        log(
            "the watch broke off: %s",
            cause,
            exc_info=cause if is_defect else None,
            extra=run.extra,
        )

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
