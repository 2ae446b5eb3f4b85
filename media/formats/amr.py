"""Frames of AMR and AMR-WB in an RTP payload (RFC 4867 section 4), bandwidth-efficient or
octet-aligned; bounds-checked."""

from __future__ import annotations

# Bits of speech by frame type (RFC 4867 section 3.6, 3GPP TS 26.101 and 26.201).
_BITS = (95, 103, 118, 134, 148, 159, 204, 244)
_BITS_WB = (132, 177, 253, 285, 317, 365, 397, 461, 477)
_MOST_FRAMES = 32


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the payload ends early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)


def frames(payload: bytes, *, wideband: bool, octets: bool) -> list[bytes] | None:
    """Frames of speech as files store them (RFC 4867 section 5): a header octet, then the bits,
    filled up to an octet.

    None where one of them is no speech (comfort noise, nothing, of bad quality). Raises ValueError
    for what is no such payload.
    """
    bits, padding = _Bits(payload), 2 if octets else 0
    bits.take(8 if octets else 4)  # which mode is wished for
    kinds: list[tuple[int, int]] = []
    more = 1
    while more:
        more, kind, good = bits.take(1), bits.take(4), bits.take(1)
        bits.take(padding)
        kinds.append((kind, good))
        if len(kinds) > _MOST_FRAMES:
            raise ValueError("too many frames")
    table = _BITS_WB if wideband else _BITS
    if any(kind >= len(table) or not good for kind, good in kinds):
        return None
    stored = []
    for kind, _ in kinds:
        size = table[kind]
        room = -(-size // 8)
        data = bits.take(8 * room) if octets else bits.take(size) << (8 * room - size)
        stored.append(bytes([kind << 3 | 4]) + data.to_bytes(room, "big"))
    return stored
