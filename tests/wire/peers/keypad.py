"""What a customer does to a telephone, as RTP for sipp to play: speech and keys from the pcaps of
Debian's sip-tester.

Those pcaps hold one key each, with fixed sequence numbers and timestamps, so playing "1" twice
would be the same event twice (RFC 4733 section 2.5.1.2). `Handset` gives their packets the headers
that one telephone would give them: one SSRC, sequence numbers without gaps, a clock that runs. The
payloads are untouched.
"""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

from tests.wire.peers import pcap

RECORDINGS = Path("/usr/share/sip-tester")
EVENT_TYPE = 101
_NAMES = {"*": "star", "#": "pound"}
_CLOCK = 8000


@cache
def key_recording(digit: str) -> Path:
    """The pcap of one key as Debian ships it."""
    return RECORDINGS / f"dtmf_2833_{_NAMES.get(digit, digit)}.pcap"


@cache
def _recorded(path: Path) -> tuple[tuple[float, bytes], ...]:
    datagrams = pcap.read(path)
    return tuple((datagram.time - datagrams[0].time, datagram.payload) for datagram in datagrams)


class Handset:
    """One stream of RTP, written a part at a time; each part goes on where the one before ended."""

    def __init__(
        self, ssrc: int = 0x0E05384E, sequence_number: int = 65_530, rtp_timestamp: int = 0xFFFF_F000
    ) -> None:
        self._ssrc = ssrc
        self._sequence = sequence_number  # the defaults wrap soon: every test is a test of that too
        self._clock = rtp_timestamp
        self._speech = 0
        self._last_recorded = -1

    def speak(self, milliseconds: int) -> list[tuple[float, bytes]]:
        """Speech (PCMA, 30 ms a packet) for about so long; offsets in seconds from the part's
        begin."""
        recording = _recorded(RECORDINGS / "g711a.pcap")
        packets = []
        for index in range(max(1, milliseconds // 30)):
            payload = recording[self._speech % len(recording)][1][12:]
            packets.append((index * 0.03, self._packet(8, payload, self._clock, marker=self._speech == 0)))
            self._speech += 1
            self._clock += len(payload)
        return packets

    def press(self, digits: str, gap_ms: int = 180) -> list[tuple[float, bytes]]:
        """The keys, with speech of at least `gap_ms` after each (the recorded events last 140
        ms)."""
        packets: list[tuple[float, bytes]] = []
        offset = 0.0
        for digit in digits:
            start = self._clock
            for at, recorded in _recorded(key_recording(digit)):
                marker, old = bool(recorded[1] & 0x80), struct.unpack_from("!H", recorded, 2)[0]
                again = bool(packets) and not marker and old == self._last_recorded
                packets.append((offset + at, self._packet(EVENT_TYPE, recorded[12:], start, marker, again)))
                self._last_recorded = old
            self._clock = start + int(0.15 * _CLOCK)
            offset += 0.15
            packets += [(offset + at, packet) for at, packet in self.speak(gap_ms)]
            offset += max(1, gap_ms // 30) * 0.03
        return packets

    def _packet(self, kind: int, payload: bytes, timestamp: int, marker: bool, again: bool = False) -> bytes:
        # The recordings repeat an end under the sequence number of the first, as some gateways do:
        # keep that.
        if again:
            self._sequence -= 1
        head = struct.pack(
            "!BBHII",
            0x80,
            kind | (0x80 if marker else 0),
            self._sequence & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            self._ssrc,
        )
        self._sequence += 1
        return head + payload
