"""Presses of keys among packets: as telephone-events (RFC 4733), and as tones in G.711.

Rule 1: whatever looks like a telephone-event is one, under whatever payload type.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from b2bua.preflight.observation import Packet
from b2bua.self_test.tones import CODECS, RATE, find_spans

KEYS: Final = "0123456789*#ABCD"  # by event code, RFC 4733 section 3.2
_SEGMENT: Final = 0xFFFF  # the longest duration of one segment, section 2.5.1.3
_NOISE: Final = 13
_BROKEN: Final = RATE * 3 // 100  # samples; between two presses there are 40 ms at least (ITU-T Q.24)
_MAX_GAP: Final = RATE  # samples of silence that stand for what was not sent


@dataclass(frozen=True, slots=True)
class Event:
    """A press as an event. `ended_at`: its first packet with the end bit, or its last one; `ends`:
    packets with that bit; `duration` and `first_duration` in units of `timestamp`; `at`: of each
    packet that says something new; `whole_at`: of the first with the whole duration."""

    key: str = field(repr=False)
    payload_type: int
    ssrc: int
    timestamp: int
    began_at: float
    ended_at: float
    duration: int
    first_duration: int
    ends: int
    marked: bool
    at: tuple[float, ...]
    whole_at: float


@dataclass(frozen=True, slots=True)
class Tone:
    """A press as a tone in the audio, as long as it can be heard."""

    key: str = field(repr=False)
    began_at: float
    ended_at: float


def find_events(packets: Iterable[Packet], types: Iterable[int]) -> list[Event]:
    """The presses that are events, in order. `types`: the payload types that were agreed on."""
    agreed = frozenset(types)
    groups: dict[tuple[int, int, int], list[Packet]] = {}
    for packet in packets:
        if _is_event(packet, agreed):
            groups.setdefault((packet.ssrc, packet.payload_type, packet.timestamp), []).append(packet)
    found: list[Event] = []
    for group in groups.values():
        event = _event(group)
        before = found[-1] if found else None
        if before is not None and _follows(before, event):  # a long press in segments
            found[-1] = _join(before, event)
        else:
            found.append(event)
    return found


def find_tones(packets: Sequence[Packet]) -> list[Tone]:
    """The presses that can be heard in G.711, in order. Takes a second for each half minute."""
    streams: dict[tuple[int, int], list[Packet]] = {}
    for packet in packets:
        if packet.payload_type in CODECS:
            streams.setdefault((packet.ssrc, packet.payload_type), []).append(packet)
    found: list[Tone] = []
    for (_, kind), stream in streams.items():
        samples, starts, times = _timeline(stream, CODECS[kind].decode)
        spans: list[tuple[str, int, int]] = []
        for key, begin, end in find_spans(samples):
            if spans and spans[-1][0] == key and begin - spans[-1][2] < _BROKEN:
                begin = spans.pop()[1]  # noqa: PLW2901  # one tone, with a dropout in it
            spans.append((key, begin, end))
        for key, begin, end in spans:
            found.append(Tone(key, _time_of(begin, starts, times), _time_of(end, starts, times)))
    return sorted(found, key=lambda tone: tone.began_at)


def is_audio(packet: Packet, types: Iterable[int]) -> bool:
    """Whether a packet is neither an event nor comfort noise."""
    return packet.payload_type != _NOISE and not _is_event(packet, frozenset(types))


def _is_event(packet: Packet, agreed: frozenset[int]) -> bool:
    payload = packet.payload
    if packet.payload_type in agreed:
        return len(payload) >= 4 and payload[0] < len(KEYS)
    stranger = packet.payload_type not in CODECS and packet.payload_type != _NOISE
    return stranger and len(payload) == 4 and payload[0] < len(KEYS)


def _event(group: list[Packet]) -> Event:
    first = group[0]
    ends = [packet for packet in group if packet.payload[1] & 0x80]
    seen: set[bytes] = set()
    at = []
    for packet in group:
        if packet.payload not in seen:
            seen.add(packet.payload)
            at.append(packet.at)
    durations = [int.from_bytes(packet.payload[2:4], "big") for packet in group]
    whole = max(durations)
    return Event(
        key=KEYS[first.payload[0]],
        payload_type=first.payload_type,
        ssrc=first.ssrc,
        timestamp=first.timestamp,
        began_at=first.at,
        ended_at=(ends or group[-1:])[0].at,
        duration=whole,
        first_duration=durations[0],
        ends=len(ends),
        marked=any(packet.marker for packet in group),
        at=tuple(at),
        whole_at=group[durations.index(whole)].at,
    )


def _follows(before: Event, event: Event) -> bool:
    apart = (event.timestamp - before.timestamp) % (1 << 32)
    same = before.key == event.key and before.ssrc == event.ssrc
    return same and not before.ends and before.duration >= _SEGMENT and 0 < apart == before.duration


def _join(before: Event, event: Event) -> Event:
    return replace(
        before,
        ended_at=event.ended_at,
        duration=before.duration + event.duration,
        ends=event.ends,
        at=before.at + event.at,
        whole_at=event.whole_at,
    )


def _timeline(
    stream: list[Packet], decode: Callable[[bytes], list[int]]
) -> tuple[list[int], list[int], list[float]]:
    """All samples of a stream, and of each packet the place of its first and its time of
    arrival."""
    samples: list[int] = []
    starts: list[int] = []
    times: list[float] = []
    due = stream[0].timestamp
    for packet in stream:
        gap = (packet.timestamp - due + (1 << 31)) % (1 << 32) - (1 << 31)
        if -_MAX_GAP < gap < 0:
            continue  # late, or a copy
        samples.extend([0] * min(max(gap, 0), _MAX_GAP))
        starts.append(len(samples))
        times.append(packet.at)
        samples.extend(decode(packet.payload))
        due = (packet.timestamp + len(packet.payload)) % (1 << 32)
    return samples, starts, times


def _time_of(sample: int, starts: list[int], times: list[float]) -> float:
    place = max(bisect.bisect_right(starts, sample) - 1, 0)
    return times[place] + (sample - starts[place]) / RATE
