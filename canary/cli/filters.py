"""The server's filters as options: the same for every list and for ``tail``, and NOT for each.

Values are the server's to check. What it says of a wrong one names its own parameter; ``by_option``
names the option instead, and fields to sort by as that takes them.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: its option without the dashes, its parameter, and what is told of it."""

    option: str
    parameter: str
    metavar: str
    help: str
    several: bool = True

    @property
    def attribute(self) -> str:
        """Its name among the options that were parsed."""
        return f"filter_{self.option.replace('-', '_')}"


FILTERS: Final = (
    Filter("path", "path", "PATH", "of the board with this path"),
    Filter("state", "state", "STATE", "in this state: UNCLAIMED, CLAIMED or COMPLETE"),
    Filter(
        "outcome",
        "outcome",
        "OUTCOME",
        "ended so: consumed, trashed, removed, board_deleted or unknown",
    ),
    Filter("owner", "owner", "OWNER", "claimed by this owner"),
    Filter("name", "name", "NAME", "with this name"),
    Filter("uuid", "uuid", "UUID", "with this uuid"),
    Filter("age-over", "age>", "DURATION", "posted so long ago or longer, as in 5m", several=False),
    Filter("waiting-over", "waiting>", "DURATION", "waiting so long or longer", several=False),
    Filter("running-over", "running>", "DURATION", "running so long or longer", several=False),
    Filter(
        "since", "since", "MOMENT", "at that moment or later: ISO 8601 with its zone", several=False
    ),
    Filter("until", "until", "MOMENT", "at that moment or before", several=False),
    Filter("search", "q", "TEXT", "with this text in it somewhere, in any case", several=False),
)
KIND: Final = Filter("kind", "kind", "KIND", "of this kind, as in claimed or consumed")
_PARAMETERS: Final = {  # as options, beside the filters
    "group": "group",
    "sort": "sort",
    "window": "window",
}
_UPPER: Final = frozenset({"state"})


def add_options(parser: argparse.ArgumentParser, *more: Filter) -> None:
    """Add the options of all filters, and of ``more``."""
    group = parser.add_argument_group(
        "filters",
        "Given more than once, any of the values fits; filters of different names must\n"
        "all fit. Each has a NOT as well: --not-state CLAIMED, --not-search test.",
    )
    for each in (*more, *FILTERS):
        action = "append" if each.several else "store"
        group.add_argument(
            f"--{each.option}",
            action=action,
            dest=each.attribute,
            metavar=each.metavar,
            help=each.help,
        )
        group.add_argument(
            f"--not-{each.option}",
            action=action,
            dest=f"not_{each.attribute}",
            metavar=each.metavar,
            help=argparse.SUPPRESS,
        )


def query(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Return the parameters that ``options`` ask for."""
    return list(_parameters(options))


def by_option(said: str) -> str:
    """Return what the server says of a wrong parameter with the option's name in its place."""
    parameter, separator, rest = said.partition(" is ")
    names = _PARAMETERS | {each.parameter: each.option for each in (KIND, *FILTERS)}
    option = names.get(parameter.removesuffix("!"))
    if not separator or option is None:
        return said
    negation = "not-" if parameter.endswith("!") else ""
    return f"--{negation}{option} is {_directions(rest) if option == 'sort' else rest}"


def _directions(said: str) -> str:
    """Return what is said of fields to sort by, ``-age`` as ``age:desc``, as the option has it."""
    words = re.sub(r"(?<=[' ])-(\w+)", r"\1:desc", said)
    return words.replace("; - for descending", "; with :desc for descending")


def _parameters(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for each in (KIND, *FILTERS):
        for attribute, parameter in (
            (each.attribute, each.parameter),
            (f"not_{each.attribute}", f"{each.parameter}!"),
        ):
            found = getattr(options, attribute, None)
            for value in [found] if isinstance(found, str) else found or []:
                yield parameter, value.upper() if each.option in _UPPER else value
