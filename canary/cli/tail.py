"""``canary tail``: what happens on the boards, as it happens, one line each."""

import argparse
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, TextIO

from canary.cli import filters
from canary.cli.command import Command
from canary.cli.errors import Unanswered
from canary.cli.following import follow
from canary.cli.lines import Lines
from canary.cli.unregistered import unregistered

_EPILOG: Final = """\
The line of a change shows when it happened, on which board, what, the job's name and uuid, who,
and how long the job has waited and run. Gaps and changes of freshness have lines of their own.

tail runs until Ctrl-C (exit status 130). When the connection is lost, a line on standard error
says so. tail connects again and prints what happened meanwhile, nothing twice. If the server no
longer knows that, a line says reset. With -f json, each event is an object on one line, as
/v2/stream sends it: event, id, data.
"""


class Tail(Command):
    """Print what happens on the boards, as it happens."""

    epilog = _EPILOG

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's own arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "-f",
            "--format",
            choices=("text", "json"),
            default="text",
            help="lines for people, or one JSON object per line (default: text)",
        )
        parser.add_argument(
            "--color",
            choices=("auto", "always", "never"),
            default="auto",
            help="colours: auto means on a terminal, unless NO_COLOR is set (default: auto)",
        )
        filters.add_options(parser, filters.KIND)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print events until the program is stopped."""
        out = self.app.stdout
        is_json = parsed_args.format == "json"
        lines = Lines(is_coloured=wants_colour(parsed_args.color, out, os.environ))
        client, query = self.client(), filters.query(parsed_args)
        with suppress(Unanswered):  # ``follow`` reports it, if it lasts
            for words in unregistered(client, query):
                self.say(words)
        for event in follow(client, query, self.say):
            if is_json:
                told = {"event": event.name, "id": event.identity, "data": event.data}
                line: str | None = json.dumps(told)
            else:
                line = lines.line(event)
            if line is not None:
                out.write(f"{line}\n")
                out.flush()
        return 0


def wants_colour(choice: str, out: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether to colour the output to ``out``.

    ``auto`` is yes on a terminal that is not dumb, unless NO_COLOR is set (no-color.org).
    """
    if choice != "auto":
        return choice == "always"
    return out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
