"""``canary boards``: the watched boards, with freshness and job counts."""

from canary.cli.columns import Column, account, moment, rates, seconds
from canary.cli.listing import Listing


class Boards(Listing):
    """List the boards: freshness, job counts and what was missed."""

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
        Column("clock_offset", seconds),
        Column("clock_off"),
        Column("unclaimed"),
        Column("claimed"),
        Column("ended"),
        Column("oldest_unclaimed", seconds),
        Column("trash_collisions"),
        Column("oldest_claimed", seconds),
        Column("per_minute", rates),
        Column("account", account),
    )
    few = (
        *("path", "freshness", "freshness_since"),
        *("unclaimed", "claimed", "ended", "oldest_unclaimed", "oldest_claimed", "account"),
    )
    sorts = (
        *("path", "freshness", "freshness_since"),
        *("unclaimed", "claimed", "ended", "oldest_unclaimed", "oldest_claimed"),
    )
    has_window = True
