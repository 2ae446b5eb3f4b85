"""RTCP that stays true where a mask has changed a stream: reports are translated, as RFC 3550
section 7.2 has it.

Rule 1: a sender report counts what went on to the agent: less what was withheld, and with what was
        filled in.
Rule 2: a receiver report about that stream names its highest sequence number as the customer
        counts. Losses stand as they are: numbers without a gap make those of the agent's phone real
        ones.
Rule 3: of a stream in which nothing was changed a report crosses byte by byte, and so does what is
        malformed or no report.
"""

from __future__ import annotations

from collections.abc import Iterator

from media.formats.rtp import Ssrc
from media.reference.sequence import Tracks

SENDER, RECEIVER = 200, 201
_HEAD = {SENDER: 28, RECEIVER: 8}  # bytes before the report blocks
_BLOCK = 24
_WRAP = 1 << 32


def as_sent(compound: bytes, tracks: Tracks) -> bytes:
    """The customer's RTCP, for the agent: its sender reports count what left for the agent."""
    out = bytearray(compound)
    for at, kind, _ in _reports(compound):
        packets, octets = tracks.spared(Ssrc(_word(compound, at + 4)))
        if kind == SENDER:
            _put(out, at + 20, _word(compound, at + 20) - packets)
            _put(out, at + 24, _word(compound, at + 24) - octets)
    return bytes(out)


def as_heard(compound: bytes, tracks: Tracks) -> bytes:
    """The agent's RTCP, for the customer: its report blocks speak of the customer's own sequence
    numbers."""
    out = bytearray(compound)
    for at, kind, count in _reports(compound):
        for block in range(at + _HEAD[kind], at + _HEAD[kind] + _BLOCK * count, _BLOCK):
            _put(out, block + 8, tracks.numbered(Ssrc(_word(compound, block)), _word(compound, block + 8)))
    return bytes(out)


def _reports(compound: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each sender or receiver report begins, which of the two it is, and how many blocks it
    has."""
    at = 0
    while len(compound) - at >= 4 and compound[at] >> 6 == 2:
        count, kind = compound[at] & 0x1F, compound[at + 1]
        size = 4 + 4 * int.from_bytes(compound[at + 2 : at + 4], "big")
        if size > len(compound) - at:
            return
        if kind in _HEAD and size >= _HEAD[kind] + _BLOCK * count:
            yield at, kind, count
        at += size


def _word(packet: bytes, at: int) -> int:
    return int.from_bytes(packet[at : at + 4], "big")


def _put(packet: bytearray, at: int, value: int) -> None:
    packet[at : at + 4] = (value % _WRAP).to_bytes(4, "big")
