"""Every metric as it is declared, documented and shown."""

import re
from pathlib import Path

import gevent
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily

from canary.metrics import catalogue
from canary.metrics.document import document
from canary.metrics.exposition import BREATH, exposed
from canary.metrics.metric import Kind
from canary.metrics.worker import WorkerMetrics
from tests.scraping import read

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"

# Declared


def test_names_follow_prometheus() -> None:
    everything = {*catalogue.OF_WORKER, *catalogue.OF_SERVER}  # some are of both
    assert len({metric.name for metric in everything}) == len(everything)
    for metric in everything:
        assert re.fullmatch("canary_[a-z]+(_[a-z]+)*", metric.name)
        assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
        assert bool(metric.buckets) is (metric.kind is Kind.HISTOGRAM)
        assert metric.buckets == tuple(sorted(metric.buckets))
        assert metric.help.endswith(".")
        if metric.kind is Kind.HISTOGRAM:
            assert metric.name.endswith("_seconds")


def test_no_label_is_unbounded() -> None:
    bounded = {"board", "kind", "reason", "operation", "state", "freshness"}
    bounded |= {"route", "method", "status"}
    for metric in (*catalogue.OF_WORKER, *catalogue.OF_SERVER):
        assert set(metric.labels) <= bounded


def test_the_lag_is_told_from_a_millisecond_to_a_minute() -> None:
    assert catalogue.LAG.buckets[0] == 0.001
    assert catalogue.LAG.buckets[-1] == 60


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "run `make metrics`"


def test_the_page_has_every_metric_and_no_other() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == [metric.name for metric in (*catalogue.OF_WORKER, *catalogue.OF_SERVER)]


# Shown


HOSTILE = (
    '/a "quoted" board\'s/jobs',
    "/back\\slash\\n/jobs",
    "/br{a}ces,=#/jobs",
    "/Ünïcode/\u2028/jobs",
    "/ space /jobs\\",
)


@pytest.mark.parametrize("board", HOSTILE)
@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_any_path_that_a_board_may_have_is_a_label(board: str, accept: str) -> None:
    registry = CollectorRegistry()
    WorkerMetrics(registry).looked(board, 0.1)
    text, _ = exposed(registry, accept)
    lines = text.decode().split("\n")
    assert sum("canary_rounds_total{" in line for line in lines) == 1
    [line] = [line for line in lines if line.startswith("canary_rounds_total{")]
    escaped = board.replace("\\", "\\\\").replace('"', '\\"')
    assert line == f'canary_rounds_total{{board="{escaped}"}} 1.0'
    assert read(registry).value("canary_rounds_total", board=board) == 1


def test_others_have_their_turn_while_a_scrape_is_made() -> None:
    family = GaugeMetricFamily("canary_many", "Many.", labels=["board"])
    for number in range(20 * BREATH):
        family.add_metric([f"/{number}"], number)
    turns = 0

    def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    class Many:
        def collect(self) -> list[GaugeMetricFamily]:
            return [family]

    other = gevent.spawn(count)
    try:
        text, _ = exposed(Many(), "")
    finally:
        other.kill()
    assert text.count(b"\n") == 20 * BREATH + 2
    assert turns >= 20
