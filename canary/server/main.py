"""canary-server: the API, the event stream and the dashboard.

It starts and answers whichever servers are away, names these in ``/readyz``, and recovers when they
are back. On SIGTERM, SIGINT and SIGQUIT it ends its event streams and exits within seconds. On
SIGHUP it replaces its worker processes one by one. Exit status 2 means that an option is wrong.
"""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 -- nothing may be imported before gevent has patched the standard library
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import gevent

from canary import terminal
from canary.config import Config, load, parser, tls
from canary.errors import CanaryError, ConfigError, UsageError, ZooKeeperUnavailable
from canary.logs import daemon
from canary.logs.writer import LogWriter
from canary.registry.registry import Registry
from canary.server.app import create_app
from canary.server.auth import tokens
from canary.server.health import Check, Health
from canary.server.http.access_log import AccessLog
from canary.server.http.metrics_folder import shared_folder
from canary.server.http.server import Parts, Server
from canary.server.protection import gate
from canary.server.protection.gate import Gate
from canary.server.stream.broadcaster import Broadcaster
from canary.server.stream.resume import Resumption
from canary.stores.cassandra.checkpoints import CheckpointStore
from canary.stores.changestream.follow import Feed
from canary.stores.changestream.replay import Replay
from canary.stores.mongo.client import check as check_mongodb
from canary.stores.mongo.client import connect as connect_mongodb
from canary.stores.queries.jobs_at import Queries
from canary.stores.queries.metrics import figures
from canary.zookeeper import Client, ping
from canary.zookeeper import connect as connect_zookeeper

if TYPE_CHECKING:
    from canary.metrics.server import ServerMetrics

COUNT_INTERVAL: Final = 1.0  # seconds between two updates of the number of dropped log lines


class _ZooKeeper:
    """The server's requests to ZooKeeper. While there is no connection, they fail at once."""

    def __init__(self, config: Config) -> None:
        self._own = config.canary.jobboard
        self._client: Client = connect_zookeeper(config.zookeeper)
        self._registry = Registry(self._client, config.canary.jobboard)
        self._client.start_async()

    def check(self, timeout: float) -> None:
        """Send a real read request. Raises ZooKeeperUnavailable if there is no connection."""
        self._check_connected()
        ping(self._client, timeout)

    def is_registered(self, path: str) -> bool:
        """Return whether ``path`` is a registered board, or Canary's own board."""
        if path == self._own:
            return True
        self._check_connected()
        return self._registry.is_registered(path)

    def _check_connected(self) -> None:
        if not self._client.connected:
            self._client.revive()
            trouble = self._client.trouble or "check that it runs, and check [zookeeper] hosts"
            raise ZooKeeperUnavailable(f"There is no connection to ZooKeeper: {trouble}")


def make_parts(config: Config, guarded: Gate, folder: Path, log: LogWriter) -> Parts:
    """Make the parts of one worker process, without waiting for any server.

    ``folder`` is where all worker processes keep their metrics.
    """
    # Import these only when the folder exists, in worker processes only: see metrics_folder.py.
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    from canary.metrics.boards import Boards  # noqa: PLC0415
    from canary.metrics.server import ServerMetrics  # noqa: PLC0415

    keeps = timedelta(seconds=min(config.mongo.change_ttl, config.mongo.ended_job_ttl))
    database = connect_mongodb(config.mongo)
    queries = Queries(database, keeps, config.canary.jobboard)
    metrics = ServerMetrics(CollectorRegistry(), Boards(partial(figures, database)), folder)
    broadcaster = Broadcaster(config.server.max_streams, metrics)
    resumption = Resumption(broadcaster, partial(Replay, database))
    feed = Feed(database, queries, broadcaster)
    zookeeper = _ZooKeeper(config)
    checks: dict[str, Check] = {"zookeeper": zookeeper.check}
    if config.cassandra.enabled:
        # Creating the schema is canary-worker's task.
        history = CheckpointStore(replace(config.cassandra, create_schema=False))
        checks["cassandra"] = history.ping
    health = Health(queries, checks)
    app = create_app(config, queries, resumption, health, zookeeper, guarded, metrics)
    feed.start()
    gevent.spawn(broadcaster.judge)
    gevent.spawn(_count_lost_lines, metrics, log)

    def stop() -> None:
        broadcaster.is_ending = True
        feed.end()

    return Parts(app, stop, guarded.foresee)


def _count_lost_lines(metrics: "ServerMetrics", log: LogWriter) -> None:
    while True:
        metrics.lost_lines(log.dropped)
        gevent.sleep(COUNT_INTERVAL)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` and return the exit status."""
    terminal.accept_any()
    command = parser("canary-server", "Serve Canary's API, its event stream and its dashboard.")
    command.add_argument(
        "--make-token",
        metavar="NAME",
        help="print a new token and its line for [auth] bearer_file, and exit",
    )
    arguments = command.parse_args(argv)
    try:
        if arguments.make_token is not None:
            token, line = tokens.make(terminal.redecoded(arguments.make_token))
            print(f"the token, shown only once: {token}\nits line in the file: {line}")
            return 0
        config = load(arguments.config_files)
    except (ConfigError, UsageError) as error:
        print(f"canary-server: {error}", file=sys.stderr)
        return 2
    with daemon.kept(config.log.level, config.log.format) as log:
        try:
            _serve(config, log)
        except CanaryError as error:
            log.write(f"canary-server: {error}\n")
            return 2 if isinstance(error, ConfigError | UsageError) else 1
    return 0


def _serve(config: Config, log: LogWriter) -> None:
    # Check these here, where an error ends the program, and not in each worker process.
    tls.check(config)
    check_mongodb(config.mongo)
    guarded = gate.make(config)
    with shared_folder() as folder:
        access = AccessLog(config.log.requests == "all")
        Server(config.server, access, lambda: make_parts(config, guarded, folder, log)).run()


if __name__ == "__main__":
    sys.exit(main())
