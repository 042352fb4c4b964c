"""A command that prints a list from the server, which is read page by page.

A table on a terminal ends after ``SCREEN`` rows; if there are more, a line on standard error says
so. Elsewhere, and with ``--limit 0``, all rows are printed. If there are no rows, lines on standard
error say what may be wrong with the request; on a terminal, one more line says that there are none.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cliff.lister import Lister

from canary.cli import filters
from canary.cli.columns import SHORT, Column, Shown, check_columns
from canary.cli.command import Command
from canary.cli.unregistered import unregistered
from canary.errors import UsageError
from canary.values import whole

if TYPE_CHECKING:
    from canary.cli.client import Client, Query, Rows

SCREEN: Final = 100  # rows


class Listing(Lister, Command):
    """A list. ``resource`` is its name in the API, ``few`` are the columns without ``--long``."""

    resource: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    few: ClassVar[tuple[str, ...]]
    sorts: ClassVar[tuple[str, ...]]
    has_window: ClassVar[bool] = False  # whether it has --window
    more_filters: ClassVar[tuple[filters.Filter, ...]] = ()

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's own arguments."""
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
            help=f"print at most N rows, 0 for all (default: all; {SCREEN} for a table on a"
            " terminal)",
        )
        parser.add_argument(
            "--sort",
            metavar="FIELD[:desc]",
            help=f"sort by one of {', '.join(self.sorts)}",
        )
        if self.has_window:
            parser.add_argument(
                "--window",
                metavar="DURATION",
                help="how far back to count, as in 5m (default: the server's interval)",
            )
        self.add_options(parser)
        filters.add_options(parser, *self.more_filters)
        return parser

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that only this list has."""

    def query(self, options: argparse.Namespace) -> list[tuple[str, str]]:
        """Return the query parameters for ``options``. Raises UsageError."""
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
        """Return the columns' names, and the rows, which are requested as they are printed."""
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
        query = self.query(parsed_args)
        rows = client.rows(self.resource, query, limit or None)
        told = self._told(rows, names, is_cut=is_screen and parsed_args.limit is None)
        return names, self._or_why(told, client, query)

    def why_nothing(self, client: "Client", query: "Query") -> Sequence[str]:
        """Return possible reasons why the request found no rows. Raises Unanswered."""
        return unregistered(client, query)

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Print the rows; on a terminal, say so if there are none. Returns the exit status."""
        if self._is_screen(parsed_args):
            rows = iter(data)
            first = list(islice(rows, 1))
            if not first:
                self.say(f"there are no {self.resource} to show")
                if not parsed_args.print_empty:
                    return 0
            data = chain(first, rows)
        status: int = super().produce_output(parsed_args, column_names, data)
        return status

    def _is_screen(self, parsed_args: argparse.Namespace) -> bool:
        return parsed_args.formatter == "table" and bool(self.app.stdout.isatty())

    def _or_why(
        self, rows: Iterable[tuple[Any, ...]], client: "Client", query: "Query"
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows; if there are none, say why that may be."""
        is_empty = True
        for row in rows:
            is_empty = False
            yield row
        if is_empty:
            for words in self.why_nothing(client, query):
                self.say(words)

    def _told(
        self, rows: "Rows", names: tuple[str, ...], *, is_cut: bool
    ) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            yield tuple(row.get(name) for name in names)
        if is_cut and rows.is_more:
            self.say(f"only the first {SCREEN} rows are shown; --limit N shows more, --limit 0 all")


def _limit(text: str) -> int:
    try:
        return whole(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!a} is not a whole number, 0 or more") from None
