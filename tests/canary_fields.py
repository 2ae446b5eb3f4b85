"""The canary values of fields that are no card's, and the search for their traces in texts and in
the memory of processes.

Rule 1: as in tests/canary.py: a finding says where and in which form, never what.
Rule 2: a value of eight digits or more is searched for whole, in any grouping; a shorter one, which
        occurs by chance, beside the name of its field and beside its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.canary import TextFinding, scan_process

# All of them valid, and of no documentation; in the order in which the customer keys them.
CANARY_FIELDS: Mapping[str, str] = {
    "sort_code": "609104",  # of no row of the modulus check
    "account_number": "82953617",
    "birth_date": "17081973",
    "iban": "84509812736480915274",
    "pin": "394816",
}
_WHOLE = 8  # digits, from which on a value does not occur by chance
_BETWEEN = r"(?:%20|%2D|%2d|\\u0000|[^0-9A-Za-z]){0,4}"
_ENCODINGS = ("ascii", "utf-16-le", "utf-32-le")


def find_fields(
    texts: str | Iterable[Path], values: Mapping[str, str] = CANARY_FIELDS, *, name: str = "text"
) -> list[TextFinding]:
    """Traces of the values in a text, or in files."""
    if isinstance(texts, str):
        return list(_find(texts, values, name))
    found: list[TextFinding] = []
    for file in texts:
        found += _find(file.read_bytes().decode("latin-1"), values, str(file))
    return found


def _find(text: str, values: Mapping[str, str], where: str) -> Iterator[TextFinding]:
    for name, value in values.items():
        patterns = {
            f"{name} beside its name": rf"{name}[\"']?\s*[:=]\s*[\"']?{value}(?!\d)",
            f"{name} beside its neighbours": "|".join(_neighbours(name, values)) or r"(?!)",
        }
        if len(value) >= _WHOLE:
            patterns[name] = _BETWEEN.join(value)
            patterns[f"{name} in hexadecimal"] = value.encode().hex()
            patterns[f"{name}, one digit an item"] = r"[\s,\"']+".join(value)
        for form, pattern in patterns.items():
            for hit in re.finditer(pattern, text):
                yield TextFinding(where, form, hit.start())


def _neighbours(name: str, values: Mapping[str, str]) -> Iterator[str]:
    """The value with the end of the one before it, or the beginning of the one behind it."""
    names = list(values)
    at = names.index(name)
    if at:
        yield values[names[at - 1]][-4:] + values[name]
    if at + 1 < len(names):
        yield values[name] + values[names[at + 1]][:4]


def scan_for_fields(pid: int, values: Mapping[str, str] = CANARY_FIELDS) -> list[str]:
    """The names of the fields whose whole value stands in the memory of a process, with the
    encoding. Raises NothingRead."""
    needles = {
        f"{name} {encoding}": value.encode(encoding)
        for name, value in values.items()
        if len(value) >= _WHOLE
        for encoding in _ENCODINGS
    }
    needles |= {
        f"{name} digit-per-byte": bytes(map(int, value))
        for name, value in values.items()
        if len(value) >= _WHOLE
    }
    return sorted({finding.encoding for finding in scan_process(pid, needles)})
