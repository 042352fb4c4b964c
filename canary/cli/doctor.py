"""``canary doctor``: whether an installation works, and what to do about what does not.

It reads Canary's options as the programs do, and checks ZooKeeper, MongoDB, Cassandra, the boards,
the workers and the server. It ends within ``LIMIT`` and a few seconds, whatever hangs.
"""

import argparse
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from cliff.lister import Lister

from canary.cli.columns import Column, Shown, check_columns
from canary.cli.command import Command

LIMIT: Final = 11.0  # seconds for all checks together; starting and ending take a few more
WIDTH: Final = 120  # characters of a table that is not printed on a terminal
COLUMNS: Final = (Column("check"), Column("status"), Column("finding"), Column("advice"))
FAILED: Final = 1


class Doctor(Lister, Command):
    """Check options, ZooKeeper, MongoDB, Cassandra, boards, workers and server; give advice."""

    epilog = (
        "status is ok, warning (it works, but look at it), failed (it does not work) or skipped.\n"
        "The command only reads. It ends within 15 seconds.\n"
        "Exit status 0: no check failed; 1: a check failed."
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's own arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--config-file",
            action="append",
            default=[],
            dest="config_files",
            metavar="PATH",
            help="read Canary's options from this file, as the other programs do",
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print the findings and return the exit status."""
        super().run(parsed_args)
        status = FAILED if self._diagnosis.has_failed else 0
        if not self._diagnosis.is_over:
            # A check hangs in a library, and a normal exit would wait for the library's threads.
            self.app.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        return status

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """Run all checks and return the columns' names and the rows. Raises UsageError."""
        # No other command needs gevent, kazoo, the stores' drivers and TaskFlow.
        from canary.cli.checks.installation import diagnose  # noqa: PLC0415

        names = check_columns(parsed_args.columns, COLUMNS)
        style = parsed_args.formatter
        if style == "table" and not self.app.stdout.isatty() and not parsed_args.max_width:
            parsed_args.max_width = WIDTH
        access = self.access
        self._diagnosis = diagnose(parsed_args.config_files, os.environ, access, LIMIT)
        self.formatter = Shown(self.formatter, style, COLUMNS, lambda: datetime.now(UTC))
        return names, (
            (row.check, row.finding.status.value, row.finding.words, row.finding.advice)
            for row in self._diagnosis.rows
        )
