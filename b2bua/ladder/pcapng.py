"""Writes blocks of pcapng files (draft-ietf-opsawg-pcapng), and UDP in IP as their packets."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from typing import Final

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
_MAGIC: Final = 0x1A2B3C4D
_LINK_RAW: Final = 101  # a packet is an IP packet
_COMMENT, _APPLICATION, _RECEIVED, _DROPPED = 1, 4, 4, 5  # options
_UDP: Final = 17
_HEAD: Final = 8  # octets of a block's type and length

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
End = tuple[Address, int]


def section(comments: Iterable[str]) -> bytes:
    """The block that a file begins with."""
    body = struct.pack("<IHHq", _MAGIC, 1, 0, -1)
    return _block(SECTION, body + _texts([(_APPLICATION, "Tonewall"), *_as_options(comments)]))


def interface() -> bytes:
    """The only interface of a file; times are microseconds."""
    return _block(INTERFACE, struct.pack("<HHI", _LINK_RAW, 0, 0))


def packet(at_us: int, octets: bytes, comments: Iterable[str] = ()) -> bytes:
    """A packet. `at_us`: microseconds since the epoch."""
    head = struct.pack("<IIIII", 0, *_time(at_us), len(octets), len(octets))
    return _block(PACKET, head + _padded(octets) + _texts(_as_options(comments)))


def statistics(at_us: int, received: int, dropped: int, comments: Iterable[str] = ()) -> bytes:
    """How many packets were seen, and how many of them are not in the file."""
    counts = ((_RECEIVED, received), (_DROPPED, dropped))
    options = b"".join(struct.pack("<HHQ", code, 8, count) for code, count in counts)
    texts = _texts(_as_options(comments)) or bytes(4)
    return _block(STATISTICS, struct.pack("<III", 0, *_time(at_us)) + options + texts)


def udp(source: End, target: End, payload: bytes) -> bytes:
    """A datagram in IP, of the family of `source`, with its checksums."""
    size = 8 + len(payload)
    datagram = struct.pack("!HHHH", source[1], target[1], size, 0) + payload
    pseudo = source[0].packed + target[0].packed + struct.pack("!HH", _UDP, size)
    checksum = _checksum(pseudo + datagram) or 0xFFFF
    datagram = datagram[:6] + checksum.to_bytes(2, "big") + datagram[8:]
    if source[0].version == 6:
        head = struct.pack("!IHBB", 6 << 28, size, _UDP, 64)
        return head + source[0].packed + target[0].packed + datagram
    head = (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, _UDP, 0) + source[0].packed + target[0].packed
    )
    return head[:10] + _checksum(head).to_bytes(2, "big") + head[12:] + datagram


def documentation(number: int, version: int) -> Address:
    """An address for documentation (RFC 5737, RFC 3849), which stands for ours on a leg."""
    number = number % 250 + 1
    return ipaddress.ip_address(f"2001:db8::{number:x}" if version == 6 else f"192.0.2.{number}")


class WholeBlocks:
    """Parts a stream of blocks where a block ends."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, octets: bytes) -> bytes:
        """The blocks that are whole with these octets. Raises ValueError where they are none."""
        self._rest += octets
        end = 0
        while len(self._rest) - end >= _HEAD:
            (size,) = struct.unpack_from("<I", self._rest, end + 4)
            if size < _HEAD + 4 or size % 4:
                raise ValueError("no block of pcapng")
            if len(self._rest) - end < size:
                break
            end += size
        whole, self._rest = self._rest[:end], self._rest[end:]
        return whole


def _time(at_us: int) -> tuple[int, int]:
    return at_us >> 32, at_us & 0xFFFFFFFF


def _checksum(octets: bytes) -> int:
    """Of RFC 1071."""
    octets += b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _as_options(comments: Iterable[str]) -> list[tuple[int, str]]:
    return [(_COMMENT, comment) for comment in comments]


def _texts(options: Iterable[tuple[int, str]]) -> bytes:
    found = b""
    for code, text in options:
        octets = text.encode()
        found += struct.pack("<HH", code, len(octets)) + _padded(octets)
    return found + bytes(4) if found else b""


def _block(kind: int, body: bytes) -> bytes:
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _padded(octets: bytes) -> bytes:
    return octets + b"\0" * (-len(octets) % 4)
