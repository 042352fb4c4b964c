"""``canary conductors``: who works on the boards, and which claims nobody living has."""

from canary.cli.columns import Column, held, moment
from canary.cli.listing import Listing


class Conductors(Listing):
    """List the conductors on the boards, what each holds, and claims without a living one."""

    resource = "conductors"
    columns = (
        Column("name"),
        Column("owner"),
        Column("path"),
        Column("host"),
        Column("pid"),
        Column("session"),
        Column("alive"),
        Column("since", moment),
        Column("seen_at", moment),
        Column("freshness"),
        Column("holds", held),
    )
    few = ("name", "owner", "path", "alive", "since", "holds")
    sorts = ("path", "name", "owner", "since", "alive")
