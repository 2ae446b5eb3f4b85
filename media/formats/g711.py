"""G.711: one byte a sample at 8 kHz, and the 16-bit sample that it stands for (ITU-T G.711). The
reference of `media/core/audio/g711.c`.

Samples fill 16 bits: the largest is 32124 in u-law and 32256 in A-law. A sine that reaches it has
3.17 dBm0 in u-law and 3.14 dBm0 in A-law. `law` is MU or A.
"""

from __future__ import annotations

from media.formats.coding import Coding

_BIAS = 132


def decode_sample(law: Coding, code: int) -> int:
    """The sample of one byte."""
    if law is Coding.MU:
        code ^= 0xFF
        size = (((code & 0x0F) << 3) + _BIAS << (code >> 4 & 7)) - _BIAS
        return -size if code & 0x80 else size
    code ^= 0x55
    segment = code >> 4 & 7
    size = ((code & 0x0F) << 4) + 8
    if segment:
        size = size + 0x100 << segment - 1
    return size if code & 0x80 else -size


def encode(law: Coding, sample: int) -> int:
    """The byte whose step a sample lies in."""
    if law is Coding.MU:
        size = min(abs(sample), 32635) + _BIAS
        segment = size.bit_length() - 8
        return ((0x80 if sample < 0 else 0) | segment << 4 | (size >> segment + 3 & 0x0F)) ^ 0xFF
    size = min(abs(sample), 32767) >> 4
    segment = max(size.bit_length() - 4, 0)
    return ((0x80 if sample >= 0 else 0) | segment << 4 | (size >> max(segment - 1, 0) & 0x0F)) ^ 0x55
