"""Makes and finds keys as tones (ITU-T Q.23) in G.711, with code that shares nothing with the mask.

A block of audio has a key where two tones of the grid hold most of its power.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

RATE: Final = 8000  # samples a second
_ROWS: Final = (697.0, 770.0, 852.0, 941.0)
_COLUMNS: Final = (1209.0, 1336.0, 1477.0, 1633.0)
_GRID: Final = ("123A", "456B", "789C", "*0#D")
_BLOCK, _STEP = 205, 80  # samples: a bin is 39 Hz wide; blocks overlap
_SHARE: Final = 0.6  # of a block's power in two tones
_FLOOR: Final = 30.0  # amplitude of a tone: 60 dB below the loudest
_AMPLITUDE: Final = 6000.0  # of each tone made
_BIAS: Final = 132  # of mu-law


def make_tone(key: str, samples: int) -> list[int]:
    """Samples of a key."""
    row = next(place for place, keys in enumerate(_GRID) if key in keys)
    angles = [2 * math.pi * each / RATE for each in (_ROWS[row], _COLUMNS[_GRID[row].index(key)])]
    return [int(sum(_AMPLITUDE * math.sin(angle * at) for angle in angles)) for at in range(samples)]


def find_keys(samples: Sequence[int]) -> str:
    """The keys that can be heard, in order: each where two blocks in succession have it."""
    return "".join(key for key, _, _ in find_spans(samples))


def find_spans(samples: Sequence[int]) -> list[tuple[str, int, int]]:
    """The keys that can be heard, in order, each with the samples where its tone begins and ends,
    as exactly as blocks are."""
    spans: list[tuple[str, int, int]] = []
    before, is_on = "", False
    for place, key in enumerate(_keys_of_blocks(samples)):
        end = place * _STEP + _BLOCK
        if key and key == before:
            begin = spans.pop()[1] if is_on else end - _BLOCK - _STEP
            spans.append((key, begin, end))
            is_on = True
        elif key != before:
            is_on = False
        before = key
    return spans


def decode_mu_law(octet: int) -> int:
    """The sample of an octet of PCMU (ITU-T G.711)."""
    octet = ~octet & 0xFF
    level = ((octet & 0x0F) << 3) + _BIAS << (octet >> 4 & 7)
    return _BIAS - level if octet & 0x80 else level - _BIAS


def decode_a_law(octet: int) -> int:
    """The sample of an octet of PCMA (ITU-T G.711)."""
    octet ^= 0x55
    exponent = octet >> 4 & 7
    level = ((octet & 0x0F) << 4) + (0x108 if exponent else 8) << max(exponent - 1, 0)
    return level if octet & 0x80 else -level


class Codec:
    """One law of G.711. `kind`: its payload type."""

    def __init__(self, kind: int, decode: Callable[[int], int]) -> None:
        self.kind = kind
        self._samples = [decode(octet) for octet in range(256)]
        ordered = sorted((sample, octet) for octet, sample in enumerate(self._samples))
        self._levels, self._octets = [each[0] for each in ordered], bytes(each[1] for each in ordered)

    def decode(self, octets: bytes | bytearray) -> list[int]:
        """Samples of octets."""
        return [self._samples[octet] for octet in octets]

    def encode(self, samples: Sequence[int]) -> bytes:
        """The octets whose samples are the next ones above."""
        last = len(self._levels) - 1
        return bytes(self._octets[min(bisect.bisect_left(self._levels, each), last)] for each in samples)


CODECS: Final = {codec.kind: codec for codec in (Codec(0, decode_mu_law), Codec(8, decode_a_law))}


def _keys_of_blocks(samples: Sequence[int]) -> Iterator[str]:
    for begin in range(0, len(samples) - _BLOCK + 1, _STEP):
        block = samples[begin : begin + _BLOCK]
        power = sum(each * each for each in block)
        if power < _FLOOR * _FLOOR * _BLOCK:
            yield ""
            continue
        rows, columns = ([_power_at(block, each) for each in some] for some in (_ROWS, _COLUMNS))
        row, column = rows.index(max(rows)), columns.index(max(columns))
        share = 2 * (rows[row] + columns[column]) / (power * _BLOCK)
        is_key = share > _SHARE and min(rows[row], columns[column]) * 16 > max(rows[row], columns[column])
        yield _GRID[row][column] if is_key else ""


def _power_at(block: Sequence[int], frequency: float) -> float:
    """By Goertzel's algorithm."""
    factor = 2 * math.cos(2 * math.pi * frequency / RATE)
    last = older = 0.0
    for sample in block:
        last, older = sample + factor * last - older, last
    return last * last + older * older - factor * last * older
