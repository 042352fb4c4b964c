"""``canary job UUID``: one job, its payload, and everything that happened to it."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cliff.show import ShowOne

from canary.cli import edits, shown
from canary.cli.columns import (
    SHORT,
    Column,
    Shown,
    check_columns,
    moment,
    plain,
    seconds,
    text,
    times,
)
from canary.cli.command import Command
from canary.cli.errors import NotFound
from canary.cli.filters import is_text
from canary.errors import UsageError

if TYPE_CHECKING:
    from canary.cli.client import Client

WHERE: Final = "/v2/job"  # with a query: a uuid may have characters that a path may not
STORY: Final = 1_000  # changes that the server returns if it is not asked for more
PAGE: Final = 10_000  # changes; the most that the server returns at a time
LEFT_OUT: Final = "left_out"


class Job(ShowOne, Command):
    """Show one job, its payload, and everything that happened to it."""

    words = "[options] UUID | --path PATH --znode NAME"
    epilog = (
        "Exit status 3: there is no such job, neither on a board nor among those that ended lately."
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's own arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "uuid",
            metavar="UUID",
            nargs="?",
            help="the job's uuid; with --path also the name of its znode",
        )
        parser.add_argument(
            "--path",
            metavar="PATH",
            help="the job's board, if several boards have a job with this uuid",
        )
        parser.add_argument(
            "--znode",
            metavar="NAME",
            help="the name of the job's znode, if it is also another job's uuid; replaces UUID",
        )
        parser.add_argument(
            "--posted-at",
            metavar="MOMENT",
            help="if several jobs have this name, the one posted at this moment (see the field"
            " others)",
        )
        parser.add_argument(
            "--all-changes",
            action="store_true",
            help=f"print all changes of the job (default: at most {STORY})",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Return the fields and their values. Raises NotFound if there is no such job."""
        names = check_columns(parsed_args.columns, COLUMNS)
        client = self.client()
        query = _query(parsed_args)
        told = client.get(WHERE, query, statuses=(404,))
        job = told.get("job")
        if not isinstance(job, dict):
            raise NotFound(
                f"There is no job {parsed_args.znode or parsed_args.uuid!a} on a board or among"
                " those that ended lately; canary jobs --search finds one by a part of its uuid"
            )
        if parsed_args.all_changes and told.get("left_out"):
            told["changes"] = list(_all_changes(client, query))
            told["left_out"] = None
        self.formatter = Shown(self.formatter, parsed_args.formatter, COLUMNS, client.now)
        if parsed_args.formatter in SHORT:
            told["changes"] = _with_what_is_left_out(told)
        fields = {**told, **job}
        return names, tuple(fields.get(name) for name in names)


def _query(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Return the query parameters that name the job. Raises UsageError."""
    if (options.uuid is None) == (options.znode is None):
        raise UsageError("No job is given: use UUID, or --path with --znode")
    if options.znode is not None and not options.path:
        raise UsageError("--znode needs --path: it is the name of a znode on one board")
    asked = {
        "uuid": options.uuid,
        "znode": options.znode,
        "path": options.path,
        "posted_at": options.posted_at,
    }
    for name, value in asked.items():
        if value is not None and not is_text(value):
            raise UsageError(f"{name} is {value[:100]!a}: not valid UTF-8")
    return [(name, value) for name, value in asked.items() if value]


def _all_changes(client: "Client", query: Sequence[tuple[str, str]]) -> Iterator[Any]:
    after = 0
    while True:
        more = [("after", str(after)), ("limit", str(PAGE))]
        told = client.get(WHERE, [*query, *more])
        yield from told.get("changes") or ()
        left = told.get("left_out")
        if not isinstance(left, dict):
            return
        after = int(left["after"])


def _with_what_is_left_out(told: Mapping[str, Any]) -> Any:
    """Return a job's changes, with an entry in the place of those that are left out."""
    left, changes = told.get("left_out"), told.get("changes")
    if not isinstance(left, dict) or not isinstance(changes, list):
        return changes
    after = left.get("after")
    place = next((n for n, change in enumerate(changes, 1) if change.get("revision") == after), 0)
    return [*changes[:place], {LEFT_OUT: left.get("changes")}, *changes[place:]]


def _timeline(value: Any, now: datetime) -> str:
    """Show a job's changes, one per line."""
    if not isinstance(value, list):
        return text(value, now)
    return "\n".join(_happened(change, now) for change in value if isinstance(change, dict))


def _happened(change: dict[str, Any], now: datetime) -> str:
    if LEFT_OUT in change:
        return f"... {plain(change[LEFT_OUT])} more changes; --all-changes prints them ..."
    moment = change.get("moment") or change.get("at") or change.get("seen_at")
    told = shown.parsed(str(moment))
    words = [shown.day(told) if told else shown.NOTHING, text(change.get("kind"), now)]
    if change.get("edit"):
        words += edits.words(change["edit"])
    elif change.get("owner"):
        words.append(f"by {text(change['owner'], now)}")
    return "  ".join([*words, *times(change)])


def _left_out(value: Any, now: datetime) -> str:
    """Show how many changes are left out, and where."""
    if not isinstance(value, dict):
        return text(value, now)
    return f"{plain(value.get('changes'))} changes after revision {plain(value.get('after'))}"


def _others(value: Any, now: datetime) -> str:
    """Show the other jobs that the name may mean, one per line."""
    if not isinstance(value, list):
        return text(value, now)
    found = [each for each in value if isinstance(each, dict)]
    places = (f"{text(each.get('path'), now)}/{text(each.get('znode'), now)}" for each in found)
    return "\n".join(places) or shown.NOTHING


def _cuts(value: Any, now: datetime) -> str:
    """Show where a job's payload was cut, one place per line."""
    if not isinstance(value, list):
        return text(value, now)
    return "\n".join(_cut(cut, now) for cut in value if isinstance(cut, dict)) or shown.NOTHING


def _cut(cut: dict[str, Any], now: datetime) -> str:
    where, size = text(cut.get("pointer") or "the whole payload", now), cut.get("size")
    of = "" if size is None else f" of {text(size, now)}"
    return f"{where}: {text(cut.get('kept'), now)}{of} kept"


def _pretty(value: Any, now: datetime) -> str:
    """Show an object as indented JSON. It is ASCII, so nothing in it can control a terminal."""
    return json.dumps(value, indent=1) if isinstance(value, dict | list) else text(value, now)


COLUMNS: Final = (
    *(Column("uuid"), Column("name"), Column("path"), Column("znode"), Column("state")),
    *(Column("outcome"), Column("owner"), Column("priority")),
    *(Column("posted_at", moment), Column("since", moment)),
    *(Column("claimed_at", moment), Column("ended_at", moment)),
    *(Column("age", seconds), Column("waiting", seconds), Column("running", seconds)),
    *(
        Column("claims"),
        Column("in_trash"),
        Column("malformed"),
        Column("excerpt"),
        Column("details", _pretty),
    ),
    *(Column("book", _pretty), Column("size"), Column("sha256"), Column("truncated")),
    *(Column("cuts", _cuts), Column("cut_count")),
    *(Column("revision"), Column("changes", _timeline)),
    *(Column("left_out", _left_out), Column("others", _others)),
)
