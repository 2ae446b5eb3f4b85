"""Measures and cuts AMR and AMR-WB payloads, and makes silent ones (RFC 4867); bounds-checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Bits of speech by frame type (RFC 4867 section 3.6, 3GPP TS 26.101 and 26.201).
_BITS = (95, 103, 118, 134, 148, 159, 204, 244)
_BITS_WB = (132, 177, 253, 285, 317, 365, 397, 461, 477)
_MAX_FRAMES = 32
# Parameters of forms that are not read here, and the value that asks for none (section 8.1).
_UNREAD = {"crc": "0", "robust-sorting": "0", "interleaving": "0", "channels": "1"}


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take_bits(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the payload ends early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)


@dataclass(frozen=True, slots=True)
class Amr:
    """AMR, or AMR-WB where `wideband`; bandwidth-efficient, or octet-aligned where `octets`."""

    wideband: bool = False
    octets: bool = False
    repeats: bool = False

    @property
    def unit(self) -> int:
        """20 ms."""
        return 320 if self.wideband else 160

    def accepts(self, parameters: Mapping[str, str]) -> bool:
        """Whether the fmtp asks for this form, and for nothing that is not read."""
        given = (parameters.get(name, "0") not in ("0", usual) for name, usual in _UNREAD.items())
        return not any(given) and (parameters.get("octet-align") == "1") == self.octets

    def duration(self, payload: bytes) -> int:
        """By its table of contents (section 4.3.2); 0 where that does not end, or is too long."""
        width, at = (8, 8) if self.octets else (6, 4)
        for frames in range(1, _MAX_FRAMES + 1):
            if at + width > 8 * len(payload):
                return 0
            if not payload[at // 8] >> (7 - at % 8) & 1:
                return frames * self.unit
            at += width
        return 0

    def silence(self, duration: int) -> bytes:
        """No mode request, then frames of NO_DATA (type 15) of good quality."""
        frames = duration // self.unit
        if not frames:
            return b""
        if self.octets:
            return bytes([0xF0, *[0xFC] * (frames - 1), 0x7C])
        entries = [0x3F] * (frames - 1) + [0x1F]
        bits = "1111" + "".join(f"{entry:06b}" for entry in entries)
        return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")

    def frames(self, payload: bytes) -> list[bytes]:
        """Frames of speech as files store them (section 5): a header octet, then the bits, filled
        up to an octet.

        Raises ValueError for another payload, and where a frame is no speech: comfort noise, no
        data, or of bad quality.
        """
        bits, padding = _Bits(payload), 2 if self.octets else 0
        bits.take_bits(8 if self.octets else 4)  # the mode request
        kinds: list[tuple[int, int]] = []
        more = 1
        while more:
            more, kind, good = bits.take_bits(1), bits.take_bits(4), bits.take_bits(1)
            bits.take_bits(padding)
            kinds.append((kind, good))
            if len(kinds) > _MAX_FRAMES:
                raise ValueError("too many frames")
        table = _BITS_WB if self.wideband else _BITS
        if any(kind >= len(table) or not good for kind, good in kinds):
            raise ValueError("a frame is no speech")
        stored = []
        for kind, _ in kinds:
            size = table[kind]
            room = -(-size // 8)
            data = bits.take_bits(8 * room) if self.octets else bits.take_bits(size) << (8 * room - size)
            stored.append(bytes([kind << 3 | 4]) + data.to_bytes(room, "big"))
        return stored
