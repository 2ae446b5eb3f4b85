"""Deliveries over HTTP: listed, sent again, and noted in the audit log by their own ids."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from b2bua.api.http import create_app
from b2bua.api.webhook_routes import loggable_delivery
from b2bua.call.webhook_kinds import KINDS, RECEIPT, choose
from b2bua.notify.endpoint import Endpoint
from b2bua.records.payments import PaymentTable
from b2bua.records.webhooks import Event
from b2bua.switchboard.webhooks import Webhooks
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.unit.b2bua.switchboard.played_services import Service

TOKEN = "agent-under-test-0001"
EVENT = "evt_" + "0a" * 16


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    path = tmp_path / "payments.sqlite"
    payments = PaymentTable(path)
    webhooks = Webhooks(path, [Endpoint("crm", Service(), frozenset(KINDS))], "urn:t", lambda: 1e9)
    for number, kind in enumerate(("payment.started", "payment.charged")):
        event = Event(id=f"{EVENT[:-1]}{number}", subject="p-1", kind=kind, body=b"{}")
        payments.notices.webhooks.add(event, ["crm"], 1e9)
    app = create_app(FakeDesk(), authenticators=everybody(f"ann:{TOKEN}"), webhooks=webhooks)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api",
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as client:  # fmt: skip
        yield client
    await webhooks.close()
    payments.close()


async def test_services_and_deliveries_are_listed(agent: httpx.AsyncClient) -> None:
    (service,) = (await agent.get("/v1/webhooks")).json()
    assert (service["name"], service["host"], len(service["events"])) == ("crm", "crm.example", len(KINDS))
    found = (await agent.get("/v1/webhooks/deliveries", params={"webhook": "crm"})).json()
    assert [each["type"] for each in found] == ["tonewall.payment.charged", "tonewall.payment.started"]
    assert [each["next_at"] for each in found] == [None, "2001-09-09T01:46:40.000+00:00"]
    assert not any("body" in each for each in found)
    for asked in ({"payment": "p-2"}, {"state": "failed"}, {"before": found[1]["id"]}, {"webhook": "x"}):
        assert (await agent.get("/v1/webhooks/deliveries", params=asked)).json() == []
    for wrong in ({"state": "lost"}, {"limit": "0"}, {"limit": "x"}):
        assert (await agent.get("/v1/webhooks/deliveries", params=wrong)).status_code == 422


async def test_one_is_sent_again_unless_it_waits_for_another(agent: httpx.AsyncClient) -> None:
    last, first = (await agent.get("/v1/webhooks/deliveries")).json()
    answers = [
        (await agent.post(f"/v1/webhooks/deliveries/{each}/redeliver")).status_code
        for each in (first["id"], last["id"], f"{EVENT}.crm", f"{EVENT}.gone", "%2e%2e")
    ]
    assert answers == [202, 409, 404, 404, 404]


def test_what_is_no_id_of_ours_is_in_no_log() -> None:
    assert loggable_delivery(f"{EVENT}.crm-2") == f"{EVENT}.crm-2"
    for other in ("4111111111111111", f"{EVENT}.", f"{EVENT}.crm\n", "evt_1.crm"):
        assert loggable_delivery(other) == "by another name"


def test_events_are_chosen_by_name_or_beginning() -> None:
    assert choose(["payment.*"]) == choose(["*"]) == frozenset(KINDS) - {RECEIPT}
    assert choose(["payment.*", "payment.receipt"]) == frozenset(KINDS)
    assert choose(["tonewall.payment.receipt"]) == {RECEIPT}
    assert choose(["tonewall.payment.charged", "payment.refund*"]) == {
        "payment.charged", "payment.refunded", "payment.refund_failed", "payment.refund_unknown",
    }  # fmt: skip
    for wrong in ([""], ["payment.*ed"], ["call.*"], ["payment"], ["payment.rec*"]):
        with pytest.raises(ValueError, match="expected some of"):
            choose(wrong)
