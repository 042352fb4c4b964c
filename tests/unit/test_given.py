"""What Prometheus and Grafana are given: alerts and a dashboard that ask for what there is."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from canary.metrics import catalogue
from canary.metrics.metric import Kind, Metric
from tests import promql
from tests.given import alerts, asked_for, dashboard, expressions

DECLARED = {metric.name: metric for metric in (*catalogue.OF_WORKER, *catalogue.OF_SERVER)}


def metric_of(series: str) -> Metric | None:
    """Return the metric that a series is of, as a query has to name it; None if there is none."""
    family = re.sub("_(bucket|sum|count)$", "", series)
    metric = DECLARED.get(family)
    if metric is not None and (metric.kind is Kind.HISTOGRAM) is (family != series):
        return metric
    return None


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("up == 0", {"up"}),
        ('rate(a_total{b="c_total"}[5m]) > 0', {"a_total"}),
        ('sum by (board) (a{x=~"b{2}", y!="}"}) / on (job) group_left () b', {"a", "b"}),
        ("histogram_quantile(0.99, sum without (instance) (rate(a_bucket[1h:5m])))", {"a_bucket"}),
        ("a offset 5m and b unless c or vector(1e6) > bool +Inf", {"a", "b", "c"}),
        ("job:a:rate5m * 60", {"job:a:rate5m"}),
    ],
)
def test_the_series_of_an_expression_are_found(expression: str, expected: set[str]) -> None:
    assert promql.series(expression) == expected


def test_all_that_is_asked_for_is_declared() -> None:
    assert len(asked_for()) > 30
    for series in asked_for():
        assert metric_of(series), f"nobody shows {series}"


def test_labels_that_are_asked_for_are_declared() -> None:
    for expression in expressions():
        names = promql.series(expression)
        of_target = {"job", "instance", "le"}
        labels = {label for name in names if (metric := metric_of(name)) for label in metric.labels}
        grouping = re.findall(r"\b(?:by|without|on)\s*\(([^)]*)\)", expression)
        asked = {label.strip() for group in grouping for label in group.split(",")}
        asked |= set(re.findall(r"[{,]\s*(\w+)\s*(?:=|!=|=~|!~)\s*\"", expression))
        assert asked <= labels | of_target, expression


# Alerts


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    names = [alert["alert"] for alert in alerts()]
    assert len(set(names)) == len(names)
    for alert in alerts():
        assert alert["alert"].startswith("Canary")
        assert re.fullmatch("[0-9]+m", alert["for"])
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"].keys() == {"summary", "description"}
        assert alert["annotations"]["summary"].endswith(".")
        assert len(alert["annotations"]["description"]) > 80, "it says what to do next"


def test_what_somebody_should_act_upon_has_an_alert() -> None:
    expected = {
        *("ServerDown", "WorkerDown", "NoWorkers", "MongoDBAway", "HeartbeatOld"),
        *("BoardUnwatched", "BoardSuspended", "BoardMissing", "BoardDenied", "BoardCatchingUp"),
        *("OldestUnclaimed", "BacklogGrowing", "UnseenChanges", "Drift", "WatchLagHigh"),
        "CheckpointOld",
    }
    assert {f"Canary{name}" for name in expected} <= {alert["alert"] for alert in alerts()}
    freshness = {
        word for alert in alerts() for word in re.findall('freshness="(.*?)"', alert["expr"])
    }
    assert freshness == {"unwatched", "suspended", "missing", "denied", "catching_up"}


# The dashboard


def panels() -> Iterator[dict[str, Any]]:
    return (panel for panel in dashboard()["panels"] if panel["type"] != "row")


def test_the_dashboard_is_one_that_grafana_can_import() -> None:
    found = dashboard()
    assert found["schemaVersion"] == 42, "the last of the classic model: Grafana 12 and 13"
    assert found["id"] is None
    identities = [panel["id"] for panel in found["panels"]]
    assert len(set(identities)) == len(identities)
    variables = {variable["name"]: variable for variable in found["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["board"]["multi"] is variables["board"]["includeAll"] is True
    for asking in (*panels(), variables["board"]):
        assert asking["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith(".")
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] <= 24 - place["w"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_what_is_told_of_a_board_is_told_of_those_that_are_chosen() -> None:
    for panel in panels():
        for target in panel["targets"]:
            metrics = [metric_of(name) for name in promql.series(target["expr"])]
            if all(metric and "board" in metric.labels for metric in metrics):
                is_chosen = 'board=~"$board"' in target["expr"]
                is_of_workers = "instance" in target["legendFormat"]
                assert is_chosen or is_of_workers, target["expr"]


def test_almost_every_metric_is_on_the_dashboard() -> None:
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in asked_for()}
    told_otherwise = {
        "canary_unseen_total",  # by the server, of all workers
        "canary_gaps_total",
        "canary_board_changes_total",  # by workers, by kind
    }
    assert DECLARED.keys() - shown == told_otherwise
