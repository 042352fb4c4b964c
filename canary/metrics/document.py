"""docs/metrics.md: every metric, and how to have them scraped."""

from collections.abc import Iterable
from typing import Final

from canary.metrics import catalogue
from canary.metrics.metric import Metric

_HEAD: Final = """\
# Metrics
<!-- `make metrics` writes this page from canary/metrics/. -->

`canary-server` shows its metrics at `/metrics` of its own address, whichever of its processes
answers. `canary-worker` shows its own where `[metrics] port` says so; on a machine with several
workers each has a port of its own, as by `OS_METRICS__PORT=9465`. Without one it counts nothing.

    scrape_configs:
      - job_name: canary-server
        static_configs: [{targets: ["canary.example.org:8080"]}]
      - job_name: canary-worker
        static_configs: [{targets: ["w1.example.org:9464", "w2.example.org:9464"]}]
    rule_files: [alerts.yml]

Where the server asks who somebody is, it asks Prometheus too: make a token with `canary-server
--make-token prometheus`, and give it to that job as `authorization: {credentials_file: …}`. A
worker asks nobody: keep its port to loopback, or to the network of your monitoring.

[alerts.yml](../etc/prometheus/alerts.yml) has alerts for all that somebody should act upon, and
says what to do; it goes by the two names of jobs above. [canary.json](../etc/grafana/canary.json)
is a dashboard for Grafana: import it, and choose your Prometheus.

## What to know of them
- `board` is a board's path. No other label's value comes from a payload, a request or a client:
  a route is its template, what has none is `unmatched`; a method that is not one of HTTP's own is
  `other`.
- What the server tells of boards it asks of MongoDB, once a second at most, so that all servers say
  the same: take `max by (board)`. While MongoDB does not answer there are no such figures, and
  `canary_mongodb_up` is 0. Only boards are told that were registered and watched at least once.
- What workers tell is about what they did themselves: take `sum`. A worker counts a change when
  MongoDB has taken it. 15 minutes after a board has gone to another worker its series end.
- The server's `canary_board_gaps_total` and `canary_board_unseen_total` outlive workers and their
  restarts; a gap whose numbers are unknown counts as a gap, and in neither of its operations.
- `canary_watch_lag_seconds` compares the clock of ZooKeeper's leader with MongoDB's: keep both
  right. What happened while nobody watched, or while MongoDB was away, is in it as late as it was.
- A worker also shows `process_*`: its memory, CPU, start and open files.
- A scrape keeps nobody waiting: its text is made in steps of a few milliseconds. It costs a worker
  about 0.1 s of CPU for 300 boards, and the server one pass of MongoDB over the jobs that are on
  boards: 0.2 s where they are 200,000. What is counted as it happens costs a worker about 3 µs a
  change and 2 µs a round, and the server 7 µs a request.
"""

_TABLES: Final = (
    ("Of a worker: counted as it happens", catalogue.COUNTED_BY_WORKER),
    ("Of a worker: what is so when it is scraped", catalogue.ASKED_OF_WORKER),
    ("Of the server: what MongoDB knows", catalogue.ASKED_OF_MONGODB),
    ("Of the server: all its processes together", catalogue.COUNTED_BY_SERVER),
)


def document() -> str:
    """Return the text of docs/metrics.md."""
    return _HEAD + "".join(f"\n## {title}\n{_table(metrics)}" for title, metrics in _TABLES)


def _table(metrics: Iterable[Metric]) -> str:
    lines = ["| name | type | labels | what it is |", "| --- | --- | --- | --- |"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        about = metric.help
        if metric.buckets:
            about += f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}."
        lines.append(f"| `{metric.name}` | {metric.kind.value} | {labels} | {about} |")
    return "\n".join(lines) + "\n"
