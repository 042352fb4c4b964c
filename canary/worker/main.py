"""canary-worker: a TaskFlow conductor that runs watch jobs under gevent until it is stopped.

On SIGTERM, SIGINT, SIGHUP and SIGQUIT it abandons its watch jobs, so that other workers claim them,
and exits with status 0 within 10 seconds. Exit status 1: a server answers but can't be used this
way. Exit status 2: an option is wrong. It waits for a server that does not answer.
"""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 -- nothing may be imported before gevent has patched the standard library
import os

# One process counts for itself, in memory. With these variables, which may have been set for other
# programs, prometheus_client would write to files that several processes share.
for variable in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
    os.environ.pop(variable, None)

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NoReturn

import gevent
from gevent.event import Event
from prometheus_client import CollectorRegistry, ProcessCollector

from canary import signals
from canary.clock import now
from canary.config import Config, load, parser, tls
from canary.errors import CanaryError, ConfigError, StoreUnavailable
from canary.logs import daemon
from canary.logs.complaint import Complaint
from canary.logs.writer import LogWriter
from canary.metrics.endpoint import Endpoint
from canary.metrics.parts import Parts
from canary.metrics.worker import WorkerMetrics
from canary.model.payload.masking import Masker
from canary.observer import NOBODY
from canary.registry.jobboard import WatchJobBoard
from canary.registry.registry import Registered, Registry
from canary.stores.cassandra.checkpoints import CheckpointStore
from canary.stores.mongo.client import connect as connect_mongodb
from canary.stores.mongo.client import ensure_schema
from canary.stores.writing.board_writer import LiveBoard
from canary.stores.writing.stored import of_several
from canary.stores.writing.take import LiveStore
from canary.watchers.agreement import Together
from canary.watchers.context import WatchContext
from canary.watchers.ensemble_clock import EnsembleClock
from canary.watchers.zookeeper.beside import beside
from canary.watchers.zookeeper.board_watch import BoardWatch
from canary.worker.checkpointer import Checkpointer
from canary.worker.claims import Claim
from canary.worker.conductor import WatchConductor
from canary.worker.heartbeat import HEARTBEAT_INTERVAL, Heartbeat
from canary.worker.self_watch import OwnBoard
from canary.worker.unregistered import Unregistered
from canary.zookeeper import Pulse, disconnect
from canary.zookeeper import connect as connect_zookeeper

LOG = logging.getLogger(__name__)

RETRY_DELAY: Final = 2.0  # seconds until MongoDB is tried again
CLOSE_TIMEOUT: Final = 1.0  # seconds for ZooKeeper to confirm the end of the session
WAITING_INTERVAL: Final = 5.0  # seconds between two checks why ZooKeeper does not answer


class Worker:
    """The parts of one canary-worker process, and their common life."""

    def __init__(self, config: Config, log: LogWriter) -> None:
        self._config = config
        self._stopping = Event()
        self._client = connect_zookeeper(config.zookeeper)
        board = WatchJobBoard(config.canary.name, self._client, config.canary.jobboard)
        self.conductor = WatchConductor(
            config.canary.name, board, self._watch, self._looked, config.canary.max_boards
        )
        self._database = connect_mongodb(config.mongo)
        registry = CollectorRegistry()
        metrics = WorkerMetrics(registry) if config.metrics.port else None
        observer = metrics or NOBODY
        self._store = LiveStore(self._database, self.conductor.conductor.name, observer)
        registered = Registry(self._client, config.canary.jobboard)
        self._unregistered = Unregistered(self._store, registered)
        self._context = WatchContext(
            self._client,
            Pulse(self._client),
            config.canary.reconcile_interval,
            ensemble_clock=EnsembleClock(self.conductor.members.ask_time),
            together=Together(partial(of_several, self._database)),
            observer=observer,
            masker=Masker.of(config.canary.mask_keys),
        )
        self._heartbeat = Heartbeat(self._store, self._context, self._of_checkpoints)
        self._own = OwnBoard(self._client, board.path, config.canary.name, self._watch_own)
        self._failure: Exception | None = None
        self._checkpointer: Checkpointer | None = None
        if config.cassandra.enabled:
            self._checkpointer = Checkpointer(
                self._database,
                CheckpointStore(config.cassandra),
                config.cassandra.checkpoint_interval,
                self._boards,
            )
        self._endpoint: Endpoint | None = None
        if metrics is not None:
            tally, claims = self._context.tally, self.conductor.claims
            ProcessCollector(registry=registry)
            registry.register(
                Parts(
                    metrics, self._heartbeat, claims, tally, self._client, self._checkpointer, log
                )
            )
            self._endpoint = Endpoint(config.metrics, registry)

    def stop(self) -> None:
        """Ask ``run`` to return. Only sets flags, so a signal handler may call it."""
        self._stopping.set()
        self._unregistered.wake()
        self._own.stop()
        self.conductor.stop()

    def run(self) -> None:
        """Watch boards until ``stop``.

        Raises StoreRefused if a store can't be used, ConfigError if the metrics can't use their
        port.
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
        # A greenlet that may be inside pymongo is never killed; if it does not end, it is left
        # behind.
        prepared = Event()
        self._spawn(lambda: self._prepare_store(prepared))
        gevent.wait([prepared, self._stopping], count=1)
        if self._stopping.is_set() or not self._await_zookeeper():
            return
        parts = (
            partial(self._context.pulse.run, self._stopping),
            partial(self._context.ensemble_clock.run, self._stopping),
            partial(self._heartbeat.run, self._stopping),
            partial(self._heartbeat.judge, self._set_fit, self._stopping),
            partial(self._unregistered.run, self._stopping),
            partial(self._own.run, self._stopping),
        )
        running = [self._spawn(part) for part in parts]
        if self._checkpointer is not None:
            checkpointer = self._checkpointer
            running.append(self._spawn(lambda: checkpointer.run(self._stopping)))
        try:
            self.conductor.run()
        finally:
            self.stop()
            gevent.joinall(running, timeout=HEARTBEAT_INTERVAL)

    def _spawn(self, part: Callable[[], None]) -> "gevent.Greenlet[..., None]":
        """Run a part of the worker beside the others; if the part fails, the worker ends."""

        def guarded() -> None:
            try:
                part()
            except Exception as error:  # noqa: BLE001 -- ``run`` raises it
                self._failure = self._failure or error
                self.stop()

        greenlet: gevent.Greenlet[..., None] = gevent.spawn(guarded)
        return greenlet

    def _await_zookeeper(self) -> bool:
        """Wait for the first connection to ZooKeeper; return whether there is one."""
        live = self._client.start_async()
        hosts = ",".join(self._config.zookeeper.hosts)
        waiting = Complaint(LOG, f"waiting for ZooKeeper at {hosts}")
        while not gevent.wait([live, self._stopping], count=1, timeout=WAITING_INTERVAL):
            waiting.say(self._client.trouble or "no answer")
        return not self._stopping.is_set()

    def _prepare_store(self, prepared: Event) -> None:
        """Wait for MongoDB, and create its schema."""
        waiting = Complaint(LOG, "waiting for MongoDB")
        while not self._stopping.is_set():
            try:
                ensure_schema(self._database, self._config.mongo)
                self._heartbeat.beat()  # it brings the time, before any time is recorded
            except StoreUnavailable as error:
                waiting.say(str(error))
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
        """Watch one board, for one claim, until ``stop`` is set or the watch can't continue."""
        board = self._store.take(
            claim.job.path, claim.epoch, lambda: self.conductor.claims.holds(claim), now()
        )
        self._follow(self._context, board, stop)

    def _watch_own(self, epoch: int, is_mine: Callable[[], bool], stop: Event) -> None:
        """Watch Canary's own board, which metrics do not count as a watched board."""
        board = self._store.take(self._own.path, epoch, is_mine, now(), is_own=True)
        self._follow(replace(self._context, observer=NOBODY), board, stop)

    def _follow(self, context: WatchContext, board: LiveBoard, stop: Event) -> None:
        """Watch a board that was taken until ``stop`` is set or the watch can't continue."""
        # Before the first round, because that finds znodes of any age.
        context.ensemble_clock.learn()
        watch = BoardWatch(context, board)
        others = beside(context, self._store, board, watch)
        stop.rawlink(lambda _: watch.stop())
        running = [self._spawn(other.run) for other in others]
        self._heartbeat.add(watch)
        try:
            watch.run()
        finally:
            self._heartbeat.remove(watch)
            # Not awaited for long, and never killed: it may be inside pymongo.
            for other in others:
                other.stop()
            gevent.joinall(running, timeout=CLOSE_TIMEOUT)

    def _looked(self, seen: Registered) -> None:
        self._unregistered.looked(seen)

    def _set_fit(self, is_fit: bool) -> None:
        """Leave the boards to others while MongoDB answers them but not this worker."""
        self.conductor.set_fit(is_fit=is_fit)
        self._own.set_fit(is_fit=is_fit)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line ``argv`` and exit with its status."""
    # Everything that matters has ended; cassandra-driver would still wait for a frozen Cassandra.
    os._exit(_run(argv))


def _run(argv: Sequence[str] | None) -> int:
    command = parser("canary-worker", "Watch the boards that canary-producer registered.")
    arguments = command.parse_args(argv)
    try:
        config = load(arguments.config_files)
    except ConfigError as error:
        print(f"canary-worker: {error}", file=sys.stderr)
        return 2
    with daemon.kept(config.log.level, config.log.format) as log:
        try:
            tls.check(config)
            worker = Worker(config, log)
            signals.handle(worker.stop)
            worker.run()
        except CanaryError as error:
            log.write(f"canary-worker: {error}\n")
            return 2 if isinstance(error, ConfigError) else 1
        except Exception:
            LOG.exception("canary-worker stops because of a bug in Canary: please report it")
            return 1
    return 0


if __name__ == "__main__":
    main()
