"""What Prometheus and Grafana are given for Canary: which series that asks for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from tests import promql

ETC: Final = Path(__file__).parents[1] / "etc"
ALERTS: Final = ETC / "prometheus" / "alerts.yml"
DASHBOARD: Final = ETC / "grafana" / "canary.json"
NOT_OURS: Final = re.compile("up|process_[a-z_]+")  # Prometheus's own, and its client's


def alerts() -> list[dict[str, Any]]:
    """Return the alerts, in order."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def expressions() -> Iterator[str]:
    """Yield every expression of both."""
    yield from (alert["expr"] for alert in alerts())
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((\w+), \w+\)", variable["query"]["query"])
            assert found, "that is how a variable asks for its values"
            yield found.group(1)


def asked_for() -> set[str]:
    """Return the names of the series of Canary's own that they ask for."""
    names = {name for expression in expressions() for name in promql.series(expression)}
    return {name for name in names if not NOT_OURS.fullmatch(name)}
