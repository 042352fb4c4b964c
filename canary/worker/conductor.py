"""A TaskFlow conductor for watch jobs: it runs many at once, for ever, and does not poll.

It has a watch on Canary's own board, which shows which watch jobs are free. It claims only those,
as many as are its share, and sleeps otherwise. TaskFlow's own conductors try to claim every job
twice a second, and treat a job that ends as done.

Promises: it never consumes or trashes a watch job. It only abandons one, and only as the holder of
the lock of that very claim. There is one run of a watch job at a time. Garbage on the board, a lost
session, a failing store or a failing watch do not end its loop; what failed is tried again with
backoff. If there are two watch jobs for one board, the one posted first is run and the other ended.
Runs beyond its share are ended in good order, for other workers to claim.
"""

import logging
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

from canary.clock import CLOCK, Clock
from canary.errors import CanaryError, ZooKeeperUnavailable
from canary.logs.complaint import Complaint
from canary.registry.jobboard import WatchJobBoard
from canary.registry.registry import Registered, Registry, WatchJob
from canary.worker import watch_flow
from canary.worker.backoff import RETRY_DELAY, Backoffs
from canary.worker.claims import Claim, Claims
from canary.worker.members import Members
from canary.worker.runs import Run
from canary.worker.shares import shares
from canary.zookeeper.node_watch import NodeWatch

LOG = logging.getLogger(__name__)

RELIST_INTERVAL: Final = 30.0  # seconds between reads of the board when nothing wakes it
SETTLE_DELAY: Final = 3.0  # seconds that a share is exceeded before runs are given up
CLAIMS_AT_ONCE: Final = 16
STOP_TIMEOUT: Final = 7.0  # seconds for all watches together to end; the worker has 10


Watch = Callable[[Claim, Event], None]
Looked = Callable[[Registered], None]


class WatchConductor(base.Conductor):
    """Runs ``watch`` for every watch job in its share, until ``stop``.

    ``watch`` is called in a greenlet of its own, with the claim and an event that asks it to
    return. ``looked`` is called with the result of every read of the board; it must not wait.
    """

    def __init__(
        self,
        name: str,
        jobboard: WatchJobBoard,
        watch: Watch,
        looked: Looked,
        max_boards: int,
        clock: Clock = CLOCK,
    ) -> None:
        super().__init__(name, jobboard)
        self._clock = clock
        self._board, self._client = jobboard, jobboard.client
        self._registry = Registry(jobboard.client, jobboard.path)
        self.claims = Claims(jobboard, name)
        self._claiming = BoundedSemaphore(CLAIMS_AT_ONCE)
        self._watch, self._looked = watch, looked
        self._runs: dict[str, Run] = {}
        self._backoffs = Backoffs(clock)
        self._wake, self._stopping, self._dead = Event(), Event(), Event()
        self.members = Members(jobboard, self.ENTITY_KIND, name, max_boards, self._wake.set)
        self._is_fit = True
        self._excessive_since: float | None = None  # by the clock's elapsed()
        self._next_look = 0.0  # the same, if nothing wakes it
        self._failure: Exception | None = None

    @property
    def conductor(self) -> Entity:
        """This conductor's entity. On many machines, TaskFlow's own says ``localhost``."""
        return self.members.entity

    def boards(self) -> list[str]:
        """Return the paths of the boards whose watch jobs are being run."""
        return [run.job.path for run in self._runs.values() if run.claim is not None]

    def set_fit(self, *, is_fit: bool) -> None:
        """Set whether this conductor can do its work, which it can't without its store.

        While it can't, it claims nothing, and its runs are for those workers that can, if there are
        any.
        """
        if is_fit is not self._is_fit:
            LOG.warning(
                "%s",
                "MongoDB answers this worker again; it takes its share of the boards"
                if is_fit
                else "MongoDB does not answer this worker; it leaves its boards to other workers",
            )
            self._is_fit = is_fit
            self._backoffs.forget()
            self._wake.set()

    def stop(self) -> None:
        """Ask ``run`` to abandon its watch jobs and return. Safe in a signal handler."""
        self._stopping.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most ``timeout`` seconds until ``run`` has returned; return whether it has."""
        return bool(self._dead.wait(timeout))

    def run(self, max_dispatches: int | None = None) -> None:  # noqa: ARG002 -- TaskFlow's signature
        """Claim and run watch jobs until ``stop``. Raises what a defect raises."""
        self._dead.clear()
        looking = gevent.spawn(self._loop)
        try:
            self._stopping.wait()
        finally:
            looking.kill()  # it may be waiting for ZooKeeper, and is never inside pymongo
            self.members.close()  # so that others take what is given up now
            self._end_runs()
            self._dead.set()
        if self._failure is not None:
            raise self._failure

    def _loop(self) -> None:
        node = NodeWatch(self._client, self._board.path, self._wake.set)
        unseen = Complaint(LOG, "Canary's own board can't be read, trying again")
        self._wake.set()
        try:
            while True:
                self._clock.wait(self._wake, max(0.0, self._next_look - self._clock.elapsed()))
                self._wake.clear()
                try:
                    if not self._board.connected:
                        self._board.connect(self._client.call_timeout)
                    node.refresh()
                    self._look()
                    unseen.over()
                except CanaryError as error:
                    unseen.say(error)
                    self._next_look = self._clock.elapsed() + RETRY_DELAY
                    self._client.revive()
        except Exception as error:  # noqa: BLE001 -- ``run`` raises it
            self._failure = error
        finally:
            node.close()
            self._stopping.set()

    def _look_in(self, delay: float) -> None:
        """Read the board again in ``delay`` seconds at the latest."""
        self._next_look = min(self._next_look, self._clock.elapsed() + delay)

    def _look(self) -> None:
        """Compare the board with what runs here; start what is free, stop what is gone."""
        self._next_look = self._clock.elapsed() + RELIST_INTERVAL
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
            # If no worker is listed, there is no better place for what runs here. If others are
            # listed, they can work.
            share = 0 if shared else len(running)
        self._give_up(running, len(running) - share)
        free = [job for job in first if job.name not in self._runs and self.claims.may_be_made(job)]
        # Each worker begins at its own place, so that they do not all try to claim the same ones.
        before = sum(count for name, count in shared.items() if name < self.conductor.name)
        place = before % len(free) if free else 0
        self._start(free[place:] + free[:place], share - len(running))
        for job in free:
            if job.claimed and job.name not in self._runs:  # here, by a claim that no run uses
                gevent.spawn(self.claims.give_back, job)

    def _capacities(self) -> dict[str, int]:
        """Return the capacity of each worker that is listed and can work, by its name."""
        if not self._is_fit:
            if not self.members.withdraw():
                self._look_in(RETRY_DELAY)
        elif not self.members.join():
            self._look_in(RETRY_DELAY)
        capacities = self.members.capacities()
        capacities.pop(self.conductor.name, None)  # it may belong to an earlier one of this name
        if self._is_fit:
            capacities[self.conductor.name] = self.members.capacity
        return capacities

    def _first_of_each(self, jobs: tuple[WatchJob, ...]) -> list[WatchJob]:
        """Return for each board the job posted first; end the others."""
        first: dict[str, WatchJob] = {}
        for job in jobs:
            if first.setdefault(job.path, job) is not job:
                extra = {"board": job.path, "job": job.name}
                LOG.warning("removing a second watch job for this board", extra=extra)
                try:
                    self._registry.end(job)
                except CanaryError as error:
                    LOG.warning("the duplicate watch job was not removed: %s", error, extra=extra)
        return list(first.values())

    def _give_up(self, running: list[Run], excess: int) -> None:
        """Stop the runs beyond the share, once it has been exceeded for ``SETTLE_DELAY``."""
        if excess <= 0:
            self._excessive_since = None
            return
        now = self._clock.elapsed()
        if self._excessive_since is None:
            self._excessive_since = now
        left = self._excessive_since + SETTLE_DELAY - now
        if left > 0:
            self._look_in(left)
            return
        LOG.info("giving up %d boards for other workers to watch", excess)
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
            run = self._runs[job.name] = Run(job, self._clock.elapsed())
            gevent.spawn(self._run, run)

    def _run(self, run: Run) -> None:
        """Claim a watch job, run it to its end, abandon it, and schedule its next try."""
        try:
            with self._claiming:
                if not run.stop.is_set():
                    run.claim = self.claims.make(run.job)
            if run.claim is not None:
                LOG.info("watching", extra=run.extra)
                self._dispatch_job(run.claim.held)
                self.claims.abandon(run.claim)
                LOG.info("stopped watching", extra=run.extra)
        except Exception as error:  # noqa: BLE001 -- logged, and the job comes back
            self._log_end(run, error)
        finally:
            del self._runs[run.job.name]
            if run.failure is not None and not run.stop.is_set():
                lasted = self._clock.elapsed() - run.started
                # A watch that ZooKeeper did not answer comes back with ZooKeeper, and no sooner.
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
            "the watch failed: %s",
            cause,
            exc_info=cause if is_defect else None,
            extra=run.extra,
        )

    def _end_runs(self) -> None:
        for run in self._runs.values():
            run.stop.set()
        deadline = self._clock.elapsed() + STOP_TIMEOUT
        while self._runs and self._clock.elapsed() < deadline:
            self._wake.clear()
            self._clock.wait(self._wake, deadline - self._clock.elapsed())
        if self._runs:
            LOG.warning(
                "%d watches did not end within %g s; their locks end with the session",
                len(self._runs),
                STOP_TIMEOUT,
            )
