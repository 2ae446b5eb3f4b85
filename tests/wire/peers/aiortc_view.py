"""What was on the wire, as aiortc's RTP and RTCP classes understand it: a view that shares no code
with ours."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from aiortc.rtp import RtcpPacket, RtpPacket, is_rtcp

from tests.wire.peers import pcap

Address = tuple[str, int]
_KEYS = "0123456789*#ABCD"


class Keys:
    """Keys as decoded from the wire: to be compared and counted, never shown."""

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        self._digits = digits

    def __eq__(self, other: object) -> bool:
        return self._digits == (other._digits if isinstance(other, Keys) else other)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self._digits)

    def __repr__(self) -> str:
        return f"<{len(self)} keys>"


@dataclass(frozen=True, slots=True)
class Continuity:
    """A stream's sequence numbers: how many are missing, seen again, or came after a later one."""

    missing: int
    again: int
    late: int


@dataclass(slots=True)
class Flow:
    """Everything from one UDP address to another."""

    source: Address
    destination: Address
    rtp: list[RtpPacket] = field(default_factory=list)
    rtcp: list[RtcpPacket] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # of `rtp`, in seconds
    neither: int = 0

    @property
    def ssrcs(self) -> list[int]:
        """In the order in which they were first seen."""
        return list(dict.fromkeys(packet.ssrc for packet in self.rtp))

    def payload_types(self) -> Counter[int]:
        return Counter(packet.payload_type for packet in self.rtp)

    def events(self, event_type: int = 101) -> int:
        """How many telephone-event packets there were."""
        return self.payload_types()[event_type]

    def keys(self, event_type: int = 101) -> Keys:
        """The keys, one for each SSRC and timestamp of an event (RFC 4733 section 2.5.1.2), in the
        order of their begin."""
        found: dict[tuple[int, int], str] = {}
        for packet in self.rtp:
            if (
                packet.payload_type == event_type
                and len(packet.payload) >= 4
                and packet.payload[0] < len(_KEYS)
            ):
                found.setdefault((packet.ssrc, packet.timestamp), _KEYS[packet.payload[0]])
        return Keys("".join(found.values()))

    def continuity(self) -> Continuity:
        """Over all SSRCs, each by itself. An end of event sent again under its own sequence number
        counts as `again`."""
        missing = again = late = 0
        for ssrc in self.ssrcs:
            numbers = [packet.sequence_number for packet in self.rtp if packet.ssrc == ssrc]
            unwrapped = _unwrap(numbers)
            missing += max(unwrapped) - min(unwrapped) + 1 - len(set(unwrapped))
            again += len(unwrapped) - len(set(unwrapped))
            late += sum(b < a for a, b in itertools.pairwise(unwrapped))
        return Continuity(missing, again, late)


def _unwrap(numbers: list[int]) -> list[int]:
    """Sequence numbers without their wrap at 2^16, each taken as near as possible to the highest
    before."""
    highest = numbers[0]
    unwrapped = []
    for number in numbers:
        unwrapped.append(highest + ((number - highest + 0x8000) & 0xFFFF) - 0x8000)
        highest = max(highest, unwrapped[-1])
    return unwrapped


def flows(file: Path, ports: Iterable[int] | None = None) -> dict[tuple[Address, Address], Flow]:
    """The flows of a capture; with `ports`, only those to or from one of them. What aiortc refuses
    counts as `neither`."""
    wanted = None if ports is None else set(ports)
    found: dict[tuple[Address, Address], Flow] = {}
    for datagram in pcap.read(file):
        key = (datagram.source, datagram.destination)
        if wanted is not None and not wanted & {key[0][1], key[1][1]}:
            continue
        flow = found.setdefault(key, Flow(*key))
        try:
            if is_rtcp(datagram.payload):
                flow.rtcp += RtcpPacket.parse(datagram.payload)
            else:
                flow.rtp.append(RtpPacket.parse(datagram.payload))
                flow.times.append(datagram.time)
        except (ValueError, IndexError):
            flow.neither += 1
    return found


def towards(file: Path, port: int) -> Flow:
    """Everything that was sent to one UDP port, from wherever, as one flow."""
    merged = Flow(("", 0), ("", port))
    for (source, destination), flow in flows(file, [port]).items():
        if destination[1] == port:
            merged.source, merged.destination = source, destination
            merged.rtp += flow.rtp
            merged.rtcp += flow.rtcp
            merged.times += flow.times
            merged.neither += flow.neither
    return merged
