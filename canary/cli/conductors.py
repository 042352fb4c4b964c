"""``canary conductors``: registered conductors, and claims without a registered conductor."""

from canary.cli.columns import Column, held, listed, moment
from canary.cli.listing import Listing


class Conductors(Listing):
    """List registered conductors and their claims, and claims without a registered conductor."""

    resource = "conductors"
    columns = (
        Column("name"),
        Column("owner"),
        Column("path"),
        Column("host"),
        Column("pid"),
        Column("session"),
        Column("holder"),
        Column("alive"),
        Column("registered_for", listed),
        Column("since", moment),
        Column("seen_at", moment),
        Column("freshness"),
        Column("holds", held),
    )
    few = ("name", "owner", "path", "holder", "since", "holds")
    epilog = (
        "holder is registered, unregistered (the claim's session is alive, but no conductor is\n"
        "registered with it), orphaned (the claim belongs to no session: somebody has to delete\n"
        "its lock) or unknown."
    )
    sorts = ("path", "name", "owner", "since", "alive", "holder")
