"""The server's filters as options, each with its NOT, the same for every list and for ``tail``.

The server checks the values. Its message about a wrong value names the API's parameter;
``by_option`` replaces that by the option, and sort fields by what ``--sort`` takes.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from canary.errors import UsageError
from canary.terminal import redecoded


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: its option without the dashes, its parameter in the API, and its help."""

    option: str
    parameter: str
    metavar: str
    help: str

    @property
    def attribute(self) -> str:
        """The attribute of the parsed options that holds its values."""
        return f"filter_{self.option.replace('-', '_')}"


FILTERS: Final = (
    Filter("path", "path", "PATH", "on the board with this path"),
    Filter("state", "state", "STATE", "in this state: UNCLAIMED, CLAIMED or COMPLETE"),
    Filter(
        "outcome",
        "outcome",
        "OUTCOME",
        "with this outcome: consumed, trashed, removed, board_deleted or unknown",
    ),
    Filter("owner", "owner", "OWNER", "claimed by this owner"),
    Filter("name", "name", "NAME", "with this name"),
    Filter("uuid", "uuid", "UUID", "with this uuid"),
    Filter("age-over", "age>", "DURATION", "posted this long ago or longer, as in 5m"),
    Filter("waiting-over", "waiting>", "DURATION", "waited this long or longer"),
    Filter("running-over", "running>", "DURATION", "ran this long or longer"),
    Filter("claims-over", "claims>", "NUMBER", "claimed this many times or more"),
    Filter("since", "since", "MOMENT", "at this moment or later: ISO 8601 with its zone"),
    Filter("until", "until", "MOMENT", "at this moment or before"),
    Filter("search", "q", "TEXT", "containing this text, in any case"),
)
KIND: Final = Filter("kind", "kind", "KIND", "of this kind, such as claimed or consumed")
_PARAMETERS: Final = {  # parameters that are not filters, and their options
    "group": "group",
    "sort": "sort",
    "window": "window",
}
_STATES: Final = frozenset({"UNCLAIMED", "CLAIMED", "COMPLETE"})


def add_options(parser: argparse.ArgumentParser, *more: Filter) -> None:
    """Add the options of all filters, and of those in ``more``, to ``parser``."""
    group = parser.add_argument_group(
        "filters",
        "A filter can be given more than once: then any of its values matches. Bounds and\n"
        "--search can be given only once. Different filters must all match. Each filter can be\n"
        "negated: --not-state CLAIMED, --not-search test.",
    )
    for each in (*more, *FILTERS):
        group.add_argument(
            f"--{each.option}",
            action="append",
            dest=each.attribute,
            metavar=each.metavar,
            help=each.help,
        )
        group.add_argument(
            f"--not-{each.option}",
            action="append",
            dest=f"not_{each.attribute}",
            metavar=each.metavar,
            help=argparse.SUPPRESS,
        )


def query(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Return the query parameters for ``options``. Raises UsageError for invalid UTF-8."""
    return list(_parameters(options))


def is_text(value: str) -> bool:
    """Return whether ``value`` can be sent to the server: whether it is UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def by_option(said: str) -> str:
    """Return the server's message ``said`` about a wrong parameter, with the option's name."""
    parameter, separator, rest = said.partition(" is ")
    names = _PARAMETERS | {each.parameter: each.option for each in (KIND, *FILTERS)}
    option = names.get(parameter.removesuffix("!"))
    if not separator or option is None:
        return said
    negation = "not-" if parameter.endswith("!") else ""
    return f"--{negation}{option} is {_directions(rest) if option == 'sort' else rest}"


def _directions(said: str) -> str:
    """Return a message about sort fields with ``-age`` written as ``age:desc``."""
    words = re.sub(r"(?<=[' ])-(\w+)", r"\1:desc", said)
    return words.replace("; with - before it for", "; with :desc behind it for")


def _parameters(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for each in (KIND, *FILTERS):
        for attribute, parameter in (
            (each.attribute, each.parameter),
            (f"not_{each.attribute}", f"{each.parameter}!"),
        ):
            found = getattr(options, attribute, None)
            for given in found or []:
                value = redecoded(given)
                if not is_text(value):
                    raise UsageError(f"--{each.option} is {value[:100]!a}: not valid UTF-8")
                is_state = each.option == "state" and value.upper() in _STATES
                yield parameter, value.upper() if is_state else value
