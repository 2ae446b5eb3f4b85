"""Reads what the core records of packets: headers, and of a payload its length alone.

Rule 1: a record has no room for a payload (media/core/relay/tap.h, where it is made).
Rule 2: of a masked stream a record has neither payload type, marker, rtp_timestamp nor length, and
        its time is rounded down to the second.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

RECORDS: Final = 2048  # that wait to be read, of one stream
_RECORD: Final = struct.Struct("=qIIHHHBBBB16s6x")  # both ends are on this machine
RECORD_SIZE: Final = _RECORD.size
_MAPPED: Final = bytes(10) + b"\xff\xff"  # RFC 4291 section 2.5.5.2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TapKind(IntEnum):
    """The kind of a packet. `OTHER`: neither, or it does not authenticate; `FOREIGN`: not from the
    leg's peer."""

    OTHER = 0
    RTP = 1
    RTCP = 2
    FOREIGN = 3


class TapFlag(IntFlag):
    """`SENT`: by us; `SEALED`: as SRTP; `MASKED`: under a mask."""

    SENT = 1
    MARKER = 2
    MASKED = 4
    SEALED = 8


@dataclass(frozen=True, slots=True)
class TapRecord:
    """A packet. `at_us`: microseconds since the epoch; `payload_type`: of RTP, or the packet type
    of RTCP; `length`: of the payload, in octets, 0 where it is not recorded; `socket`: 0 and 1 for
    RTP and RTCP of the caller's leg, 2 and 3 of the agent's; `host`, `port`: of the other end."""

    at_us: int
    rtp_timestamp: int
    ssrc: int
    sequence_number: int
    length: int
    port: int
    kind: TapKind
    payload_type: int
    flags: TapFlag
    socket: int
    host: Address

    @property
    def is_agents(self) -> bool:
        """Whether it passes on the agent's leg."""
        return self.socket >= 2


def read_records(octets: bytes) -> Iterator[TapRecord]:
    """The records of `Relay.read_tap`. Raises ValueError."""
    if len(octets) % RECORD_SIZE:
        raise ValueError("no whole number of records")
    for fields in _RECORD.iter_unpack(octets):
        at_us, timestamp, ssrc, number, length, port, kind, payload_type, flags, socket, host = fields
        rtp = at_us, timestamp, ssrc, number, length
        yield TapRecord(*rtp, port, TapKind(kind), payload_type, TapFlag(flags), socket, _address(host))


def _address(host: bytes) -> Address:
    return ipaddress.IPv4Address(host[12:]) if host.startswith(_MAPPED) else ipaddress.IPv6Address(host)
