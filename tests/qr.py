"""Reads a QR code that is drawn as SVG (ISO/IEC 18004): of versions 2 to 6 in one block of octets,
without its correction of errors."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_MASKS = (
    lambda r, c: (r + c) % 2 == 0,
    lambda r, c: r % 2 == 0,
    lambda r, c: c % 3 == 0,
    lambda r, c: (r + c) % 3 == 0,
    lambda r, c: (r // 2 + c // 3) % 2 == 0,
    lambda r, c: r * c % 2 + r * c % 3 == 0,
    lambda r, c: (r * c % 2 + r * c % 3) % 2 == 0,
    lambda r, c: ((r + c) % 2 + r * c % 3) % 2 == 0,
)


def read_qr(svg: bytes) -> str:
    """What the code holds."""
    dark, size = _modules(svg)
    mask = _MASKS[int("".join(str(int((8, c) in dark)) for c in (2, 3, 4)), 2) ^ 0b101]
    bits = "".join(str(int(((r, c) in dark) ^ mask(r, c))) for r, c in _way(size))
    assert bits[:4] == "0100", "octets"
    length = int(bits[4:12], 2)
    octets = bytes(int(bits[at : at + 8], 2) for at in range(12, 12 + 8 * length, 8))
    return octets.decode()


def _modules(svg: bytes) -> tuple[set[tuple[int, int]], int]:
    """The dark ones, as row and column, and how many there are in a row."""
    picture = ElementTree.fromstring(svg)
    width = int(picture.attrib["viewBox"].split()[2])
    path = next(each for each in picture.iter() if "stroke" in each.attrib).attrib["d"]
    dark, row, column = set(), 0.0, 0
    for command, numbers in re.findall(r"([Mmh])([^Mmh]*)", path):
        given = [float(each) for each in re.findall(r"-?[\d.]+", numbers)]
        if command == "h":
            dark |= {(int(row) - 4, column - 4 + each) for each in range(int(given[0]))}
            column += int(given[0])
        else:
            moved = command == "m"
            column, row = int(given[0]) + column * moved, given[1] + row * moved
    return dark, width - 8


def _way(size: int) -> list[tuple[int, int]]:
    """The places of data, in their order."""
    found = []
    upwards = True
    for right in [*range(size - 1, 6, -2), *range(5, 0, -2)]:
        rows = range(size - 1, -1, -1) if upwards else range(size)
        found += [(r, c) for r in rows for c in (right, right - 1) if not _is_function(r, c, size)]
        upwards = not upwards
    return found


def _is_function(row: int, column: int, size: int) -> bool:
    finders = (row < 9 and (column < 9 or column > size - 9)) or (row > size - 9 and column < 9)
    aligned = all(size - 9 <= each <= size - 5 for each in (row, column))
    return finders or aligned or 6 in (row, column)
