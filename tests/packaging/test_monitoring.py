"""What an operator loads into Prometheus and Grafana: it names metrics that there are, each fault
has an alert, each alert fires, and the runbook has what to do."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from b2bua.access.sign_in import SignInResult
from b2bua.api.metrics import Metrics
from b2bua.call.cdr import CallRecord, CaptureRecord, LegRecord
from b2bua.call.leg import LegAnswered, LegFailed, LegId, LegProgressed, Party
from b2bua.call.leg_command import InviteLeg
from b2bua.call.service_view import FAULT_KINDS, Stops
from b2bua.call.tallies import Tallies
from b2bua.call.trunk_view import HopView, TrunkView
from media.events import LegCounters
from provider_adapters.payment import DIFFERENCES
from tests.architecture.pages import PAGES
from tests.programs import require_program

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "tonewall.json"
_METRIC = re.compile(r"tonewall_\w+")
_RUNBOOK = re.compile(r"docs/alerts\.md#(\w+)")
WELL = {"media": True, "reconciler": True, "payers": 4, "calls": 2, "listed_files": 900, "filtered": True}


def scrape() -> bytes:
    """A scrape in which every metric has a value, of a Tonewall that is well."""
    metrics = Metrics()
    leg = LegRecord(
        counters=LegCounters(received=100, sent=100, expected=100, arrival_jitter=900), mos=4.3, heard_mos=4.2
    )
    paid = CaptureRecord(transaction_id="t", amount=1, currency="EUR", stage="finished", outcome="approved")
    metrics.observe(
        CallRecord(
            call="c", direction="inbound", caller="1", callee="2", started_at=0, answered_at=1, ended_at=9,
            end="hung up", captures=(paid,), caller_leg=leg, agent_leg=leg,
        )
    )  # fmt: skip
    metrics.count_sign_in(next(iter(SignInResult)))
    for event in (LegAnswered(b""), LegFailed(486, "Busy Here")):
        metrics.sip.on_command(LegId("out"), InviteLeg("north", Party("1"), Party("2"), b""))
        metrics.sip.on_event(LegId("out"), LegProgressed(180, "Ringing"))
        metrics.sip.on_event(LegId("out"), event)
    hop = HopView(address="192.0.2.1", port=5060, transport="udp", usable=True)
    trunk = TrunkView(
        name="north", kind="carrier", calls=1, refused=0, hops=(hop,), registration="registered"
    )
    return metrics.render(WELL, (), Tallies(refused_webhooks={"psp": {}}), (trunk,))


def series() -> dict[str, float]:
    """Each sample of the scrape, as PromQL names it."""
    found = {}
    for family in text_string_to_metric_families(scrape().decode()):
        for sample in family.samples:
            labels = {"instance": "a", "job": "tonewall", **sample.labels}
            named = ", ".join(f'{name}="{value}"' for name, value in labels.items())
            found[f"{sample.name}{{{named}}}"] = sample.value
    return found


NAMES = {name.partition("{")[0] for name in series()}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> Iterator[tuple[str, str]]:
    """Title and expression of everything that the dashboard asks for."""
    board = json.loads(DASHBOARD.read_text())
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["label"], variable["definition"]
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [require_program("promtool"), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "expressions",
    [[rule["expr"] for rule in alerts()], [expression for _, expression in panels()]],
    ids=["alerts", "dashboard"],
)
def test_they_name_metrics_that_a_scrape_has(expressions: list[str]) -> None:
    named = {name for expression in expressions for name in _METRIC.findall(expression)}
    assert len(named) > 20
    assert named <= NAMES


def test_each_fault_and_whatever_is_stopped_has_an_alert() -> None:
    every = " ".join(rule["expr"] for rule in alerts())
    assert {kind for kind in FAULT_KINDS if f'tonewall_fault{{what="{kind}"}}' not in every} == set()
    assert f'tonewall_stopped{{what="{Stops.RECORDS}"}}' in every
    assert "tonewall_takes_calls" in every
    assert all(f'reason="{reason}"' in " ".join(series()) for reason in DIFFERENCES), "the zero before"


def test_each_alarm_of_the_docs_has_an_alert() -> None:
    table = (ROOT / "docs" / "operations.md").read_text().partition("## Metrics")[2]
    rows = [row for row in table.splitlines() if row.startswith("|") and "alarm" in row]
    every = {name for rule in alerts() for name in _METRIC.findall(rule["expr"])} | {"tonewall_changed_files"}
    assert len(rows) > 5
    assert [row for row in rows if not every & set(_METRIC.findall(row.partition("|")[2]))] == []


def test_the_runbook_has_a_section_with_a_command_for_each_alert() -> None:
    page = next(page for page in PAGES if page.where.endswith("alerts.md"))
    sections = dict(
        re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page.path.read_text(), re.MULTILINE | re.DOTALL)
    )
    names = [rule["alert"] for rule in alerts()]
    assert sorted(sections) == sorted(names)
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        linked = _RUNBOOK.fullmatch(rule["annotations"]["runbook"])
        assert linked is not None
        assert linked[1] == rule["alert"].lower()
        section = sections[rule["alert"]]
        assert all(f"- **{word}:** " in section for word in ("Means", "Look at", "Do"))
        assert "`" in section.partition("**Look at:**")[2].partition("- **Do:**")[0], rule["alert"]


def test_each_alert_fires_and_none_while_all_is_well(tmp_path: Path) -> None:
    assert promtool("check", "rules", str(RULES)).returncode == 0
    fired = {
        case["alertname"]
        for test in yaml.safe_load(RULES.with_name("alerts_test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    names = [rule["alert"] for rule in alerts()]
    assert fired == set(names)
    found = promtool("test", "rules", str(RULES.with_name("alerts_test.yml")))
    assert found.returncode == 0, found.stdout + found.stderr
    well = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": f"{value}x90"}
                    for name, value in {**series(), 'up{instance="a", job="tonewall"}': 1.0}.items()
                ],
                "alert_rule_test": [
                    {"eval_time": "80m", "alertname": name, "exp_alerts": []} for name in names
                ],
            }
        ],
    }
    (tmp_path / "well.yml").write_text(yaml.safe_dump(well))
    found = promtool("test", "rules", str(tmp_path / "well.yml"))
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_dashboard_asks_what_prometheus_understands(tmp_path: Path) -> None:
    board = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert [each["name"] for each in board["templating"]["list"]] == ["datasource", "instance", "trunk"]
    for panel in board["panels"]:
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["unit"], panel["title"]
            assert defaults["thresholds"]["steps"], panel["title"]
    asked = [expression for _, expression in panels() if not expression.startswith("label_values")]
    rules = [
        {"record": f"asked:{number}", "expr": re.sub(r"\[\$__\w+\]", "[5m]", each)}
        for number, each in enumerate(asked)
    ]
    (tmp_path / "asked.yml").write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    found = promtool("check", "rules", str(tmp_path / "asked.yml"))
    assert found.returncode == 0, found.stdout + found.stderr
