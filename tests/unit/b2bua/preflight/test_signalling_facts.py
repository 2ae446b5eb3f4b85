"""What a preflight reads in SIP and SDP, what it advises, and how its report reads."""

from __future__ import annotations

import msgspec
import pytest

from b2bua.preflight.advice import Setting, advise
from b2bua.preflight.audio_facts import AudioFacts
from b2bua.preflight.description import parse_description, write_description
from b2bua.preflight.key_facts import EventFacts, KeyFacts
from b2bua.preflight.observation import Leg, Message
from b2bua.preflight.phone import read_key
from b2bua.preflight.report import LegReport, Mark, Report, Result, Round, describe, judge, sip_conf
from b2bua.preflight.signalling_facts import SignallingFacts, measure_signalling, number_form

INVITE = """INVITE sip:5551234@198.51.100.9 SIP/2.0
Via: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKx
f: <sip:+4930230@carrier.example>;tag=a
To: <sip:5551234@198.51.100.9>
Call-ID: one
CSeq: 1 INVITE
m: <sip:+4930230@10.1.2.3:5060>
k: timer, 100rel
x: 600;refresher=uac
Min-SE: 300
User-Agent: Softswitch 7
Allow: INVITE, ACK, BYE
Content-Type: application/sdp

""".replace("\n", "\r\n")
SDP = """v=0
o=- 1 1 IN IP4 10.9.9.9
s=-
c=IN IP4 10.9.9.9
t=0 0
m=audio 4000 RTP/SAVP 18 8 96 13
a=rtpmap:96 telephone-event/16000
a=ptime:30
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
a=crypto:2 UNKNOWN inline:AAAA
""".replace("\n", "\r\n")
SOURCE = ("203.0.113.5", 5060)


def answer(code: int, at: float, *headers: str, body: str = "") -> Message:
    lines = [f"SIP/2.0 {code} X", "CSeq: 1 INVITE", *headers, "", body]
    return Message(at, SOURCE, "udp", "\r\n".join(lines))


def inbound() -> Leg:
    leg = Leg(is_ours=False, began_at=1.0, answered_at=1.5, remote=parse_description(SDP))
    leg.messages = [Message(1.0, SOURCE, "udp", INVITE + SDP)]
    return leg


def test_an_invite_is_read_in_long_and_short_forms() -> None:
    facts = measure_signalling(inbound())
    assert (facts.direction, facts.transport, facts.source) == ("in", "udp", "203.0.113.5:5060")
    assert (facts.product, facts.methods) == ("Softswitch 7", ["ACK", "BYE", "INVITE"])
    assert (facts.reliable, facts.timer, facts.session_expires, facts.refresher, facts.minimum) == (
        "supported", True, 600, "uac", 300,
    )  # fmt: skip
    assert (facts.codecs, facts.protocol) == (["G729", "PCMA"], "RTP/SAVP")
    assert facts.suites == ["AES_CM_128_HMAC_SHA1_80", "UNKNOWN"]
    assert (facts.contact_host, facts.is_contact_private, facts.is_contact_elsewhere) == (
        "10.1.2.3",
        True,
        True,
    )
    assert (facts.is_media_private, facts.is_media_elsewhere, facts.numbers) == (True, True, "e164")


def test_answers_are_timed_and_early_media_is_seen() -> None:
    leg = Leg(is_ours=True, began_at=1.0, answered_at=2.0, remote=parse_description(SDP))
    leg.messages = [
        answer(100, 1.02),
        answer(183, 1.1, "Require: 100rel", "RSeq: 1", body=SDP),
        answer(200, 2.0, "Contact: <sip:203.0.113.5>", "Session-Expires: 1800;refresher=uas", body=SDP),
    ]
    facts = measure_signalling(leg)
    assert (facts.trying, facts.ringing, facts.answer, facts.code) == (20, 100, 1000, 200)
    assert (facts.has_early_description, facts.reliable) == (True, "required")
    assert (facts.session_expires, facts.refresher, facts.numbers) == (1800, "uas", "")
    assert not facts.is_contact_private


@pytest.mark.parametrize("code", [403, 480, 302])
def test_a_refusal_has_its_code_and_cause(code: int) -> None:
    leg = Leg(is_ours=True, began_at=1.0)
    leg.messages = [answer(407, 1.01), answer(code, 1.1, "Reason: Q.850;cause=21;text=x")]
    facts = measure_signalling(leg)
    assert (facts.code, facts.cause, facts.is_redirected) == (code, 21, code == 302)
    assert measure_signalling(Leg(is_ours=True, began_at=1.0)) == SignallingFacts(direction="out")


@pytest.mark.parametrize(
    ("user", "form"),
    [
        ("+4930", "e164"),
        ("004930", "international"),
        ("030", "national"),
        ("4930", "plain"),
        ("ann", "other"),
        ("", "other"),
    ],
)
def test_numbers_have_forms(user: str, form: str) -> None:
    assert number_form(user) == form


def test_our_description_is_read_as_it_was_meant() -> None:
    ours = parse_description(write_description("192.0.2.7", 20000, None))
    assert (ours.host, ours.port, ours.protocol) == ("192.0.2.7", 20000, "RTP/AVP")
    assert [each.kind for each in ours.formats] == [0, 8, 101]
    theirs = parse_description(SDP)
    assert (theirs.ptime, [each.clock for each in theirs.events]) == (30, [16000])
    answered = parse_description(write_description("::1", 20000, theirs.cryptos[0], theirs))
    assert [each.kind for each in answered.formats] == [8, 96]
    assert (answered.host, answered.is_encrypted, answered.suites) == (
        "::1",
        True,
        ("AES_CM_128_HMAC_SHA1_80",),
    )
    for broken in (
        "",
        "m=audio",
        "m=audio x RTP/AVP 0",
        "m=video 1 RTP/AVP 0\r\na=crypto:",
        "a=crypto:\r\nm=audio 1 A 0",
    ):
        assert not parse_description(broken).codecs or parse_description(broken).port == 1


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay; x=y", b"signal = #\r\n", "#"),
        ("application/dtmf", b"7", "7"),
        ("application/dtmf", b" d\r\n", "D"),
        ("application/dtmf-relay", b"Duration=160", ""),
        ("text/plain", b"Signal=5", ""),
        ("application/dtmf", b"55", ""),
    ],
)
def test_a_key_in_an_info_is_read(kind: str, body: bytes, key: str) -> None:
    assert read_key(kind, body) == key


def keys(**more: int) -> KeyFacts:
    return KeyFacts(asked=10, right=10, arrived=10, **more)


def settings(facts: list[KeyFacts], **current: str) -> dict[str, str]:
    return {each.name: each.value for each in advise(facts, [], [], [], current, is_carrier=True)}


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ([keys(as_events=10)], {"capture_tones": "no", "info_digits": "no"}),
        ([keys(as_tones=10, tones_alone=10)], {"capture_tones": "yes"}),
        ([keys(as_events=10, as_tones=10, as_both=10)], {"capture_tones": "no", "info_digits": "no"}),
        ([keys(as_events=4, as_tones=6, tones_alone=6)], {"capture_tones": "yes", "info_digits": "no"}),
        (
            [keys(as_events=10), keys(as_tones=10, tones_alone=10)],
            {"capture_tones": "yes", "info_digits": "no"},
        ),
        ([keys(as_infos=10)], {"info_digits": "yes"}),
        ([keys(as_events=20, doubled=10)], {"capture_tones": "no", "info_digits": "no", "slow_keys": "yes"}),
        ([keys(as_events=10, doubled=1)], {"capture_tones": "no", "info_digits": "no"}),
        ([KeyFacts(asked=10)], {}),
    ],
)
def test_keys_give_the_settings_that_capture_them(facts: list[KeyFacts], lines: dict[str, str]) -> None:
    assert settings(facts) == lines


def test_signalling_gives_settings_that_say_whether_they_are_new() -> None:
    leg = measure_signalling(inbound())
    current = {"srtp": "yes", "nat": "no", "match": "192.0.2.0/24"}
    found = {
        each.name: each
        for each in advise(
            [], [AudioFacts(is_elsewhere=True)], [leg], ["198.51.100.7"], current, is_carrier=False
        )
    }
    assert {name: (each.value, each.is_new) for name, each in found.items()} == {
        "srtp": ("yes", False), "prack": ("supported", True), "session_expires": ("600", True),
        "numbers": ("e164", True), "transport": ("udp", True), "nat": ("yes", True),
        "match": ("192.0.2.0/24, 198.51.100.7", True),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rounds", "result"),
    [
        ([Round(pressed="events", facts=keys()), Round(pressed="tones", facts=keys())], Result.PASSED),
        (
            [Round(pressed="events", facts=keys()), Round(pressed="tones", facts=KeyFacts(asked=10))],
            Result.FAILED,
        ),
        ([Round(pressed="by hand", facts=KeyFacts(asked=10))], Result.INCONCLUSIVE),
        ([Round(pressed="by hand", facts=KeyFacts(asked=10, right=9, arrived=9))], Result.FAILED),
    ],
)
def test_the_result_is_that_of_the_worst_round(rounds: list[Round], result: Result) -> None:
    assert judge(rounds)[0] is result


def test_a_report_reads_well_and_marks_what_is_odd() -> None:
    facts = keys(as_events=10, as_tones=10, as_both=10, doubled=5)
    facts.latency, facts.tail = 500.0, 120.0
    facts.events = EventFacts(
        payload_types=[96], agreed=[101], clock=16000, agreed_clock=8000, ends=1, unmarked=2, own_ssrc=True
    )
    audio = AudioFacts(
        packets=100, lost=10, ptime=20, said_ptime=30, codec="PCMA", source="1.2.3.4:5", early=3,
        is_elsewhere=True, refused=2, noise=4, restarts=1, rtcp=2,
    )  # fmt: skip
    report = Report(
        at="now", section="carrier north", number="1", result=Result.PASSED, why="",
        legs=[LegReport(signalling=measure_signalling(inbound()), audio=audio)],
        rounds=[Round(pressed="events", facts=facts)], strangers=["192.0.2.66"],
        settings=[Setting(name="nat", value="yes", why="because", is_new=False)],
    )  # fmt: skip
    rows = {row.topic: row for row in describe(report)}
    warned = {topic for topic, row in rows.items() if row.mark in (Mark.WARNING, Mark.FAULT)}
    assert warned == {
        "calls in: Contact", "calls in: SDP", "calls in: ptime", "calls in: source", "calls in: line",
        "calls in: SRTP", "keys as events: doubled", "keys as events: delay", "keys as events: payload type",
        "keys as events: clock", "keys as events: packets", "stranger",
    }  # fmt: skip
    assert "120 after" in rows["keys as events: both"].text
    assert sip_conf(report) == ["[carrier north]", "; because (as in the file)", "nat = yes"]
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
