"""docs/metrics.md: every metric, and how to scrape them."""

from collections.abc import Iterable
from typing import Final

from canary.metrics import catalogue
from canary.metrics.metric import Metric

_HEAD: Final = """\
# Metrics
<!-- `make metrics` writes this page from canary/metrics/. -->

`canary-server` serves metrics at `/metrics` on its own address, the same from each of its
processes. `canary-worker` serves its metrics on the port that `[metrics] port` names; without a
port it counts nothing. If several workers run on one machine, give each its own port, for example
with `OS_METRICS__PORT=9465`.

    scrape_configs:
      - job_name: canary-server
        static_configs: [{targets: ["canary.example.org:8080"]}]
      - job_name: canary-worker
        static_configs: [{targets: ["w1.example.org:9464", "w2.example.org:9464"]}]
    rule_files: [alerts.yml]

If clients of the server have to sign in, Prometheus has to sign in, too: make a token with
`canary-server --make-token prometheus`, and add it to that job as
`authorization: {credentials_file: …}`. A worker's port has no sign-in: open it only on loopback or
to your monitoring network.

[alerts.yml](../etc/prometheus/alerts.yml) has an alert for everything that somebody has to act on,
and says what to do. It expects the two job names above. [canary.json](../etc/grafana/canary.json)
is a Grafana dashboard: import it, and choose your Prometheus.

## Using the metrics
- `board` is a board's path. No other label value comes from a payload, a request or a client.
  `route` is the route's template, or `unmatched` if there is no such route. `method` is one of
  HTTP's own, or `other`.
- The server reads the metrics of boards from MongoDB, at most once a second. All servers return the
  same values: use `max by (board)`. While MongoDB does not answer, these metrics are absent, and
  `canary_mongodb_up` is 0. They contain only boards that were registered and watched at least once.
- A worker's metrics count what that worker did: use `sum`. A worker counts a change when MongoDB
  has it. The series of a board end 15 minutes after it has moved to another worker.
- The server's `canary_board_gaps_total` and `canary_board_unseen_total` go on when workers restart
  or are replaced. A gap with unknown numbers counts as a gap, but adds nothing to the unseen.
- `canary_watch_lag_seconds` compares the clock of ZooKeeper's leader with MongoDB's clock: keep
  both right. An offset of more than three seconds is corrected
  (`canary_board_clock_offset_seconds`). Changes that happened while nobody watched, or while
  MongoDB was away, are included with the whole delay.
- A worker also has `process_*`: its memory, CPU, start time and open files.
- A scrape delays nothing else: its text is made in steps of a few milliseconds. A scrape costs a
  worker about 0.1 s of CPU for 300 boards. It costs the server one MongoDB query over the jobs that
  are on boards: 0.2 s for 200,000 jobs. Counting costs a worker about 3 µs per change and 2 µs per
  round, and the server 7 µs per request.
"""

_TABLES: Final = (
    ("Worker: counted as it happens", catalogue.COUNTED_BY_WORKER),
    ("Worker: read at each scrape", catalogue.ASKED_OF_WORKER),
    ("Server: read from MongoDB", catalogue.ASKED_OF_MONGODB),
    ("Server: summed over its processes", catalogue.COUNTED_BY_SERVER),
)


def document() -> str:
    """Return the text of docs/metrics.md."""
    return _HEAD + "".join(f"\n## {title}\n{_table(metrics)}" for title, metrics in _TABLES)


def _table(metrics: Iterable[Metric]) -> str:
    lines = ["| name | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        about = metric.help
        if metric.buckets:
            about += f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}."
        lines.append(f"| `{metric.name}` | {metric.kind.value} | {labels} | {about} |")
    return "\n".join(lines) + "\n"
