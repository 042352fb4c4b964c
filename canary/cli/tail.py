"""``canary tail``: what happens on the boards, as it happens, one line each."""

import argparse
import json
import os
from collections.abc import Mapping
from typing import Final, TextIO

from canary.cli import filters
from canary.cli.command import Command
from canary.cli.following import follow
from canary.cli.lines import Lines
from canary.cli.shown import printable

_EPILOG: Final = """\
Of a change: when, on which board, what, the job's name and uuid, who, and how long the job has
waited and run. Gaps, and boards that become more or less fresh, have lines of their own.

It has no end but Ctrl-C (exit status 130). When the connection is lost a line on standard error
says so; it is made again, and what happened meanwhile is printed then, nothing twice. Where the
server can't tell that, a line says reset. With -f json each event is an object on a line of its
own, as /v2/stream sends them: event, id, data.
"""


class Tail(Command):
    """Print what happens on the boards as it happens, one line each."""

    epilog = _EPILOG

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's own words."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "-f",
            "--format",
            choices=("text", "json"),
            default="text",
            help="lines for people, or one JSON object a line (default: text)",
        )
        parser.add_argument(
            "--color",
            choices=("auto", "always", "never"),
            default="auto",
            help="colours: on a terminal unless NO_COLOR is set, always or never (default: auto)",
        )
        filters.add_options(parser, filters.KIND)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print until somebody stops it."""
        out = self.app.stdout
        is_json = parsed_args.format == "json"
        lines = Lines(is_coloured=wants_colour(parsed_args.color, out, os.environ))
        for event in follow(self.client(), filters.query(parsed_args), self._tell):
            if is_json:
                told = {"event": event.name, "id": event.identity, "data": event.data}
                line: str | None = json.dumps(told)
            else:
                line = lines.line(event)
            if line is not None:
                out.write(f"{line}\n")
                out.flush()
        return 0

    def _tell(self, words: str) -> None:
        self.app.stderr.write(f"canary: {printable(words)}\n")
        self.app.stderr.flush()


def wants_colour(choice: str, out: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether to colour what is written to ``out`` (no-color.org, and no dumb terminal)."""
    if choice != "auto":
        return choice == "always"
    return out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
