"""canary-server: the API, the event stream and the dashboard.

It starts and answers whatever is away, says in ``/readyz`` what that is, and recovers when it comes
back. On SIGTERM and SIGINT it ends its event streams and exits within seconds. Exit status 2: an
option is wrong.
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

from canary import logs, tls
from canary.config import Config, load, parser
from canary.errors import CanaryError, ConfigError, UsageError, ZooKeeperUnavailable
from canary.registry import Registry
from canary.server.access import AccessLog
from canary.server.app import create_app
from canary.server.audience import Audience
from canary.server.health import Check, Health
from canary.server.processes import shared_folder
from canary.server.protection import gate, tokens
from canary.server.protection.gate import Gate
from canary.server.resuming import Resuming
from canary.server.serving import Parts, Server
from canary.stores.feed import Feed
from canary.stores.figures import figures
from canary.stores.history import HistoryStore
from canary.stores.mongo import connect as connect_mongodb
from canary.stores.past import Past
from canary.stores.reading import Reading
from canary.zookeeper import Client, ping
from canary.zookeeper import connect as connect_zookeeper


class _ZooKeeper:
    """What the server asks of ZooKeeper, refused at once while there is no connection."""

    def __init__(self, config: Config) -> None:
        self._own = config.canary.jobboard
        self._client: Client = connect_zookeeper(config.zookeeper)
        self._registry = Registry(self._client, config.canary.jobboard)
        self._client.start_async()

    def check(self, timeout: float) -> None:
        """Read something, for real."""
        self._check_connected()
        ping(self._client, timeout)

    def is_registered(self, path: str) -> bool:
        """Tell whether ``path`` is watched: somebody registered it, or it is Canary's own board."""
        if path == self._own:
            return True
        self._check_connected()
        return self._registry.is_registered(path)

    def _check_connected(self) -> None:
        if not self._client.connected:
            self._client.revive()
            trouble = self._client.trouble or "is it up, and is [zookeeper] hosts right?"
            raise ZooKeeperUnavailable(f"There is no connection to ZooKeeper: {trouble}")


def make_parts(config: Config, guarded: Gate, folder: Path) -> Parts:
    """Make what one process needs. Nothing here waits for a server.

    ``folder`` is where all processes keep what they count.
    """
    # Not before the folder is there, and only in the processes that serve: see processes.py.
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    from canary.metrics.boards import Boards  # noqa: PLC0415
    from canary.metrics.server import ServerMetrics  # noqa: PLC0415

    keeps = timedelta(seconds=min(config.mongo.change_ttl, config.mongo.ended_job_ttl))
    database = connect_mongodb(config.mongo)
    reading = Reading(database, keeps, config.canary.jobboard)
    metrics = ServerMetrics(CollectorRegistry(), Boards(partial(figures, database)), folder)
    audience = Audience(config.server.max_streams, metrics)
    resuming = Resuming(audience, partial(Past, database))
    feed = Feed(database, reading, audience)
    zookeeper = _ZooKeeper(config)
    checks: dict[str, Check] = {"zookeeper": zookeeper.check}
    if config.cassandra.enabled:
        # Making the schema is the workers' task.
        history = HistoryStore(replace(config.cassandra, create_schema=False))
        checks["cassandra"] = history.ping
    health = Health(reading, checks)
    app = create_app(config, reading, resuming, health, zookeeper, guarded, metrics)
    feed.start()

    def stop() -> None:
        audience.is_ending = True
        feed.end()

    return Parts(app, stop)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` and return the exit status."""
    command = parser("canary-server", "Serve Canary's API, its event stream and its dashboard.")
    command.add_argument(
        "--make-token",
        metavar="NAME",
        help="print a new token, and the line for [auth] bearer_file that lets it in; then end",
    )
    arguments = command.parse_args(argv)
    try:
        if arguments.make_token is not None:
            token, line = tokens.make(arguments.make_token)
            print(f"the token, shown only now: {token}\nits line in the file: {line}")
            return 0
        config = load(arguments.config_files)
        logs.setup(config.log.level, config.log.format)
        # Both here, where they can refuse, and not in each process.
        tls.check(config)
        guarded = gate.make(config)
        with shared_folder() as folder:
            access = AccessLog(config.log.requests == "all")
            Server(config.server, access, lambda: make_parts(config, guarded, folder)).run()
    except (ConfigError, UsageError) as error:
        print(f"canary-server: {error}", file=sys.stderr)
        return 2
    except CanaryError as error:
        print(f"canary-server: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
