"""``canary job UUID``: one job, its payload, and all that happened to it."""

import argparse
import json
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from cliff.show import ShowOne

from canary.cli import shown
from canary.cli.columns import Column, Shown, check_columns, moment, seconds, text, times
from canary.cli.command import Command
from canary.cli.errors import NotFound


class Job(ShowOne, Command):
    """Show one job: what it is, what its payload holds, and all that happened to it."""

    words = "[options] UUID"
    epilog = "Exit status 3: there is no such job, on no board and not among those ended lately."

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's own words."""
        parser = super().get_parser(prog_name)
        parser.add_argument("uuid", metavar="UUID", help="the job's uuid")
        parser.add_argument(
            "--path", metavar="PATH", help="its board, where several have a job of that uuid"
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Return the fields and their values."""
        names = check_columns(parsed_args.columns, COLUMNS)
        client = self.client()
        query = [("path", parsed_args.path)] if parsed_args.path else []
        where = f"/v2/jobs/{quote(parsed_args.uuid, safe='')}"
        told = client.get(where, query, statuses=(404,))
        job = told.get("job")
        if not isinstance(job, dict):
            raise NotFound(
                f"There is no job {parsed_args.uuid!a} on a board or among those that ended lately;"
                " canary jobs --search finds one by a part of its uuid"
            )
        self.formatter = Shown(self.formatter, parsed_args.formatter, COLUMNS, client.now)
        fields = {**job, **told}
        return names, tuple(fields.get(name) for name in names)


def _timeline(value: Any, now: datetime) -> str:
    """Show what happened to a job, one line each."""
    if not isinstance(value, list):
        return text(value, now)
    return "\n".join(_happened(change, now) for change in value if isinstance(change, dict))


def _happened(change: dict[str, Any], now: datetime) -> str:
    told = shown.parsed(str(change.get("at") or change.get("seen_at")))
    words = [shown.day(told) if told else shown.NOTHING, text(change.get("kind"), now)]
    if change.get("owner"):
        words.append(f"by {text(change['owner'], now)}")
    return "  ".join([*words, *times(change)])


def _others(value: Any, now: datetime) -> str:
    """Show where else there is a job of that uuid."""
    if not isinstance(value, list):
        return text(value, now)
    found = [each for each in value if isinstance(each, dict)]
    places = (f"{text(each.get('path'), now)}/{text(each.get('znode'), now)}" for each in found)
    return "\n".join(places) or shown.NOTHING


def _pretty(value: Any, now: datetime) -> str:
    """Show an object as indented JSON, which is ASCII: nothing in it steers a terminal."""
    return json.dumps(value, indent=1) if isinstance(value, dict | list) else text(value, now)


COLUMNS: Final = (
    *(Column("uuid"), Column("name"), Column("path"), Column("znode"), Column("state")),
    *(Column("outcome"), Column("owner"), Column("priority")),
    *(Column("posted_at", moment), Column("since", moment)),
    *(Column("claimed_at", moment), Column("ended_at", moment)),
    *(Column("age", seconds), Column("waiting", seconds), Column("running", seconds)),
    *(Column("claims"), Column("malformed"), Column("excerpt"), Column("details", _pretty)),
    *(Column("book", _pretty), Column("size"), Column("sha256"), Column("truncated")),
    *(Column("revision"), Column("changes", _timeline), Column("others", _others)),
)
