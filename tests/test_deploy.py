"""What is under deploy/ is about the metrics that there are, and can be read by what it is for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ocpp_tw.core.commands import OUTCOMES
from ocpp_tw.core.event_names import NAMES
from ocpp_tw.gateway.breaker import QUESTIONS, REASONS
from ocpp_tw.monitoring.metric_table import BY_NAME, METRICS
from ocpp_tw.monitoring.query import STATES

ROOT = Path(__file__).parents[1]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
RULES = [rule for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"] for rule in group["rules"]]

OF_PROMETHEUS = {"instance", "job", "le"}
"""Labels that Prometheus adds, and that of histograms."""

KNOWN_VALUES = {
    "state": set(STATES),
    "outcome": set(OUTCOMES),
    "event": set(NAMES),
    "direction": {"in", "out"},
    "question": set(QUESTIONS),
    "reason": set(REASONS),
    "clients": {"chargers", "operators"},
}
"""Label -> the values that it can have, where their number is closed."""


def expressions() -> list[tuple[str, str]]:
    """Where it is, and the expression."""
    panels = [(f"panel {each['title']}", target["expr"]) for each in DASHBOARD["panels"] for target in each.get("targets", [])]
    notes = [(f"annotation {each['name']}", each["expr"]) for each in DASHBOARD["annotations"]["list"]]
    return panels + notes + [(f"alert {each['alert']}", each["expr"]) for each in RULES]


def family(name: str) -> str:
    """The metric that a series belongs to."""
    for suffix in ("_bucket", "_sum", "_count"):
        shorter = name.removesuffix(suffix)
        if shorter != name and shorter in BY_NAME and BY_NAME[shorter].kind == "histogram":
            return shorter
    return name


def labels_of(name: str) -> set[str]:
    own = set(BY_NAME[family(name)].labels) if family(name) in BY_NAME else set()
    return own | {"instance", "job"} | ({"le"} if name.endswith("_bucket") else set())


@pytest.mark.parametrize(("where", "expression"), expressions(), ids=[where for where, _ in expressions()])
def test_every_metric_label_and_value_of_an_expression_exists(where: str, expression: str):
    series = re.findall(r"([a-z_]+)(?:\{([^}]*)\})?", expression)
    names = {name for name, _ in series if name.startswith(("ocpp_", "process_"))}
    assert names or expression.startswith("up{"), "it is about none of the metrics"
    assert {family(name) for name in names} <= set(BY_NAME)
    for name, selector in series:
        for label, _, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', selector):
            assert label in labels_of(name), f"{name} has no label {label}"
            if label in KNOWN_VALUES:
                assert set(value.split("|")) <= KNOWN_VALUES[label], value
    grouped = {label for found in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(r",\s*", found)}
    assert grouped <= set().union(*map(labels_of, names)), "it groups by a label that none of them has"


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_says_how_bad_it_is_and_what_to_look_at(rule: dict[str, Any]):
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"] and len(rule["annotations"]["description"]) > 40
    shown = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    by = re.findall(r"by \(([^)]*)\)", rule["expr"])
    if by:
        assert shown <= {label for found in by for label in re.split(r",\s*", found)}
    elif re.search(r"\b(sum|max|min)\(", rule["expr"]):
        assert not shown, "an aggregate has no labels"
    else:
        assert shown <= set().union(*(labels_of(name) for name in re.findall(r"(?:ocpp|process)_[a-z_]+", rule["expr"])), {"instance"})


def test_alerts_have_names_of_their_own():
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 10


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    panels = DASHBOARD["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    places = [(x, y) for p in panels for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
              for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])]  # fmt: skip
    assert len(places) == len(set(places)) and max(x for x, _ in places) < 24


def test_a_legend_shows_only_labels_that_its_series_have():
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            by = re.findall(r"by \(([^)]*)\)", target["expr"])
            has = {label for found in by for label in re.split(r",\s*", found)} if by else set().union(
                *(labels_of(name) for name in re.findall(r"(?:ocpp|process)_[a-z_]+", target["expr"]))
            )  # fmt: skip
            assert shown <= has, panel["title"]


def test_the_example_scrapes_the_path_that_is_served_and_has_the_rules():
    example = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (job,) = example["scrape_configs"]
    assert (job["metrics_path"], job["job_name"]) == ("/metrics", "ocpp")
    for file in example["rule_files"]:
        assert (ROOT / "deploy/prometheus" / file).exists()
    said = {job for _, expression in expressions() for job in re.findall(r'job="(\w+)"', expression)}
    assert said == {"ocpp"}


def test_names_are_as_prometheus_wants_them():
    for each in METRICS:
        assert re.fullmatch(r"(ocpp|process)_[a-z_]+", each.name)
        assert each.name.endswith("_total") == (each.kind == "counter")
        assert not each.labels or not set(each.labels) & {"charger", "id", "tag", "connector", "instance", "job", "le"}
        assert each.kind == "gauge" or each.workers == "sum"


def test_the_documents_have_every_metric():
    text = (ROOT / "docs/operations.md").read_text()
    assert [each.name for each in METRICS if f"| `{each.name}` |" not in text] == []
