"""``canary changes``: what happened, change by change."""

from canary.cli.columns import Column, moment, seconds
from canary.cli.edits import edit
from canary.cli.filters import KIND
from canary.cli.listing import Listing


class Changes(Listing):
    """List the changes on the boards, the newest first."""

    resource = "changes"
    columns = (
        Column("path"),
        Column("revision"),
        Column("kind"),
        Column("state"),
        Column("state_before"),
        Column("uuid"),
        Column("name"),
        Column("job_name"),
        Column("owner"),
        Column("session"),
        Column("outcome"),
        Column("at", moment),
        Column("seen_at", moment),
        Column("moment", moment),
        Column("posted_at", moment),
        Column("waiting", seconds),
        Column("running", seconds),
        Column("creates"),
        Column("deletes"),
        Column("edit", edit),
    )
    few = ("seen_at", "path", "kind", "job_name", "uuid", "owner", "waiting", "running")
    sorts = ("seen_at", "revision")
    more_filters = (KIND,)
