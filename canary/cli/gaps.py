"""``canary gaps``: when changes were not seen one by one, how many, and why."""

from canary.cli.columns import Column, moment
from canary.cli.listing import Listing


class Gaps(Listing):
    """List the intervals in which changes were not seen one by one: how many, and why."""

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
