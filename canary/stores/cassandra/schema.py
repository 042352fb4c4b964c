"""The tables in Cassandra, and every statement that Canary sends.

``checkpoint_rows``     one row per child of a board, partition (board, taken_at, epoch, revision,
                        bucket)
``checkpoints``         one row per checkpoint, partition (board, day)

The keyspace is inserted with ``format``, since CQL accepts no parameter there. The option is
checked to be a plain name when it is read.
"""

from typing import Final

SCHEMA: Final = {
    "checkpoint_rows": """
    CREATE TABLE IF NOT EXISTS {keyspace}.checkpoint_rows (
        board text, taken_at timestamp, epoch bigint, revision bigint, bucket int, number int,
        kind text, name text, id text, czxid bigint, uuid text, job_name text, state text,
        owner text, lock_czxid bigint, lock_session bigint, posted_at timestamp, seen_at timestamp,
        claimed_at timestamp, payload text,
        PRIMARY KEY ((board, taken_at, epoch, revision, bucket), number)
    )
    """,
    "checkpoints": """
    CREATE TABLE IF NOT EXISTS {keyspace}.checkpoints (
        board text, day date, taken_at timestamp, epoch bigint, revision bigint,
        buckets int, jobs int, incarnation bigint, pzxid bigint, cversion int, num_children int,
        PRIMARY KEY ((board, day), taken_at, epoch, revision)
    ) WITH CLUSTERING ORDER BY (taken_at DESC, epoch DESC, revision DESC)
    """,
}

INSERT_ROW: Final = """
INSERT INTO {keyspace}.checkpoint_rows (
    board, taken_at, epoch, revision, bucket, number,
    kind, name, id, czxid, uuid, job_name, state,
    owner, lock_czxid, lock_session, posted_at, seen_at,
    claimed_at, payload
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?
"""
INSERT_HEADER: Final = """
INSERT INTO {keyspace}.checkpoints (
    board, day, taken_at, epoch, revision,
    buckets, jobs, incarnation, pzxid, cversion, num_children
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?
"""
SELECT_HEADERS: Final = """
SELECT board, taken_at, epoch, revision, buckets, jobs
FROM {keyspace}.checkpoints WHERE board = ? AND day = ?
"""
SELECT_ROWS: Final = """
SELECT * FROM {keyspace}.checkpoint_rows
WHERE board = ? AND taken_at = ? AND epoch = ? AND revision = ? AND bucket = ?
"""
STATEMENTS: Final = (INSERT_ROW, INSERT_HEADER, SELECT_HEADERS, SELECT_ROWS)
