"""The command line: `python -m devstack run|install`."""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Sequence

from devstack import leash, run
from devstack.report import say


def main(words: Sequence[str] | None = None) -> int:
    options = _options(words)
    if options.action == "run" and shutil.which(options.command[0]) is None:
        say(f"{options.command[0]}: not found, or not executable")
        return leash.NOT_FOUND
    return asyncio.run(run.run(options))


def _options(words: Sequence[str] | None) -> run.Options:
    parser = argparse.ArgumentParser(
        prog="python -m devstack",
        description="Real ZooKeeper, MongoDB and Cassandra servers for development and tests.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    runs = actions.add_parser(
        "run",
        help="start servers, run a command that is told where they are, end them",
        usage="python -m devstack run [--services NAMES] [--zookeepers N] [--secure] [--keep] "
        "-- COMMAND ...",
    )
    installs = actions.add_parser("install", help="only fetch what is missing")
    for action in (runs, installs):
        action.add_argument(
            "--services",
            type=_services,
            default=run.SERVICES,
            metavar="NAMES",
            help=f"which, separated by commas (default: {','.join(run.SERVICES)})",
        )
    runs.add_argument(
        "--zookeepers",
        type=_count,
        default=1,
        metavar="N",
        help="how many ZooKeeper servers; more than one are a quorum (default: 1)",
    )
    for action in (runs, installs):
        action.add_argument(
            "--secure",
            action="store_true",
            help="servers that ask for TLS with a certificate of the client's, and for a password",
        )
    runs.add_argument("--keep", action="store_true", help="keep the folder with data and logs")
    runs.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    found = parser.parse_args(words)
    if found.action == "install":
        return run.Options("install", found.services, secure=found.secure)
    command = found.command[1:] if found.command[:1] == ["--"] else found.command
    if not command:
        runs.error("COMMAND is missing: what shall run beside the servers?")
    return run.Options(
        "run", found.services, found.zookeepers, found.keep, command, secure=found.secure
    )


def _services(text: str) -> Sequence[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(names) - set(run.SERVICES))
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown) or 'nothing'} is none of {', '.join(run.SERVICES)}"
        )
    return [name for name in run.SERVICES if name in names]


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 9:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 9")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
