"""The report of a preflight: for people as rows, for programs as JSON, and as lines of sip.conf."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from b2bua.preflight.advice import Setting
from b2bua.preflight.audio_facts import AudioFacts
from b2bua.preflight.key_facts import EventFacts, KeyFacts
from b2bua.preflight.signalling_facts import SignallingFacts

_MUCH_LOSS: Final = 0.01
_MUCH_JITTER: Final = 20.0  # ms
_MUCH_DELAY: Final = 400.0  # ms, of a key through the carrier and back (ITU-T G.114: 2 × 150, and ours)
_FEW_ENDS: Final = 2


class Result(StrEnum):
    """What a preflight shows."""

    PASSED = "passed"  # every key arrived
    FAILED = "failed"  # the call was refused, or keys are missing
    INCONCLUSIVE = "inconclusive"  # no call came, or nobody keyed


class Mark(StrEnum):
    """Of a row."""

    GOOD = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


class Row(NamedTuple):
    """A line of the table."""

    mark: Mark
    topic: str
    text: str


class Round(msgspec.Struct, kw_only=True):
    """One form of keys. `pressed`: events, tones, or by hand."""

    pressed: str
    facts: KeyFacts


class LegReport(msgspec.Struct, kw_only=True):
    """One leg of the test call, as received."""

    signalling: SignallingFacts
    audio: AudioFacts


class Report(msgspec.Struct, kw_only=True):
    """A preflight. `at`: RFC 3339, UTC; `section`: of sip.conf."""

    at: str
    section: str
    number: str
    result: Result
    why: str
    legs: list[LegReport] = msgspec.field(default_factory=list)
    rounds: list[Round] = msgspec.field(default_factory=list)
    strangers: list[str] = msgspec.field(default_factory=list)
    settings: list[Setting] = msgspec.field(default_factory=list)


def judge(rounds: list[Round]) -> tuple[Result, str]:
    """The result of the keys, and why."""
    arrived = sum(each.facts.arrived for each in rounds)
    asked = sum(each.facts.asked for each in rounds)
    by_hand = any(each.pressed == "by hand" for each in rounds)
    if not arrived and by_hand:
        return Result.INCONCLUSIVE, "no key was seen: either nobody keyed, or the trunk carries no keys"
    for each in rounds:
        facts = each.facts
        if facts.right < facts.asked:
            why = f"of {facts.asked} keys pressed as {each.pressed}, {facts.right} arrived in order"
            return Result.FAILED, why
    return Result.PASSED, f"all {asked} keys arrived in order"


def describe(report: Report) -> list[Row]:
    """The rows of a report."""
    rows: list[Row] = []
    for leg in report.legs:
        where = "calls out" if leg.signalling.direction == "out" else "calls in"
        rows += [Row(mark, f"{where}: {topic}", text) for mark, topic, text in _of_leg(leg)]
    for each in report.rounds:
        where = "keys by hand" if each.pressed == "by hand" else f"keys as {each.pressed}"
        rows += [Row(mark, f"{where}: {topic}", text) for mark, topic, text in _of_keys(each.facts)]
    rows += [
        Row(Mark.WARNING, "stranger", f"{host} sent an INVITE, and is none of the trunk's addresses")
        for host in report.strangers
    ]
    return rows


def sip_conf(report: Report) -> list[str]:
    """The lines of sip.conf that fit, each reason above its value."""
    lines = [f"[{report.section}]"]
    for each in report.settings:
        lines += [
            f"; {each.why}" + ("" if each.is_new else " (as in the file)"),
            f"{each.name} = {each.value}",
        ]
    return lines if report.settings else []


def _of_leg(leg: LegReport) -> Iterator[Row]:
    signalling, audio = leg.signalling, leg.audio
    yield from _of_answer(signalling)
    if signalling.protocol:
        mark = Mark.NOTE if "SAVP" in signalling.protocol else Mark.GOOD
        suites = f", {', '.join(signalling.suites)}" if signalling.suites else ""
        yield Row(mark, "codecs", f"{', '.join(signalling.codecs)} by {signalling.protocol}{suites}")
    yield Row(Mark.GOOD, "PRACK", {"": "not named"}.get(signalling.reliable, signalling.reliable))
    yield Row(Mark.GOOD, "session timer", _timer(signalling))
    yield from _of_addresses(signalling)
    if audio.packets:
        yield from _of_audio(audio)
    elif signalling.answer or signalling.direction == "in":
        yield Row(Mark.FAULT, "audio", "no packet came: firewall, NAT, or [media] advertised")


def _of_answer(signalling: SignallingFacts) -> Iterator[Row]:
    name = f" ({signalling.product})" if signalling.product else ""
    if signalling.direction == "in":
        numbers = {"": ""}.get(signalling.numbers, f", callers written as {signalling.numbers}")
        yield Row(Mark.GOOD, "INVITE", f"from {signalling.source} by {signalling.transport}{name}{numbers}")
        return
    times = [("100", signalling.trying), ("18x", signalling.ringing), ("200", signalling.answer)]
    seen = ", ".join(f"{code} after {after:g} ms" for code, after in times if after)
    mark = Mark.GOOD if signalling.answer else Mark.FAULT
    cause = f", Q.850 cause {signalling.cause}" if signalling.cause else ""
    end = "" if signalling.answer else f"refused with {signalling.code}{cause}" if signalling.code else ""
    text = ", ".join(filter(None, [seen, end])) or "no answer"
    yield Row(mark, "INVITE", f"{text}{name}")
    if signalling.has_early_description:
        yield Row(Mark.NOTE, "early media", "a provisional answer describes it")


def _timer(signalling: SignallingFacts) -> str:
    if not signalling.timer and not signalling.session_expires:
        return "not named"
    parts = [f"{signalling.session_expires} s" if signalling.session_expires else "supported"]
    parts += [f"refreshed by the {signalling.refresher}"] if signalling.refresher else []
    parts += [f"{signalling.minimum} s at least"] if signalling.minimum else []
    return ", ".join(parts)


def _of_addresses(signalling: SignallingFacts) -> Iterator[Row]:
    if signalling.is_contact_private or signalling.is_contact_elsewhere:
        kind = "a private address" if signalling.is_contact_private else "another address than its packets'"
        mark = Mark.WARNING if signalling.is_contact_private else Mark.NOTE
        yield Row(mark, "Contact", f"{signalling.contact_host}: {kind}")
    if signalling.is_media_private:
        yield Row(Mark.WARNING, "SDP", f"{signalling.media_host}: a private address")


def _of_audio(audio: AudioFacts) -> Iterator[Row]:
    text = f"{audio.codec or audio.payload_type}, {audio.ptime:g} ms a packet, from {audio.source}"
    yield Row(Mark.GOOD, "audio", text)
    if audio.said_ptime and audio.ptime and abs(audio.said_ptime - audio.ptime) >= 1:
        yield Row(Mark.WARNING, "ptime", f"{audio.said_ptime} ms described, {audio.ptime:g} ms sent")
    if audio.is_elsewhere:
        yield Row(Mark.WARNING, "source", "not where its SDP says")
    if audio.early:
        yield Row(Mark.NOTE, "early media", f"{audio.early} packets before the answer")
    figures = f"{audio.loss:.1%} lost, {audio.late} late, {audio.copies} copies, jitter {audio.jitter:g} ms"
    is_bad = audio.loss > _MUCH_LOSS or audio.jitter > _MUCH_JITTER
    mark = Mark.WARNING if is_bad else Mark.GOOD
    yield Row(mark, "line", f"{figures}, longest gap {audio.longest_gap:g} ms")
    if audio.refused:
        yield Row(Mark.FAULT, "SRTP", f"{audio.refused} packets were not authentic")
    if audio.noise or audio.pauses:
        text = f"silence is not sent: {audio.noise} packets of comfort noise, {audio.pauses} pauses"
        yield Row(Mark.NOTE, "silence", text)
    if audio.restarts:
        yield Row(Mark.NOTE, "SSRC", f"changed {audio.restarts} times")
    yield Row(Mark.GOOD, "RTCP", f"{audio.rtcp} packets" if audio.rtcp else "none")


def _of_keys(facts: KeyFacts) -> Iterator[Row]:
    ways = [("events", facts.as_events), ("tones", facts.as_tones), ("SIP INFOs", facts.as_infos)]
    seen = ", ".join(f"{count} {way}" for way, count in ways if count) or "nothing"
    mark = Mark.GOOD if facts.right == facts.asked and facts.arrived else Mark.FAULT
    of = f" of {facts.asked}" if facts.asked else ""
    yield Row(mark, "arrived", f"{facts.right or facts.arrived}{of}, as {seen}")
    if facts.as_both:
        text = (
            f"{facts.as_both} keys are event and tone: {facts.lead:g} ms of tone before, {facts.tail:g} after"
        )
        yield Row(Mark.NOTE, "both", text)
    if facts.doubled:
        text = f"{facts.doubled} keys came twice, within {facts.doubled_within:g} ms"
        yield Row(Mark.WARNING, "doubled", text)
    if facts.latency:
        mark = Mark.WARNING if facts.latency > _MUCH_DELAY else Mark.GOOD
        yield Row(mark, "delay", f"{facts.latency:g} ms through the carrier and back")
    if facts.as_events:
        yield from _of_events(facts.events)


def _of_events(events: EventFacts) -> Iterator[Row]:
    kinds = ", ".join(map(str, events.payload_types))
    is_agreed = set(events.payload_types) <= set(events.agreed)
    agreed = "" if is_agreed else f", agreed was {', '.join(map(str, events.agreed)) or 'none'}"
    yield Row(Mark.GOOD if is_agreed else Mark.WARNING, "payload type", f"{kinds}{agreed}")
    if events.clock:
        is_right = events.agreed_clock in (0, events.clock)
        agreed = "" if is_right else f", agreed was {events.agreed_clock} Hz"
        yield Row(Mark.GOOD if is_right else Mark.WARNING, "clock", f"{events.clock} Hz{agreed}")
    text = f"{events.shortest:g} to {events.longest:g} ms, {events.apart:g} ms apart at least"
    yield Row(Mark.GOOD, "length", text)
    mark = Mark.GOOD if events.ends >= _FEW_ENDS else Mark.WARNING
    yield Row(mark, "packets", f"every {events.update:g} ms, the end {events.ends} times")
    odd = [f"{events.unmarked} without a marker"] if events.unmarked else []
    odd += ["of an SSRC of their own"] if events.own_ssrc else []
    odd += [f"{events.audio_between} packets of audio meanwhile"] if events.audio_between else []
    if odd:
        yield Row(Mark.NOTE, "habits", ", ".join(odd))
