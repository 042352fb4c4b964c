"""``canary jobs``: the jobs on the boards, and those that ended lately."""

from canary.cli.columns import Column, moment, seconds
from canary.cli.listing import Listing


class Jobs(Listing):
    """List the jobs on the boards and jobs that ended lately, the newest first."""

    resource = "jobs"
    columns = (
        Column("uuid"),
        Column("name"),
        Column("path"),
        Column("znode"),
        Column("state"),
        Column("outcome"),
        Column("owner"),
        Column("posted_at", moment),
        Column("since", moment),
        Column("claimed_at", moment),
        Column("ended_at", moment),
        Column("age", seconds),
        Column("waiting", seconds),
        Column("running", seconds),
        Column("claims"),
        Column("in_trash"),
        Column("malformed"),
        Column("truncated"),
        Column("revision"),
    )
    few = ("uuid", "name", "path", "state", "outcome", "owner", "age", "waiting", "running")
    sorts = ("posted_at", "since", "ended_at", "name", "path", "owner", "state", "uuid", "claims")
