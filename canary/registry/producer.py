"""canary-producer: which boards are watched.

    canary-producer add PATH…      watch these boards
    canary-producer remove PATH…   stop watching these boards
    canary-producer list           list the boards that are watched
    canary-producer                add the boards of [canary] path that are not watched yet

Exit status: 0 done, 1 failed (the message says what to do), 2 wrong command or option, 128 and the
signal's number if a signal ended it.
"""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 -- nothing may be imported before gevent has patched the standard library
import argparse
import json
import logging
import sys
from collections.abc import Sequence
from typing import Final

from canary import signals, terminal
from canary.config import Config, load, parser
from canary.errors import CanaryError, ConfigError, UsageError, ZooKeeperUnavailable
from canary.logs import output
from canary.registry.jobboard import Registrar, WatchJobBoard
from canary.registry.registry import Registry
from canary.zookeeper import connect, disconnect

CLOSE_TIMEOUT: Final = 3.0  # seconds for ZooKeeper to confirm the end of the session


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` and return the exit status."""
    terminal.accept_any()
    arguments = _parser().parse_args(argv)
    if arguments.word in {"add", "remove"}:
        arguments.paths = [terminal.redecoded(path) for path in arguments.paths]
    try:
        config = load(arguments.config_files)
        output.setup(config.log.level, config.log.format)
        if config.log.level != "DEBUG":
            # kazoo warns at every try; the one error message at the end says why none succeeded.
            logging.getLogger("kazoo").setLevel(logging.ERROR)
        signals.exit_at_once()
        return _run(config, arguments)
    except (ConfigError, UsageError) as error:
        print(f"canary-producer: {error}", file=sys.stderr)
        return 2
    except CanaryError as error:
        print(f"canary-producer: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    command = parser(
        "canary-producer",
        "Set which TaskFlow jobboards Canary watches. Without a command, add the boards of"
        " [canary] path that are not watched yet, for example from cron.",
    )
    words = command.add_subparsers(dest="word", metavar="add | remove | list")
    for word, text in (
        ("add", "watch these boards; a board does not have to exist yet"),
        ("remove", "stop watching these boards"),
    ):
        sub = words.add_parser(word, help=text, description=text.capitalize() + ".")
        sub.add_argument("paths", nargs="+", metavar="PATH", help="the full path of a board")
    listing = words.add_parser("list", help="list the boards that are watched")
    listing.add_argument(
        "-f", "--format", choices=("text", "json"), default="text", help="(default: text)"
    )
    return command


def _run(config: Config, arguments: argparse.Namespace) -> int:
    client = connect(config.zookeeper)
    board = WatchJobBoard("canary-producer", client, config.canary.jobboard)
    registry = Registrar(board)
    if arguments.word in {"add", "remove"}:
        registry.check(arguments.paths)  # wrong arguments are refused without a connection
    elif arguments.word is None:
        registry.check(config.canary.path)
    try:
        if not client.start_async().wait(config.zookeeper.call_timeout):
            raise ZooKeeperUnavailable(
                f"ZooKeeper at {','.join(config.zookeeper.hosts)} does not answer within"
                f" {config.zookeeper.call_timeout:g} s: {client.trouble or 'no answer'}; check that"
                " ZooKeeper runs there, and that [zookeeper] hosts is right"
            )
        match arguments.word:
            case "add":
                _add(registry, arguments.paths)
            case "remove":
                _remove(registry, arguments.paths)
            case "list":
                _list(registry, arguments.format)
            case _:
                if not config.canary.path:
                    raise UsageError(
                        "[canary] path is empty; set it, or use canary-producer add PATH"
                    )
                _add(registry, config.canary.path)
    finally:
        disconnect(client, CLOSE_TIMEOUT)
    return 0


def _add(registry: Registrar, paths: Sequence[str]) -> None:
    added = registry.add(paths)
    for path in dict.fromkeys(paths):
        print(f"{output.escaped(path)}: {'added' if path in added else 'is watched already'}")


def _remove(registry: Registry, paths: Sequence[str]) -> None:
    removed = registry.remove(paths)
    for path in dict.fromkeys(paths):
        print(f"{output.escaped(path)}: {'removed' if path in removed else 'was not watched'}")


def _list(registry: Registry, form: str) -> None:
    jobs = {job.path: job for job in reversed(registry.look().jobs)}
    rows = [jobs[path] for path in sorted(jobs)]
    if form == "json":
        print(
            json.dumps(
                [{"path": job.path, "uuid": job.uuid, "claimed": job.claimed} for job in rows],
                indent=2,
            )
        )
    else:
        for job in rows:
            print(output.escaped(job.path))


if __name__ == "__main__":
    sys.exit(main())
