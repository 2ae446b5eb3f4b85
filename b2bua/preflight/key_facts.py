"""How keys came: in what form, how often, and how the events were written.

Rule 1: pure; counts and times, never a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final

import msgspec

from b2bua.preflight.observation import Leg, Packet, Pressed
from b2bua.preflight.presses import Event, Tone, find_events, find_tones, is_audio

_TOGETHER: Final = 0.35  # seconds between the forms of one press
_TWICE: Final = 0.4  # seconds within which the same key again is the same press: slow_keys
_CLOCKS: Final = (8000, 16000, 24000, 32000, 44100, 48000)
_SHORTEST: Final = 0.04  # seconds; of a shorter event the clock cannot be told


class EventFacts(msgspec.Struct, kw_only=True):
    """How events are written. Times in ms, clocks in Hz; 0: not seen. `agreed`: the payload types
    of the peer's description; `ends`: packets with the end bit, of the press with the fewest."""

    payload_types: list[int] = msgspec.field(default_factory=list)
    agreed: list[int] = msgspec.field(default_factory=list)
    clock: int = 0
    agreed_clock: int = 0
    update: float = 0.0
    shortest: float = 0.0
    longest: float = 0.0
    ends: int = 0
    unmarked: int = 0
    own_ssrc: bool = False
    audio_between: int = 0  # packets of audio while an event lasted
    apart: float = 0.0  # the shortest time from the end of a press to the next


class KeyFacts(msgspec.Struct, kw_only=True):
    """How keys came. `asked`: how many were to be pressed, 0 where nobody knows; `right`: the
    longest run of them that came in order. `lead` and `tail`: ms of tone before and after its
    event."""

    asked: int = 0
    right: int = 0
    arrived: int = 0
    as_events: int = 0
    as_tones: int = 0
    as_infos: int = 0
    as_both: int = 0  # as event and tone
    tones_alone: int = 0  # tones without an event
    doubled: int = 0
    doubled_within: float = 0.0  # ms, the most
    lead: float = 0.0
    tail: float = 0.0
    latency: float = 0.0  # ms from the first packet of a key that left to the first that came
    events: EventFacts = msgspec.field(default_factory=EventFacts)


def measure_keys(leg: Leg, pressed: Sequence[Pressed] = (), since: float = 0.0) -> KeyFacts:
    """How the keys came on a leg from a time on. Takes a second for each half minute of audio."""
    packets = [packet for packet in leg.packets if packet.at >= since]
    types = [each.kind for each in leg.remote.events]
    events, tones = find_events(packets, types), find_tones(packets)
    infos = [info for info in leg.infos if info.at >= since]
    pairs = _pair(events, tones)
    facts = KeyFacts(
        asked=len(pressed),
        as_events=len(events),
        as_tones=len(tones),
        as_infos=len(infos),
        as_both=len({id(event) for event, _ in pairs}),
        tones_alone=len(tones) - len({id(tone) for _, tone in pairs}),
    )
    forms = [
        [(each.key, each.began_at, each.ended_at) for each in events],
        [(each.key, each.began_at, each.ended_at) for each in tones],
        [(each.key, each.at, each.at) for each in infos],
    ]
    asked = [each.key for each in pressed]
    # One press in two forms is one: the form with the most keys is what arrived.
    found = [_without_doubles(form) for form in forms]
    rights = [_in_order(asked, [key for key, *_ in rows]) if asked else len(rows) for rows, *_ in found]
    rows, facts.doubled, facts.doubled_within = found[rights.index(max(rights))]
    facts.arrived, facts.right = len(rows), max(rights) if asked else 0
    for event, tone in pairs:
        facts.lead = max(facts.lead, _ms(min(event.began_at, tone.ended_at) - tone.began_at))
        facts.tail = max(facts.tail, _ms(tone.ended_at - max(event.ended_at, tone.began_at)))
    facts.latency = _latency(pressed, rows)
    if events:
        facts.events = _measure_events(events, packets, leg)
    else:
        facts.events.agreed = types
    return facts


def _measure_events(events: list[Event], packets: list[Packet], leg: Leg) -> EventFacts:
    agreed = leg.remote.events
    lengths = [_ms(each.ended_at - each.began_at) for each in events]
    updates = [_ms(later - earlier) for each in events for earlier, later in pairwise(each.at)]
    kinds = [each.kind for each in agreed]
    audio = [packet for packet in packets if is_audio(packet, kinds)]
    between = sum(
        any(each.began_at < packet.at < each.ended_at for each in events if each.ssrc == packet.ssrc)
        for packet in audio
    )
    pauses = [_ms(later.began_at - earlier.ended_at) for earlier, later in pairwise(events)]
    return EventFacts(
        payload_types=sorted({each.payload_type for each in events}),
        agreed=kinds,
        clock=_clock(events),
        agreed_clock=next((each.clock for each in agreed if each.kind == events[0].payload_type), 0),
        update=round(median(updates), 1) if updates else 0.0,
        shortest=min(lengths),
        longest=max(lengths),
        ends=min(each.ends for each in events),
        unmarked=sum(not each.marked for each in events),
        own_ssrc=bool(audio) and not {each.ssrc for each in events} & {packet.ssrc for packet in audio},
        audio_between=between,
        apart=max(min(pauses), 0.0) if pauses else 0.0,
    )


def _clock(events: list[Event]) -> int:
    """The clock rate in which durations are counted: the known one nearest to what was measured."""
    rates = []
    for each in events:
        # The first packet has a duration of its own: what the others add is measured.
        length = each.whole_at - each.began_at
        if length >= _SHORTEST:
            rates.append((each.duration - each.first_duration) / length)
    if not rates:
        return 0
    measured = median(rates)
    return min(_CLOCKS, key=lambda clock: abs(clock - measured))


def _pair(events: list[Event], tones: list[Tone]) -> list[tuple[Event, Tone]]:
    """The events whose key is a tone as well, about then."""
    pairs, begin = [], 0
    for event in events:
        while begin < len(tones) and tones[begin].ended_at < event.began_at - _TOGETHER:
            begin += 1
        for tone in tones[begin:]:
            if tone.began_at > event.ended_at + _TOGETHER:
                break
            if tone.key == event.key:
                pairs.append((event, tone))
    return pairs


def _without_doubles(
    rows: list[tuple[str, float, float]],
) -> tuple[list[tuple[str, float, float]], int, float]:
    """The presses without those that repeat the one before at once; how many those are, and how
    late at most, in ms."""
    kept: list[tuple[str, float, float]] = []
    doubled, within = 0, 0.0
    for row in sorted(rows, key=lambda each: each[1]):
        if kept and kept[-1][0] == row[0] and row[1] - kept[-1][2] < _TWICE:
            doubled, within = doubled + 1, max(within, _ms(row[1] - kept[-1][2]))
        else:
            kept.append(row)
    return kept, doubled, max(within, 0.0)


def _in_order(asked: list[str], came: list[str]) -> int:
    """The length of the longest common subsequence of at most 64 keys each."""
    asked, came = asked[:64], came[:64]
    lengths = [0] * (len(came) + 1)
    for key in asked:
        corner = 0
        for place, other in enumerate(came, 1):
            above = lengths[place]
            lengths[place] = corner + 1 if key == other else max(above, lengths[place - 1])
            corner = above
    return lengths[-1]


def _latency(pressed: Sequence[Pressed], rows: list[tuple[str, float, float]]) -> float:
    """The median, where every key that left came, in order."""
    if not pressed or [each.key for each in pressed] != [key for key, *_ in rows]:
        return 0.0
    delays = [_ms(row[1] - each.at) for each, row in zip(pressed, rows, strict=True) if each.at]
    return round(median(delays), 1) if delays else 0.0


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
