"""The program ``canary``: shows what a canary-server knows, and checks an installation.

All commands have the same exit statuses (``STATUSES``). An error is one line on standard error;
with ``--debug``, its traceback follows.
"""

import argparse
import inspect
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from cliff.app import App
from cliff.commandmanager import CommandManager
from cliff.help import HelpExit

from canary import terminal
from canary.cli import access
from canary.cli.builtin import Complete, Help
from canary.cli.command import Parser
from canary.cli.errors import NotFound
from canary.cli.shown import printable
from canary.errors import ConfigError, UsageError

LOG: Final = logging.getLogger("canary.cli")

FAILED: Final = 1
WRONG_USAGE: Final = 2
NOT_FOUND: Final = 3
CLOSED_PIPE: Final = 141  # what a shell reports for a program that SIGPIPE ended

STATUSES: Final = """\
exit status:
  0    done; doctor: no check failed
  1    the request to the server failed; doctor: a check failed
  2    wrong command, option or value
  3    there is no such job
  130  ended by Ctrl-C (the usual end of tail)
  141  the reader of the output has closed it, as head does
"""


class Canary(App):  # type: ignore[misc,unused-ignore]
    """The program."""

    NAME = "canary"
    LOG = LOG

    def __init__(self) -> None:
        self._failure: BaseException | None = None
        super().__init__(
            "Show what happens on TaskFlow jobboards. The data comes from a canary-server.",
            version("canary-monitor"),
            CommandManager("canary.cli"),
            deferred_help=True,
        )
        self.command_manager.add_command("help", Help)
        self.command_manager.add_command("complete", Complete)

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, Any] | None = None,
    ) -> argparse.ArgumentParser:
        """Return the parser of the global options, which may come before or after a command."""
        parser = Parser(
            prog=self.NAME,
            usage=f"{self.NAME} [options] COMMAND ...",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
            **(argparse_kwargs or {}),
        )
        parser.add_argument(
            "-h",
            "--help",
            dest="deferred_help",
            action="store_true",
            help="show this help message and exit",
        )
        parser.add_argument("--version", action="version", version=f"{self.NAME} {version}")
        parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
        access.add_options(parser)
        return parser

    def configure_logging(self) -> None:
        """Send canary's own errors to standard error; libraries log nothing."""
        handler = logging.StreamHandler(self.stderr)
        handler.setFormatter(_OneLine())
        LOG.handlers[:] = [handler]
        LOG.propagate = False
        LOG.setLevel(logging.WARNING)
        logging.getLogger().addHandler(logging.NullHandler())

    def initialize_app(self, argv: list[str]) -> None:
        """Exit with an error if there is no command: cliff would start an interactive shell."""
        if not argv and not self.options.deferred_help:
            self.parser.error("no command is given")

    def print_help_if_requested(self) -> None:
        """Print help if it is asked for without a command."""
        if self.options.deferred_help:
            commands = (
                f"  {name:<12}  {(inspect.getdoc(entry.load()) or '').partition(chr(10))[0]}"
                for name, entry in sorted(self.command_manager)
            )
            self.parser.epilog = "\n".join(["commands:", *commands, "", STATUSES])
            self.parser.print_help(self.stdout)
            raise HelpExit(0)

    def run_subcommand(self, argv: list[str]) -> int:
        """Run a command and return the exit status."""
        self._failure = None
        try:
            self.command_manager.find_command(argv)
        except ValueError:
            self.parser.error(f"there is no command {argv[0]!a}{self._near(argv[0])}")
        status: int = super().run_subcommand(argv)
        return status if self._failure is None else _status(self._failure)

    def _near(self, word: str) -> str:
        """Return a hint: all commands that begin with ``word``, or else the most similar one."""
        begun = sorted(name for name, _ in self.command_manager if name.startswith(word))
        *others, last = begun or self.get_fuzzy_matches(word)[:1] or [""]
        names = f"{', '.join(others)} or {last}" if others else last
        return f" (did you mean {names}?)" if names else ""

    def clean_up(self, cmd: Any, result: int, err: BaseException | None) -> None:  # noqa: ARG002
        """Close what a command opened, and record the error that it failed with."""
        self._failure = err
        cmd.close()


class _OneLine(logging.Formatter):
    """Writes an error as one line that can't control a terminal; a traceback's lines follow."""

    def format(self, record: logging.LogRecord) -> str:
        lines = [f"canary: {printable(' '.join(record.getMessage().split()))}"]
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            lines += [f"    {printable(line)}" for line in trace.splitlines()]
        return "\n".join(lines)


def _status(error: BaseException) -> int:
    if isinstance(error, UsageError | ConfigError):
        return WRONG_USAGE
    return NOT_FOUND if isinstance(error, NotFound) else FAILED


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` and return the exit status."""
    terminal.accept_any()
    status = Canary().run(list(sys.argv[1:] if argv is None else argv))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = CLOSED_PIPE
    if status == CLOSED_PIPE:
        # Python flushes its streams at exit; that must not fail, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


if __name__ == "__main__":
    sys.exit(main())
