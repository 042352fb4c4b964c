"""``canary boards``: the watched boards, how fresh each is, and how much is on it."""

from canary.cli.columns import Column, account, moment, rates, seconds
from canary.cli.listing import Listing


class Boards(Listing):
    """List the watched boards: how fresh each is, and how many jobs are on it."""

    resource = "boards"
    columns = (
        Column("path"),
        Column("registered"),
        Column("freshness"),
        Column("freshness_since", moment),
        Column("watcher"),
        Column("epoch"),
        Column("revision"),
        Column("watched_since", moment),
        Column("live_until", moment),
        Column("drift"),
        Column("unclaimed"),
        Column("claimed"),
        Column("ended"),
        Column("oldest_unclaimed", seconds),
        Column("per_minute", rates),
        Column("account", account),
    )
    few = (
        *("path", "freshness", "freshness_since"),
        *("unclaimed", "claimed", "ended", "oldest_unclaimed", "account"),
    )
    sorts = (
        *("path", "freshness", "freshness_since"),
        *("unclaimed", "claimed", "ended", "oldest_unclaimed"),
    )
    has_window = True
