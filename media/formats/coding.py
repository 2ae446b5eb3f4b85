"""What media can look into: codecs that have one byte for each unit of an rtp_timestamp that runs
at 8 kHz."""

from __future__ import annotations

from enum import IntEnum


class Coding(IntEnum):
    """G.711 of either law (g711.py), and G.722, of which one half band is looked into (g722.py)."""

    MU = 0
    A = 1
    G722 = 2


SILENT = {Coding.MU: 0xFF, Coding.A: 0xD5, Coding.G722: 0xFF}
