"""What a scrape gets: counts of what ended and of what is there, and nothing of any call."""

from __future__ import annotations

import re
import subprocess

import httpx
from prometheus_client.parser import text_string_to_metric_families

from b2bua.api.http import create_app
from b2bua.api.metrics import Metrics
from b2bua.call.cdr import CallRecord, CaptureRecord, LegRecord
from b2bua.call.leg import LegAnswered, LegFailed, LegHungUp, LegId, LegInvited, LegProgressed, Party
from b2bua.call.leg_command import AnswerLeg, HangUpLeg, InviteLeg, RejectLeg, RingLeg
from b2bua.call.service_view import FAULT_KINDS, Fault, Stops
from b2bua.call.tallies import Tallies
from b2bua.call.trunk_view import HopView, TrunkView
from media.events import LegCounters
from provider_adapters.payment import Approved, Declined, Unknown
from provider_adapters.reconciler.messages import WebhookRefusal
from tests.browser.fake_desk import FakeDesk
from tests.canary import CANARY, find_in_text
from tests.everybody import everybody
from tests.installed import ROOT
from tests.programs import require_program

NUMBER = "442079460123"
HEALTH = {"media": True, "calls": 3, "sessions": 2, "leaks": 1, "strangers": 7}


def record(**more: object) -> CallRecord:
    values = {
        "call": f"c-{NUMBER}", "direction": "inbound", "caller": NUMBER, "callee": CANARY.number,
        "started_at": 0.0,
        "answered_at": 4.0, "ended_at": 64.5, "end": CANARY.number,
    }  # fmt: skip
    return CallRecord(**values | more)  # type: ignore[arg-type]


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, read by Prometheus' own parser."""
    families = text_string_to_metric_families(text.decode())
    return {
        (one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples
    }


def test_what_ended_is_counted_by_words_of_a_fixed_list():
    metrics = Metrics()
    leg = LegRecord(
        counters=LegCounters(received=90, sent=80, masked=5, expected=100, missing=10, arrival_jitter=7000),
        mos=4.1,
    )
    paid = CaptureRecord(
        transaction_id=NUMBER, amount=1, currency="EUR", stage="finished", outcome="approved"
    )
    odd = CaptureRecord(transaction_id=NUMBER, amount=1, currency="EUR", stage=CANARY.number)
    metrics.observe(record(captures=(paid, odd), caller_leg=leg))
    metrics.observe(record(answered_at=None, direction=NUMBER))
    text = metrics.render(HEALTH)
    seen = samples(text)
    assert seen["tonewall_calls_ended_total", "inbound", "yes"] == 1
    assert seen["tonewall_calls_ended_total", "no", "other"] == 1
    assert seen[("tonewall_talk_seconds_total",)] == 60.5
    assert (seen["tonewall_payments_total", "approved"], seen["tonewall_payments_total", "other"]) == (1, 1)
    assert (
        seen["tonewall_packets_total", "caller", "masked"],
        seen["tonewall_packets_total", "caller", "missing"],
    ) == (5, 10)
    assert (
        seen["tonewall_loss_ratio_bucket", "0.05", "caller"],
        seen["tonewall_loss_ratio_bucket", "0.1", "caller"],
    ) == (0, 1)
    assert seen["tonewall_jitter_seconds_sum", "caller"] == 0.007
    assert seen["tonewall_mos_sum", "caller"] == 4.1
    assert ("tonewall_heard_mos_count", "caller") not in seen
    assert [seen[(f"tonewall_{name}",)] for name in ("media_up", "calls", "sessions", "payers")] == [
        1,
        3,
        2,
        0,
    ]
    assert (seen[("tonewall_leaks_total",)], seen[("tonewall_strangers_total",)]) == (1, 7)
    assert NUMBER.encode() not in text
    assert find_in_text(text.decode()) == []


def test_charges_of_saved_cards_are_counted_once_beside_those_of_calls():
    metrics, tallies = Metrics(), Tallies()
    paid = CaptureRecord(transaction_id="t", amount=1, currency="EUR", stage="finished", outcome="approved")
    metrics.observe(record(captures=(paid,)))
    tallies.count_saved(Approved(reference="ch_1"))
    tallies.count_saved(Unknown(reason="amount_differs"))
    metrics.render(HEALTH, (), tallies)
    tallies.count_saved(Declined(reason="stolen"))
    seen = samples(metrics.render(HEALTH, (), tallies))
    assert [seen["tonewall_payments_total", word] for word in ("approved", "unknown", "declined")] == [
        2,
        1,
        1,
    ]
    assert seen["tonewall_payment_differences_total", "amount_differs"] == 1


def test_refused_webhooks_are_counted_by_provider_and_reason():
    refused = {"north": {WebhookRefusal.BAD_SIGNATURE: 3, WebhookRefusal.TOO_LARGE: 1}}
    tallies = Tallies(refused_webhooks=refused)
    seen = samples(Metrics().render(HEALTH, (), tallies))
    assert seen["tonewall_refused_webhooks_total", "bad_signature", "north"] == 3
    assert seen["tonewall_refused_webhooks_total", "north", "too_large"] == 1
    assert seen["tonewall_refused_webhooks_total", "north", "stale"] == 0, "an alarm needs the zero before"
    assert tallies.all_refused_webhooks == 4


ANNE, BOB = Party(NUMBER), Party(CANARY.number)


def test_answers_to_invites_are_counted_by_trunk_and_code_and_timed() -> None:
    now = 100.0
    metrics = Metrics(lambda: now)
    sip = metrics.sip
    invited = LegInvited("carrier", ANNE, BOB, b"")
    sip.on_event(LegId("in"), invited)
    sip.on_command(LegId("out"), InviteLeg("pbx", ANNE, BOB, b""))
    now = 100.7
    sip.on_event(LegId("out"), LegProgressed(180, CANARY.number))
    sip.on_event(LegId("out"), LegProgressed(183, ""))  # the first one alone counts
    sip.on_command(LegId("in"), RingLeg(180, "Ringing"))
    now = 106.0
    sip.on_event(LegId("out"), LegAnswered(b""))
    sip.on_command(LegId("in"), AnswerLeg(b""))
    for code in (486, 499, 603):
        sip.on_command(LegId("out"), InviteLeg("pbx", ANNE, BOB, b""))
        sip.on_event(LegId("out"), LegFailed(code, CANARY.number))
    sip.on_event(LegId("in"), invited)
    sip.on_command(LegId("in"), RejectLeg(0, ""))
    sip.on_command(LegId("out"), InviteLeg("pbx", ANNE, BOB, b""))
    sip.on_command(LegId("out"), HangUpLeg())
    sip.on_event(LegId("out"), LegFailed(487, ""))  # of the CANCEL, and counted already
    sip.on_event(LegId("in"), LegHungUp(""))
    assert sip.pending == 0
    text = metrics.render(HEALTH)
    seen = samples(text)
    answers = {key[1:]: value for key, value in seen.items() if key[0] == "tonewall_sip_responses_total"}
    assert answers == {
        ("200", "carrier", "received"): 1, ("500", "carrier", "received"): 1, ("200", "pbx", "sent"): 1,
        ("486", "pbx", "sent"): 1, ("4xx", "pbx", "sent"): 1, ("603", "pbx", "sent"): 1,
        ("487", "pbx", "sent"): 1,
    }  # fmt: skip
    assert seen["tonewall_ringing_seconds_count", "pbx", "sent"] == 1
    assert seen["tonewall_ringing_seconds_bucket", "1.0", "carrier", "received"] == 1
    assert seen["tonewall_answer_seconds_bucket", "5.0", "pbx", "sent"] == 0
    assert seen["tonewall_answer_seconds_sum", "pbx", "sent"] == 6
    assert find_in_text(text.decode()) == []


def test_faults_trunks_and_the_version_are_shown() -> None:
    hops = tuple(
        HopView(address="192.0.2.1", port=5060, transport="udp", usable=each) for each in (True, False)
    )
    trunk = TrunkView(name="north", kind="carrier", calls=2, refused=5, hops=hops, registration="failed")
    media = Fault(what="media", says="away", stops=Stops.CALLS)
    text = Metrics().render(HEALTH, (media,), None, (trunk,))
    seen = samples(text)
    assert [seen["tonewall_fault", kind] for kind in ("media", "payers")] == [1, 0]
    assert seen[("tonewall_takes_calls",)] == 0
    assert samples(Metrics().render(HEALTH))[("tonewall_takes_calls",)] == 1
    assert seen["tonewall_trunk_legs", "carrier", "north"] == 2
    assert seen["tonewall_trunk_refused_total", "north"] == 5
    assert seen["tonewall_trunk_hops", "north", "yes"] == seen["tonewall_trunk_hops", "no", "north"] == 1
    assert seen["tonewall_trunk_registered", "north"] == 0
    assert [value for key, value in seen.items() if key[0] == "tonewall_build_info"] == [1]


def test_prometheus_finds_nothing_to_object_to() -> None:
    metrics = Metrics()
    metrics.observe(record(caller_leg=LegRecord(mos=4.1, heard_mos=4.0)))
    metrics.sip.on_event(LegId("in"), LegInvited("carrier", ANNE, BOB, b""))
    metrics.sip.on_command(LegId("in"), RingLeg(180, ""))
    metrics.sip.on_command(LegId("in"), AnswerLeg(b""))
    check = [require_program("promtool"), "check", "metrics"]
    found = subprocess.run(check, input=metrics.render(HEALTH), capture_output=True, check=False)
    assert (found.returncode, found.stderr, found.stdout) == (0, b"", b"")


def test_each_kind_of_fault_is_listed() -> None:
    sources = [path.read_text() for path in (ROOT / "b2bua").rglob("*.py")]
    made = {kind for source in sources for kind in re.findall(r'\bFault\(\s*what="([a-z_]+)"', source)}
    assert made == set(FAULT_KINDS)


async def test_a_scrape_needs_a_token_and_gets_text():
    app = create_app(FakeDesk(), authenticators=everybody("prometheus:a-token-for-the-tests"))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://tonewall.test"
    ) as stranger:
        assert (await stranger.get("/metrics")).status_code == 401
        answer = await stranger.get("/metrics", headers={"Authorization": "Bearer a-token-for-the-tests"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert samples(answer.content)[("tonewall_calls",)] == 0
