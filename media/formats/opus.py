"""Measures Opus payloads and makes silent ones (RFC 7587, RFC 6716 section 3.1), at 48 kHz."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_DURATION = 5760  # 120 ms
_UNIT = 120  # 2.5 ms
_SILENT_CONFIG = 16  # CELT, narrowband, 2.5 ms; mono


@dataclass(frozen=True, slots=True)
class Opus:
    """Opus packets, one a payload. A packet may repeat the one before it (section 2.1.7)."""

    unit: int = _UNIT
    repeats: bool = True

    def accepts(self, parameters: Mapping[str, str]) -> bool:
        """Every parameter of RFC 7587 section 6.1 is a wish of the receiver's."""
        del parameters
        return True

    def duration(self, payload: bytes) -> int:
        """RFC 6716 section 3.1, table 2; 0 above 120 ms."""
        if not payload:
            return 0
        config, code = payload[0] >> 3, payload[0] & 3
        if config >= 16:
            frame = _UNIT << config % 4
        elif config >= 12:
            frame = 480 << config % 2
        else:
            frame = (480, 960, 1920, 2880)[config % 4]
        count = (1, 2, 2, payload[1] & 0x3F if len(payload) > 1 else 0)[code]
        return frame * count if frame * count <= MAX_DURATION else 0

    def silence(self, duration: int) -> bytes:
        """Frames of no octets, which a sender leaves out (section 3.1): the longest that fit."""
        frames = duration // _UNIT
        if not frames:
            return b""
        longest = next(power for power in (3, 2, 1, 0) if frames % (1 << power) == 0)
        count = frames >> longest
        first = _SILENT_CONFIG + longest << 3
        return bytes([first]) if count == 1 else bytes([first | 3, count])

    def frames(self, payload: bytes) -> list[bytes]:
        """The decoder reads a packet whole."""
        return [payload]
