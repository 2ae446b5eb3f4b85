"""Classic pcap files of UDP packets: read what was captured, write what sipp is to play."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_GLOBAL = struct.Struct("<IHHiIII")
_MICROSECONDS, _NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_ETHERNET, _RAW, _IPV4, _UDP = 1, 101, 0x0800, 17
_MACS = bytes(12) + b"\x08\x00"  # in front of a packet that was captured without a frame


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP packet over IPv4. `time` in seconds, since the epoch where it was captured."""

    time: float
    source: tuple[str, int]
    destination: tuple[str, int]
    payload: bytes


def read(path: Path) -> list[Datagram]:
    """Every whole UDP packet in the file, in its order. Raises ValueError for what is no pcap of
    Ethernet or of IP."""
    data = path.read_bytes()
    if len(data) < _GLOBAL.size:
        return []
    (magic,) = struct.unpack_from("<I", data)
    if magic not in (_MICROSECONDS, _NANOSECONDS):
        raise ValueError(f"{path.name}: not a little-endian pcap file")
    unit = 1e-6 if magic == _MICROSECONDS else 1e-9
    link = _GLOBAL.unpack_from(data)[6]
    if link not in (_ETHERNET, _RAW):
        raise ValueError(f"{path.name}: not a capture of Ethernet frames or IP packets")
    found: list[Datagram] = []
    offset = _GLOBAL.size
    while offset + 16 <= len(data):
        seconds, fraction, length, _original = struct.unpack_from("<IIII", data, offset)
        frame = data[offset + 16 : offset + 16 + length]
        offset += 16 + length
        if link == _RAW:
            frame = _MACS + frame
        datagram = _parse(seconds + fraction * unit, frame)
        if datagram is not None:
            found.append(datagram)
    return found


def _parse(time: float, frame: bytes) -> Datagram | None:
    if len(frame) < 42 or int.from_bytes(frame[12:14], "big") != _IPV4 or frame[23] != _UDP:
        return None
    header = (frame[14] & 0x0F) * 4
    udp = 14 + header
    source, destination, length = struct.unpack_from("!HHH", frame, udp)
    ends = [".".join(map(str, frame[at : at + 4])) for at in (26, 30)]
    return Datagram(time, (ends[0], source), (ends[1], destination), frame[udp + 8 : udp + length])


def write(path: Path, packets: list[tuple[float, bytes]]) -> None:
    """Write UDP payloads with their offsets in seconds. Addresses are placeholders: sipp puts in
    its own."""
    out = bytearray(_GLOBAL.pack(_MICROSECONDS, 2, 4, 0, 0, 65535, _ETHERNET))
    for offset, payload in packets:
        length = len(payload)
        ip = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 28 + length, 0, 0, 64, _UDP, 0, b"\x7f\0\0\1", b"\x7f\0\0\1"
        )
        frame = bytes(12) + b"\x08\x00" + ip + struct.pack("!HHHH", 10000, 10002, 8 + length, 0) + payload
        micros = round(offset * 1e6)
        out += struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(frame), len(frame)) + frame
    path.write_bytes(out)
