"""Every metric that Canary shows, each declared once, here.

Names follow Prometheus's habits: base units, ``_total`` for what only grows. A metric is API:
another name, type or label is a change that users notice.
"""

from typing import Final

from canary.metrics.metric import Kind, Metric

_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

# Seconds.
_MOMENTS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
_JOBS: Final = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0)

# Of a worker, counted as it happens.

LAG: Final = Metric(
    "canary_watch_lag_seconds",
    _HISTOGRAM,
    "From when something happened, says ZooKeeper, until MongoDB had it: of what was posted, "
    "claimed and trashed while it was watched for; of the rest ZooKeeper keeps no time.",
    buckets=_MOMENTS,
)
ROUNDS: Final = Metric(
    "canary_rounds_total", _COUNTER, "Looks at a board that were done.", ("board",)
)
ROUND_DURATION: Final = Metric(
    "canary_round_duration_seconds",
    _HISTOGRAM,
    "How long a look at a board took.",
    buckets=_MOMENTS,
)
CHANGES: Final = Metric(
    "canary_changes_total", _COUNTER, "Changes that were written to MongoDB.", ("board", "kind")
)
GAPS: Final = Metric(
    "canary_gaps_total",
    _COUNTER,
    "Gaps that were written to MongoDB: intervals in which something was not seen one by one.",
    ("board", "reason"),
)
UNSEEN: Final = Metric(
    "canary_unseen_total",
    _COUNTER,
    "Creates and deletes of a board's children that were counted, but not seen, if known.",
    ("board", "operation"),
)
WAITING: Final = Metric(
    "canary_job_waiting_seconds",
    _HISTOGRAM,
    "How long a job had waited in all when it was claimed.",
    ("board",),
    _JOBS,
)
RUNNING: Final = Metric(
    "canary_job_running_seconds",
    _HISTOGRAM,
    "How long a job had run in all when it ended.",
    ("board",),
    _JOBS,
)
WRITE_DURATION: Final = Metric(
    "canary_mongodb_write_duration_seconds",
    _HISTOGRAM,
    "How long a transaction took that wrote changes, of those that succeeded.",
    buckets=_MOMENTS,
)
WRITE_FAILURES: Final = Metric(
    "canary_mongodb_write_failures_total",
    _COUNTER,
    "Transactions that failed; each was tried again, or taken over by another worker.",
)

COUNTED_BY_WORKER: Final = (
    *(LAG, ROUNDS, ROUND_DURATION, CHANGES, GAPS, UNSEEN, WAITING, RUNNING),
    *(WRITE_DURATION, WRITE_FAILURES),
)

# Of a worker, asked of its parts at each scrape.

BOARDS_WATCHED: Final = Metric(
    "canary_boards_watched",
    _GAUGE,
    "Boards that this worker watches, by their freshness as it knows it.",
    ("freshness",),
)
OUTBOX_CHANGES: Final = Metric(
    "canary_outbox_changes", _GAUGE, "Changes that wait to be written to MongoDB."
)
OUTBOX_BYTES: Final = Metric(
    "canary_outbox_bytes", _GAUGE, "About how much memory holds what waits to be written."
)
OUTBOX_LARGEST_CHANGES: Final = Metric(
    "canary_outbox_largest_changes", _GAUGE, "The same changes, of the board that has most."
)
OUTBOX_LARGEST_BYTES: Final = Metric(
    "canary_outbox_largest_bytes", _GAUGE, "The same memory, of the board that holds most."
)
HEARTBEAT_AGE: Final = Metric(
    "canary_heartbeat_age_seconds",
    _GAUGE,
    "How long ago MongoDB took this worker's heartbeat, which comes once a second.",
)
CLAIMS: Final = Metric(
    "canary_watch_claims_total", _COUNTER, "Watch jobs that this worker has claimed."
)
ABANDONS: Final = Metric(
    "canary_watch_abandons_total",
    _COUNTER,
    "Watch jobs that it has given up by itself; what a lost session takes is not counted.",
)
RECONNECTS: Final = Metric(
    "canary_zookeeper_reconnects_total",
    _COUNTER,
    "How often the connection to ZooKeeper was made again after it was lost.",
)
RECONCILIATIONS: Final = Metric(
    "canary_reconciliations_total",
    _COUNTER,
    "How often all of a board was read again and compared with what is stored.",
)
DRIFT: Final = Metric(
    "canary_drift_total",
    _COUNTER,
    "Differences that were found so, and mended: each one is a defect of Canary.",
)
CHECKPOINTS: Final = Metric(
    "canary_checkpoints_total", _COUNTER, "Checkpoints that were written to Cassandra."
)
CHECKPOINT_FAILURES: Final = Metric(
    "canary_checkpoint_failures_total", _COUNTER, "Checkpoints that were begun and not written."
)
CHECKPOINT_AGE: Final = Metric(
    "canary_checkpoint_age_seconds",
    _GAUGE,
    "How long ago a board's last checkpoint by this worker was begun; before the first one, for "
    "how long it has been due.",
    ("board",),
)
CHECKPOINT_INTERVAL: Final = Metric(
    "canary_checkpoint_interval_seconds",
    _GAUGE,
    "How often a board's checkpoint is due: [cassandra] checkpoint_interval.",
)

ASKED_OF_WORKER: Final = (
    *(BOARDS_WATCHED, OUTBOX_CHANGES, OUTBOX_BYTES, OUTBOX_LARGEST_CHANGES, OUTBOX_LARGEST_BYTES),
    *(HEARTBEAT_AGE, CLAIMS, ABANDONS, RECONNECTS, RECONCILIATIONS, DRIFT),
    *(CHECKPOINTS, CHECKPOINT_FAILURES, CHECKPOINT_AGE, CHECKPOINT_INTERVAL),
)

# Of the server, asked of MongoDB.

MONGODB_UP: Final = Metric(
    "canary_mongodb_up",
    _GAUGE,
    "Whether MongoDB answered for this scrape; if not, there are no figures of boards and workers.",
)
WORKERS: Final = Metric(
    "canary_workers", _GAUGE, "Workers that wrote a heartbeat in the last 2.75 seconds."
)
BOARD_JOBS: Final = Metric(
    "canary_board_jobs",
    _GAUGE,
    "Jobs on a board, by TaskFlow's state: UNCLAIMED is the board's backlog.",
    ("board", "state"),
)
OLDEST_UNCLAIMED: Final = Metric(
    "canary_board_oldest_unclaimed_seconds",
    _GAUGE,
    "How long that unclaimed job of a board waits which waits longest; 0 where none does.",
    ("board",),
)
FRESHNESS: Final = Metric(
    "canary_board_freshness",
    _GAUGE,
    "1 for what a board's freshness is, 0 for what it is not.",
    ("board", "freshness"),
)
FRESHNESS_AGE: Final = Metric(
    "canary_board_freshness_age_seconds",
    _GAUGE,
    "For how long a board's freshness has been what it is.",
    ("board",),
)
BOARD_LAG: Final = Metric(
    "canary_board_lag_seconds",
    _GAUGE,
    "How long ago the last moment was of which all is known of a board; 0 while it is live.",
    ("board",),
)
BOARD_CHANGES: Final = Metric(
    "canary_board_changes_total", _COUNTER, "Changes of a board that were ever told.", ("board",)
)
BOARD_GAPS: Final = Metric(
    "canary_board_gaps_total", _COUNTER, "Gaps that a board ever had.", ("board", "reason")
)
BOARD_UNSEEN: Final = Metric(
    "canary_board_unseen_total",
    _COUNTER,
    "Creates and deletes of a board's children that were ever counted, but not seen, if known.",
    ("board", "operation"),
)
BOARD_DRIFT: Final = Metric(
    "canary_board_drift_total",
    _COUNTER,
    "Differences that were ever found by comparing a board with ZooKeeper, and mended.",
    ("board",),
)

ASKED_OF_MONGODB: Final = (
    *(MONGODB_UP, WORKERS, BOARD_JOBS, OLDEST_UNCLAIMED, FRESHNESS, FRESHNESS_AGE, BOARD_LAG),
    *(BOARD_CHANGES, BOARD_GAPS, BOARD_UNSEEN, BOARD_DRIFT),
)

# Of the server, counted by each of its processes and added up.

REQUESTS: Final = Metric(
    "canary_http_requests_total",
    _COUNTER,
    "Requests that were answered. The route is a template; what has none is all one.",
    ("route", "method", "status"),
)
REQUEST_DURATION: Final = Metric(
    "canary_http_request_duration_seconds",
    _HISTOGRAM,
    "How long it took until an answer began; what is streamed goes on after that.",
    ("route", "method"),
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
STREAM_CLIENTS: Final = Metric(
    "canary_stream_clients", _GAUGE, "Clients of the event stream that there are."
)
STREAM_EVENTS: Final = Metric(
    "canary_stream_events_sent_total", _COUNTER, "Events sent to clients, one counted for each."
)
STREAM_DROPPED: Final = Metric(
    "canary_stream_clients_dropped_total",
    _COUNTER,
    "Clients of the event stream that were dropped because they were too slow.",
)

COUNTED_BY_SERVER: Final = (
    *(REQUESTS, REQUEST_DURATION, STREAM_CLIENTS, STREAM_EVENTS, STREAM_DROPPED),
)

OF_WORKER: Final = (*COUNTED_BY_WORKER, *ASKED_OF_WORKER)
OF_SERVER: Final = (*ASKED_OF_MONGODB, *COUNTED_BY_SERVER)
