"""All metrics of Canary, each declared once.

Names follow Prometheus's conventions: base units, and ``_total`` for counters. Metrics are API:
users notice when a name, type or label changes.
"""

from typing import Final

from canary.metrics.metric import Kind, Metric

_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

# Buckets, in seconds.
_MOMENTS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
_JOBS: Final = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0)

# Worker and server.

LOG_DROPPED: Final = Metric(
    "canary_log_lines_dropped_total",
    _COUNTER,
    "Log lines that were dropped because they came faster than they could be written.",
)

# Worker: counted as it happens.

LAG: Final = Metric(
    "canary_watch_lag_seconds",
    _HISTOGRAM,
    "Time from a change, by ZooKeeper's clock, until MongoDB had it. Only jobs posted, claimed or "
    "trashed while watched: ZooKeeper does not record when other changes happened.",
    buckets=_MOMENTS,
)
ROUNDS: Final = Metric("canary_rounds_total", _COUNTER, "Rounds: reads of a board.", ("board",))
ROUND_DURATION: Final = Metric(
    "canary_round_duration_seconds",
    _HISTOGRAM,
    "Duration of a round, which is one read of a board.",
    buckets=_MOMENTS,
)
CHANGES: Final = Metric(
    "canary_changes_total", _COUNTER, "Changes written to MongoDB.", ("board", "kind")
)
GAPS: Final = Metric(
    "canary_gaps_total",
    _COUNTER,
    "Gaps written to MongoDB: intervals in which changes were not seen one by one.",
    ("board", "reason"),
)
UNSEEN: Final = Metric(
    "canary_unseen_total",
    _COUNTER,
    "Creates and deletes of a board's children that were counted but not seen, where known.",
    ("board", "operation"),
)
WAITING: Final = Metric(
    "canary_job_waiting_seconds",
    _HISTOGRAM,
    "Total time that a job had waited when it was claimed.",
    ("board",),
    _JOBS,
)
RUNNING: Final = Metric(
    "canary_job_running_seconds",
    _HISTOGRAM,
    "Total time that a job had run when it ended.",
    ("board",),
    _JOBS,
)
WRITE_DURATION: Final = Metric(
    "canary_mongodb_write_duration_seconds",
    _HISTOGRAM,
    "Duration of the transactions that wrote changes and succeeded.",
    buckets=_MOMENTS,
)
WRITE_FAILURES: Final = Metric(
    "canary_mongodb_write_failures_total",
    _COUNTER,
    "Transactions that failed; each was retried, or another worker took over.",
)

COUNTED_BY_WORKER: Final = (
    *(LAG, ROUNDS, ROUND_DURATION, CHANGES, GAPS, UNSEEN, WAITING, RUNNING),
    *(WRITE_DURATION, WRITE_FAILURES),
)

# Worker: read from its parts at each scrape.

BOARDS_WATCHED: Final = Metric(
    "canary_boards_watched",
    _GAUGE,
    "Boards that this worker watches, by freshness as the worker knows it.",
    ("freshness",),
)
OUTBOX_CHANGES: Final = Metric(
    "canary_outbox_changes", _GAUGE, "Changes that wait to be written to MongoDB, of all boards."
)
OUTBOX_BYTES: Final = Metric(
    "canary_outbox_bytes", _GAUGE, "Approximate memory of what waits to be written, of all boards."
)
OUTBOX_LARGEST_CHANGES: Final = Metric(
    "canary_outbox_largest_changes", _GAUGE, "Changes that wait, of the board that has the most."
)
OUTBOX_LARGEST_BYTES: Final = Metric(
    "canary_outbox_largest_bytes",
    _GAUGE,
    "Approximate memory of what waits, of the board that holds the most.",
)
HEARTBEAT_AGE: Final = Metric(
    "canary_heartbeat_age_seconds",
    _GAUGE,
    "Time since MongoDB accepted this worker's last heartbeat; one is sent every second.",
)
CLAIMS: Final = Metric(
    "canary_watch_claims_total", _COUNTER, "Watch jobs that this worker has claimed."
)
ABANDONS: Final = Metric(
    "canary_watch_abandons_total",
    _COUNTER,
    "Watch jobs that this worker has abandoned, not counting those lost with a session.",
)
RECONNECTS: Final = Metric(
    "canary_zookeeper_reconnects_total",
    _COUNTER,
    "Reconnections to ZooKeeper after the connection was lost.",
)
RECONCILIATIONS: Final = Metric(
    "canary_reconciliations_total",
    _COUNTER,
    "Comparisons of a whole board, read again, with what is stored.",
)
DRIFT: Final = Metric(
    "canary_drift_total",
    _COUNTER,
    "Differences that comparisons found and repaired. Each one is a defect of Canary.",
)
CHECKPOINTS: Final = Metric(
    "canary_checkpoints_total", _COUNTER, "Checkpoints written to Cassandra."
)
CHECKPOINT_FAILURES: Final = Metric(
    "canary_checkpoint_failures_total", _COUNTER, "Checkpoints that were begun but not written."
)
CHECKPOINT_AGE: Final = Metric(
    "canary_checkpoint_age_seconds",
    _GAUGE,
    "Time since this worker began the board's last checkpoint; before the first one, time since "
    "it was due.",
    ("board",),
)
CHECKPOINT_INTERVAL: Final = Metric(
    "canary_checkpoint_interval_seconds",
    _GAUGE,
    "Time between two checkpoints of a board: [cassandra] checkpoint_interval.",
)

ASKED_OF_WORKER: Final = (
    *(BOARDS_WATCHED, OUTBOX_CHANGES, OUTBOX_BYTES, OUTBOX_LARGEST_CHANGES, OUTBOX_LARGEST_BYTES),
    *(HEARTBEAT_AGE, CLAIMS, ABANDONS, RECONNECTS, RECONCILIATIONS, DRIFT),
    *(LOG_DROPPED, CHECKPOINTS, CHECKPOINT_FAILURES, CHECKPOINT_AGE, CHECKPOINT_INTERVAL),
)

# Server: read from MongoDB.

MONGODB_UP: Final = Metric(
    "canary_mongodb_up",
    _GAUGE,
    "1 if MongoDB answered for this scrape. If 0, metrics of boards and workers are absent.",
)
WORKERS: Final = Metric(
    "canary_workers", _GAUGE, "Workers whose last heartbeat is at most 2.75 seconds old."
)
BOARD_JOBS: Final = Metric(
    "canary_board_jobs",
    _GAUGE,
    "Jobs on a board, by TaskFlow state. UNCLAIMED is the board's backlog.",
    ("board", "state"),
)
OLDEST_UNCLAIMED: Final = Metric(
    "canary_board_oldest_unclaimed_seconds",
    _GAUGE,
    "The longest time that an unclaimed job of a board has waited; 0 if there is none.",
    ("board",),
)
OLDEST_CLAIMED: Final = Metric(
    "canary_board_oldest_claimed_seconds",
    _GAUGE,
    "The longest time that a claim on a job of a board has lasted; 0 if there is none.",
    ("board",),
)
TRASH_COLLISIONS: Final = Metric(
    "canary_board_trash_collisions",
    _GAUGE,
    "Claimed jobs of a board that TaskFlow can't trash: the trash already has a job with the same "
    "number but another uuid.",
    ("board",),
)
FRESHNESS: Final = Metric(
    "canary_board_freshness",
    _GAUGE,
    "1 for the board's present freshness, 0 for every other one.",
    ("board", "freshness"),
)
FRESHNESS_AGE: Final = Metric(
    "canary_board_freshness_age_seconds",
    _GAUGE,
    "Time since a board's freshness last changed.",
    ("board",),
)
CLOCK_OFFSET: Final = Metric(
    "canary_board_clock_offset_seconds",
    _GAUGE,
    "How far the clock of the board's ZooKeeper is ahead of MongoDB's; negative if it is behind, "
    "absent while the board is unwatched.",
    ("board",),
)
BOARD_LAG: Final = Metric(
    "canary_board_lag_seconds",
    _GAUGE,
    "Time since the last moment up to which everything on a board is known; 0 while it is live.",
    ("board",),
)
BOARD_CHANGES: Final = Metric(
    "canary_board_changes_total",
    _COUNTER,
    "All changes of a board that were ever recorded.",
    ("board",),
)
BOARD_GAPS: Final = Metric(
    "canary_board_gaps_total", _COUNTER, "All gaps that a board ever had.", ("board", "reason")
)
BOARD_UNSEEN: Final = Metric(
    "canary_board_unseen_total",
    _COUNTER,
    "All creates and deletes of a board's children ever counted but not seen, where known.",
    ("board", "operation"),
)
BOARD_DRIFT: Final = Metric(
    "canary_board_drift_total",
    _COUNTER,
    "All differences that comparisons of a board with ZooKeeper ever found and repaired.",
    ("board",),
)

ASKED_OF_MONGODB: Final = (
    *(MONGODB_UP, WORKERS, BOARD_JOBS, OLDEST_UNCLAIMED, FRESHNESS, FRESHNESS_AGE, BOARD_LAG),
    *(BOARD_CHANGES, BOARD_GAPS, BOARD_UNSEEN, BOARD_DRIFT),
    *(CLOCK_OFFSET, OLDEST_CLAIMED, TRASH_COLLISIONS),
)

# Server: counted by each of its processes, and summed.

REQUESTS: Final = Metric(
    "canary_http_requests_total",
    _COUNTER,
    "Requests answered. route is a template; requests without a route are counted as unmatched.",
    ("route", "method", "status"),
)
REQUEST_DURATION: Final = Metric(
    "canary_http_request_duration_seconds",
    _HISTOGRAM,
    "Time until an answer began; a stream goes on after that.",
    ("route", "method"),
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
STREAM_CLIENTS: Final = Metric(
    "canary_stream_clients", _GAUGE, "Clients connected to the event stream."
)
STREAM_EVENTS: Final = Metric(
    "canary_stream_events_sent_total", _COUNTER, "Events sent, counted once for each client."
)
STREAM_DROPPED: Final = Metric(
    "canary_stream_clients_dropped_total",
    _COUNTER,
    "Clients dropped from the event stream because they were too slow.",
)

COUNTED_BY_SERVER: Final = (
    *(REQUESTS, REQUEST_DURATION, STREAM_CLIENTS, STREAM_EVENTS, STREAM_DROPPED, LOG_DROPPED),
)

OF_WORKER: Final = (*COUNTED_BY_WORKER, *ASKED_OF_WORKER)
OF_SERVER: Final = (*ASKED_OF_MONGODB, *COUNTED_BY_SERVER)
