"""A command that prints a list of the server's, read page by page.

A table on a terminal ends after ``SCREEN`` rows, and a line on standard error says so if there are
more; elsewhere, and with ``--limit 0``, all of it is printed. Where there is nothing to print, the
same line says that instead.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cliff.lister import Lister

from canary.cli import filters
from canary.cli.columns import SHORT, Column, Shown, check_columns
from canary.cli.command import Command
from canary.errors import UsageError

if TYPE_CHECKING:
    from canary.cli.client import Rows

SCREEN: Final = 100  # rows


class Listing(Lister, Command):
    """A list. ``resource`` is its name in the API, ``few`` the columns that fit on a screen."""

    resource: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    few: ClassVar[tuple[str, ...]]
    sorts: ClassVar[tuple[str, ...]]
    has_window: ClassVar[bool] = False  # whether it counts what happened within one
    more_filters: ClassVar[tuple[filters.Filter, ...]] = ()

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's own words."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--long",
            action="store_true",
            help=f"print all columns: {', '.join(column.name for column in self.columns)}",
        )
        parser.add_argument(
            "--limit",
            type=_limit,
            metavar="N",
            help=f"print N rows at most, 0 for all (default: all; {SCREEN} on a terminal's table)",
        )
        parser.add_argument(
            "--sort",
            metavar="FIELD[:desc]",
            help=f"have the server sort by one of {', '.join(self.sorts)}",
        )
        if self.has_window:
            parser.add_argument(
                "--window",
                metavar="DURATION",
                help="count what happened so far back, as in 5m (default: the server's interval)",
            )
        self.add_options(parser)
        filters.add_options(parser, *self.more_filters)
        return parser

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add what only this list takes."""

    def query(self, options: argparse.Namespace) -> list[tuple[str, str]]:
        """Return the parameters of the list."""
        asked = filters.query(options)
        if self.has_window and options.window:
            asked.append(("window", options.window))
        if options.sort:
            field, _, direction = options.sort.partition(":")
            if direction not in {"", "asc", "desc"}:
                raise UsageError(
                    f"--sort is {options.sort!a}. Allowed: FIELD, FIELD:asc, FIELD:desc"
                )
            asked.append(("sort", f"-{field}" if direction == "desc" else field))
        return asked

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """Return the columns' names, and the rows, which are asked for as they are printed."""
        style = parsed_args.formatter
        names = check_columns(parsed_args.columns, self.columns)
        if not parsed_args.columns and style in SHORT and not parsed_args.long:
            parsed_args.columns = list(self.few)
            names = (*self.few, *(name for name in names if name not in self.few))
        is_screen = self._is_screen(parsed_args)
        limit = parsed_args.limit
        if limit is None and is_screen:
            limit = SCREEN
        client = self.client()
        self.formatter = Shown(self.formatter, style, self.columns, client.now)
        rows = client.rows(self.resource, self.query(parsed_args), limit or None)
        told = self._told(rows, names, is_cut=is_screen and parsed_args.limit is None)
        return names, told

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Print the rows; say on a terminal that there are none."""
        if self._is_screen(parsed_args):
            rows = iter(data)
            first = list(islice(rows, 1))
            if not first:
                self.app.stderr.write(f"canary: there are no {self.resource} to show\n")
                if not parsed_args.print_empty:
                    return 0
            data = chain(first, rows)
        status: int = super().produce_output(parsed_args, column_names, data)
        return status

    def _is_screen(self, parsed_args: argparse.Namespace) -> bool:
        return parsed_args.formatter == "table" and bool(self.app.stdout.isatty())

    def _told(
        self, rows: "Rows", names: tuple[str, ...], *, is_cut: bool
    ) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            yield tuple(row.get(name) for name in names)
        if is_cut and rows.is_more:
            self.app.stderr.write(
                f"canary: these are the first {SCREEN}; --limit N prints more, --limit 0 all\n"
            )


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!a} is no whole number, 0 or more")
    return int(text)
