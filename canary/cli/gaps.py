"""``canary gaps``: when changes were not seen one by one, how many, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from canary.cli.columns import Column, moment
from canary.cli.listing import Listing

if TYPE_CHECKING:
    from canary.cli.client import Client, Query

_OF_GAPS: Final = frozenset(
    {"path", "age>", "since", "until", "q", "sort"}
)  # the other filters are of jobs


class Gaps(Listing):
    """List the intervals in which changes were not seen one by one, with how many and why."""

    resource = "gaps"
    columns = (
        Column("path"),
        Column("from", moment),
        Column("to", moment),
        Column("reason"),
        Column("creates"),
        Column("deletes"),
    )
    few = ("path", "from", "to", "reason", "creates", "deletes")
    sorts = ("to", "from")

    def why_nothing(self, client: "Client", query: "Query") -> Sequence[str]:
        """Return possible reasons, also that a filter of jobs finds no gaps. Raises Unanswered."""
        of_jobs = any(name not in _OF_GAPS and not name.endswith("!") for name, _ in query)
        said = ["gaps belong to boards: a filter on jobs, such as --state, finds no gaps"]
        return [*(said if of_jobs else ()), *super().why_nothing(client, query)]
