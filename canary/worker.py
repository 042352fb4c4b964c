"""canary-worker: a TaskFlow conductor that runs watch jobs under gevent until it is told to stop.

On SIGTERM and SIGINT it abandons its watch jobs, so that another worker takes them up, and exits
with status 0 within 10 seconds. Exit status 1: a server is there but can't be used so; 2: an option
is wrong. A server that does not answer is waited for.
"""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 -- nothing may be imported before gevent has patched the standard library
import os

# One process counts for itself, in memory. With these prometheus_client would take to files, where
# several share what they count: as an environment may say that was made for other programs.
for variable in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
    os.environ.pop(variable, None)

import logging
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NoReturn

import gevent
from gevent.event import Event
from prometheus_client import CollectorRegistry, ProcessCollector

from canary import logs, tls
from canary.checkpoints import Checkpointer
from canary.claims import Claim
from canary.clock import now
from canary.conductor import WatchConductor
from canary.config import Config, load, parser
from canary.errors import (
    CanaryError,
    ConfigError,
    StoreUnavailable,
)
from canary.heartbeat import HEARTBEAT_INTERVAL, Heartbeat
from canary.jobboard import WatchJobBoard
from canary.metrics.endpoint import Endpoint
from canary.metrics.parts import Parts
from canary.metrics.worker import WorkerMetrics
from canary.observer import NOBODY
from canary.own_board import OwnBoard
from canary.registry import Registered, Registry
from canary.stores.history import HistoryStore
from canary.stores.live import LiveStore
from canary.stores.mongo import connect as connect_mongodb
from canary.stores.mongo import ensure_schema
from canary.stores.stored import of_several
from canary.stores.writer import LiveBoard
from canary.watchers.board import BoardWatch
from canary.watchers.conductors import ConductorsWatch
from canary.watchers.context import WatchContext
from canary.watchers.together import Together
from canary.zookeeper import Pulse, disconnect
from canary.zookeeper import connect as connect_zookeeper

LOG = logging.getLogger(__name__)

FIT_LIMIT: Final = 5.0  # seconds without a heartbeat until the boards are left to others
RETRY_DELAY: Final = 2.0  # seconds until MongoDB is tried again
CLOSE_TIMEOUT: Final = 1.0  # seconds for ZooKeeper to answer that the session is closed
WAITING_INTERVAL: Final = 5.0  # seconds between two log lines that say so of ZooKeeper


class Worker:
    """The parts of one canary-worker process, and their life together."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stopping = Event()
        self._client = connect_zookeeper(config.zookeeper)
        board = WatchJobBoard(config.canary.name, self._client, config.canary.jobboard)
        self._registry = Registry(self._client, config.canary.jobboard)
        self.conductor = WatchConductor(
            config.canary.name, board, self._watch, self._looked, config.canary.max_boards
        )
        self._database = connect_mongodb(config.mongo)
        registry = CollectorRegistry()
        metrics = WorkerMetrics(registry) if config.metrics.port else None
        observer = metrics or NOBODY
        self._store = LiveStore(self._database, self.conductor.conductor.name, observer)
        self._context = WatchContext(
            self._client,
            Pulse(self._client),
            config.canary.reconcile_interval,
            together=Together(partial(of_several, self._database)),
            observer=observer,
        )
        self._heartbeat = Heartbeat(self._store, self._context, self._of_checkpoints)
        self._own = OwnBoard(self._client, board.path, config.canary.name, self._watch_own)
        self._seen: Registered | None = None
        self._seen_anew = Event()
        self._failure: Exception | None = None
        self._checkpointer: Checkpointer | None = None
        if config.cassandra.enabled:
            self._checkpointer = Checkpointer(
                self._database,
                HistoryStore(config.cassandra),
                config.cassandra.checkpoint_interval,
                self._boards,
            )
        self._endpoint: Endpoint | None = None
        if metrics is not None:
            tally, claims = self._context.tally, self.conductor.claims
            ProcessCollector(registry=registry)
            registry.register(
                Parts(metrics, self._heartbeat, claims, tally, self._client, self._checkpointer)
            )
            self._endpoint = Endpoint(config.metrics, registry)

    def stop(self) -> None:
        """Ask ``run`` to return. Only sets flags, so a signal handler may call it."""
        self._stopping.set()
        self._seen_anew.set()
        self._own.stop()
        self.conductor.stop()

    def run(self) -> None:
        """Watch boards until ``stop``.

        Raises StoreRefused where a store can't be used, ConfigError where the metrics have no port.
        """
        try:
            if self._endpoint is not None:
                self._endpoint.start()
            self._run()
        finally:
            if self._endpoint is not None:
                self._endpoint.stop()
            disconnect(self._client, CLOSE_TIMEOUT)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        # What may be inside pymongo is never killed; where it does not end, it is left behind.
        prepared = Event()
        self._spawn(lambda: self._prepare_store(prepared))
        gevent.wait([prepared, self._stopping], count=1)
        if self._stopping.is_set() or not self._await_zookeeper():
            return
        parts = (
            partial(self._context.pulse.run, self._stopping),
            partial(self._heartbeat.run, self._stopping),
            self._judge_fitness,
            self._note_removed,
            partial(self._own.run, self._stopping),
        )
        beside = [self._spawn(part) for part in parts]
        if self._checkpointer is not None:
            checkpointer = self._checkpointer
            beside.append(self._spawn(lambda: checkpointer.run(self._stopping)))
        try:
            self.conductor.run()
        finally:
            self.stop()
            gevent.joinall(beside, timeout=HEARTBEAT_INTERVAL)

    def _spawn(self, part: Callable[[], None]) -> "gevent.Greenlet[..., None]":
        """Run a part of the worker beside the others; if it fails, the worker ends."""

        def guarded() -> None:
            try:
                part()
            except Exception as error:  # noqa: BLE001 -- ``run`` raises it
                self._failure = self._failure or error
                self.stop()

        greenlet: gevent.Greenlet[..., None] = gevent.spawn(guarded)
        return greenlet

    def _await_zookeeper(self) -> bool:
        """Wait for the first connection to ZooKeeper; tell whether it is there."""
        live = self._client.start_async()
        while not gevent.wait([live, self._stopping], count=1, timeout=WAITING_INTERVAL):
            hosts, trouble = ",".join(self._config.zookeeper.hosts), self._client.trouble
            LOG.warning("waiting for ZooKeeper at %s: %s", hosts, trouble or "no answer")
        return not self._stopping.is_set()

    def _prepare_store(self, prepared: Event) -> None:
        """Make MongoDB's schema, waiting for MongoDB."""
        while not self._stopping.is_set():
            try:
                ensure_schema(self._database, self._config.mongo)
                self._heartbeat.beat()  # from which the time is known, before any is noted
            except StoreUnavailable as error:
                LOG.warning("waiting for MongoDB: %s", error)
                self._stopping.wait(RETRY_DELAY)
            else:
                prepared.set()
                return

    def _of_checkpoints(self) -> dict[str, object]:
        return {"checkpoints": self._checkpointer.told() if self._checkpointer else None}

    def _boards(self) -> list[str]:
        """Return the paths of all boards that are watched here."""
        return self.conductor.boards() + [self._own.path] * self._own.is_watching

    def _watch(self, claim: Claim, stop: Event) -> None:
        """Watch one board, for one claim, until ``stop`` is set or the watch can't go on."""
        board = self._store.take(
            claim.job.path, claim.epoch, lambda: self.conductor.claims.holds(claim), now()
        )
        self._follow(self._context, board, stop)

    def _watch_own(self, epoch: int, is_mine: Callable[[], bool], stop: Event) -> None:
        """Do the same for Canary's own board, which no figure counts among the watched ones."""
        board = self._store.take(self._own.path, epoch, is_mine, now(), is_own=True)
        self._follow(replace(self._context, observer=NOBODY), board, stop)

    def _follow(self, context: WatchContext, board: LiveBoard, stop: Event) -> None:
        """Watch a board that was taken until ``stop`` is set or the watch can't go on."""
        watch = BoardWatch(context, board)
        conductors = ConductorsWatch(self._client, board.path, board.conductors.show)
        stop.rawlink(lambda _: watch.stop())
        beside = self._spawn(conductors.run)
        self._heartbeat.add(watch)
        try:
            watch.run()
        finally:
            self._heartbeat.remove(watch)
            # Not awaited for long, and never killed: it may be inside pymongo.
            conductors.stop()
            beside.join(timeout=CLOSE_TIMEOUT)

    def _looked(self, seen: Registered) -> None:
        self._seen = seen
        self._seen_anew.set()

    def _note_removed(self) -> None:
        """Note in the store which boards are registered no longer, once a change of them."""
        noted: frozenset[str] | None = None
        while not self._stopping.is_set():
            self._seen_anew.wait()
            self._seen_anew.clear()
            seen = self._seen
            if seen is None or seen.stat is None:
                continue
            paths = frozenset(job.path for job in seen.jobs)
            if paths == noted:
                continue
            try:
                self._store.forget_all_but(paths, self._registry.paths, now())
            except CanaryError as error:
                LOG.warning("what was removed is not noted yet: %s", error)
                self._stopping.wait(RETRY_DELAY)
                self._seen_anew.set()
            else:
                noted = paths

    def _judge_fitness(self) -> None:
        """Leave the boards to others while MongoDB answers them and not this worker."""
        while not self._stopping.wait(HEARTBEAT_INTERVAL):
            is_fit = self._heartbeat.age() < FIT_LIMIT
            self.conductor.set_fit(is_fit=is_fit)
            self._own.set_fit(is_fit=is_fit)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line ``argv`` and exit with its status."""
    status = _run(argv)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # All that matters has ended; cassandra-driver would still wait for a frozen Cassandra.
    os._exit(status)


def _run(argv: Sequence[str] | None) -> int:
    command = parser("canary-worker", "Watch the boards that canary-producer registered.")
    arguments = command.parse_args(argv)
    try:
        config = load(arguments.config_files)
        logs.setup(config.log.level, config.log.format)
        tls.check(config)
        worker = Worker(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, worker.stop)
        worker.run()
    except ConfigError as error:
        print(f"canary-worker: {error}", file=sys.stderr)
        return 2
    except CanaryError as error:
        print(f"canary-worker: {error}", file=sys.stderr)
        return 1
    except Exception:
        LOG.exception("canary-worker ends: a defect, please report it")
        return 1
    return 0


if __name__ == "__main__":
    main()
