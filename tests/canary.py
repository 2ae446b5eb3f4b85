"""The canary card, and the search for its traces: in the memory of processes, in logs, in answers.

Rule 1: a finding says where and in which encoding, never what: no needle is printed.
Rule 2: a search that could read nothing raises NothingRead; it never passes for a clean one.
Rule 3: the searching process holds the needles, so it searches other processes; a child under test
        gets the card on a pipe, a socket or as key presses, never in its arguments or environment.

A number counts as found from twelve consecutive digits on (its first or its last twelve): freed
memory is often only half overwritten, and first six plus last four is the most that may be shown
(PCI DSS 3.4.1). The security code is three digits, which occur by chance everywhere, so it is
searched for beside what it stands beside: number, expiry, field names.

    python -m tests.canary PID...     exits 1 if there is a finding
"""

from __future__ import annotations

import base64
import itertools
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 20
_PAGE = os.sysconf("SC_PAGESIZE")
_UNREADABLE = ("[vvar]", "[vvar_vclock]", "[vsyscall]")
_ENOUGH = 12


@dataclass(frozen=True, slots=True)
class Card:
    """What the customer keys in tests; hidden in every representation."""

    number: str
    expiry: str
    code: str

    def __repr__(self) -> str:
        return "<Card>"

    @property
    def keys(self) -> str:
        """All of it as key presses, each field ended with `#`."""
        return f"{self.number}#{self.expiry}#{self.code}#"


# Passes Luhn; of no issuer's documentation, so that no code table or library holds it.
CANARY = Card(number="4929580173642084", expiry="1139", code="739")


@dataclass(frozen=True, slots=True)
class Finding:
    """A trace of the card in a process. `offset` is the address in its memory."""

    pid: int
    mapping: str
    encoding: str
    offset: int


@dataclass(frozen=True, slots=True)
class TextFinding:
    """A trace of the card in a text: which one, in what form, at which character."""

    where: str
    form: str
    offset: int


class NothingRead(Exception):
    """There was nothing to search: the process is gone or a zombie, or a path holds no file."""


Needles = Mapping[str, bytes]


def forms(number: str, expiry: str = "", code: str = "") -> dict[str, bytes]:
    """The needles for a card number, and for its security code where that is given: name of the
    encoding to bytes."""
    digits = {"head": number[:_ENOUGH], "tail": number[-_ENOUGH:]}
    if expiry and code:
        digits |= {"expiry and code": expiry + code, "number and code": number[-8:] + code}
    needles: dict[str, bytes] = {}
    for part, text in digits.items():
        for encoding in ("ascii", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
            needles[f"{encoding} {part}"] = text.encode(encoding)
        needles[f"digit-per-byte {part}"] = bytes(map(int, text))
        needles[f"hexadecimal {part}"] = text.encode().hex().encode()
    for separator, name in ((" ", "spaces"), ("-", "dashes")):
        grouped = separator.join(number[start : start + 4] for start in range(0, len(number), 4))
        needles[f"ascii with {name}"] = grouped[:14].encode()
    return needles | _bcd(number) | _integers(number) | _base64(number) | (_named(code) if code else {})


def _named(code: str) -> dict[str, bytes]:
    """A security code beside its name, as JSON, a Python dict or a form has it."""
    names = ("security_code", "cvc", "cvv", "cvv2", "cvn", "csc")
    templates = ('"{}":"{}"', '"{}": "{}"', "'{}': '{}'", "{}={}&", "{}]={}")
    return {
        template.format(name, "..."): template.format(name, code).encode()
        for name in names
        for template in templates
    }


def _bcd(number: str) -> dict[str, bytes]:
    even = number if len(number) % 2 == 0 else number + "f"
    packed = bytes.fromhex(even)
    return {
        "bcd": packed,
        "bcd, low nibble first": bytes((byte & 15) << 4 | byte >> 4 for byte in packed),
        "bcd, odd start": bytes.fromhex(number[1 : 1 + (len(number) - 1) // 2 * 2]),
    }


def _integers(number: str) -> dict[str, bytes]:
    value = int(number)
    mask = (1 << 30) - 1
    limbs = [value >> shift & mask for shift in range(0, value.bit_length(), 30)]
    return {
        "64-bit integer, little endian": value.to_bytes(8, "little"),
        "64-bit integer, big endian": value.to_bytes(8, "big"),
        "Python integer": b"".join(limb.to_bytes(4, "little") for limb in limbs),
    }


def _base64(number: str) -> dict[str, bytes]:
    """The characters that depend on the number alone, for each of the three alignments."""
    found = {}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + number.encode())
        found[f"base64, alignment {shift}"] = text[-(-shift * 8 // 6) : (shift + len(number)) * 8 // 6]
    return found


# --- memory ---------------------------------------------------------------------------------------


def scan_process(pid: int, needles: Needles | None = None) -> list[Finding]:
    """Search all readable memory of a process (as root). `needles` as `forms` gives them; the
    canary's where None.

    Memory that even root cannot read (memfd_secret) is skipped. Raises NothingRead, and
    PermissionError without the right.
    """
    needles = canary_forms() if needles is None else needles
    anchors = _anchors(needles)
    overlap = max(map(len, needles.values())) - 1
    found: list[Finding] = []
    read = 0
    try:
        mappings = _mappings(pid)
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError):
        raise NothingRead(f"process {pid} is gone") from None
    try:
        for start, end, name in mappings:
            tail = b""
            for address, chunk in _chunks(memory, start, end):
                read += len(chunk)
                if not chunk:
                    tail = b""
                    continue
                # Of zeros only the edge is looked at: most of a process's memory was never written.
                text = tail + (chunk[:overlap] if chunk == _ZEROS else chunk)
                base = address - len(tail)
                found += [
                    Finding(pid, name, encoding, base + at)
                    for encoding, at in _hits(text, needles, anchors)
                    # Else it was found with the chunk before.
                    if at + len(needles[encoding]) > len(tail)
                ]
                tail = chunk[-overlap:]
    finally:
        os.close(memory)
    if not read:
        raise NothingRead(f"process {pid} has no readable memory")
    return found


_ZEROS = bytes(_CHUNK)
_ANCHOR_SIZES = (4, 7, 13)  # four digits as bytes, as UTF-16, as UTF-32


def _anchors(needles: Needles) -> dict[bytes, dict[str, int]]:
    """Short pieces that between them occur in every needle: piece to encoding and offset. Few, so
    that the search is quick."""
    left = {encoding: _pieces(needle) or {needle: 0} for encoding, needle in needles.items()}
    anchors = {}
    while left:
        best = Counter(itertools.chain.from_iterable(left.values())).most_common(1)[0][0]
        anchors[best] = {
            encoding: left.pop(encoding)[best] for encoding in list(left) if best in left[encoding]
        }
    return anchors


def _pieces(needle: bytes) -> dict[bytes, int]:
    """The pieces of a needle that do not occur everywhere, each with its first offset."""
    found: dict[bytes, int] = {}
    for size in _ANCHOR_SIZES:
        for at in range(len(needle) - size + 1):
            piece = needle[at : at + size]
            if len(set(piece) - {0}) >= 3:
                found.setdefault(piece, at)
    return found


def _hits(text: bytes, needles: Needles, anchors: dict[bytes, dict[str, int]]) -> Iterator[tuple[str, int]]:
    for anchor, holders in anchors.items():
        for at in _occurrences(text, anchor):
            for encoding, offset in holders.items():
                if at >= offset and text.startswith(needles[encoding], at - offset):
                    yield encoding, at - offset


def _mappings(pid: int) -> list[tuple[int, int, str]]:
    """Start, end and name of each mapping that the process can use in some way; the rest is only
    reserved."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, permissions, _offset, _device, _inode, *name = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in span.split("-"))
        label = name[0] if name else "anonymous"
        if permissions[:3] != "---" and label not in _UNREADABLE:
            found.append((start, end, label))
    return found


def _chunks(memory: int, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """What can be read from start to end, with empty chunks where nothing can."""
    address = start
    while address < end:
        try:
            chunk = os.pread(memory, min(_CHUNK, end - address), address)
        except OSError:  # EIO: secret memory, a device, a page that is gone
            chunk = b""
        yield address, chunk
        address += len(chunk) or _PAGE


def _occurrences(text: bytes, needle: bytes) -> Iterator[int]:
    at = text.find(needle)
    while at >= 0:
        yield at
        at = text.find(needle, at + 1)


def canary_forms() -> dict[str, bytes]:
    """The needles for CANARY, security code included."""
    return forms(CANARY.number, CANARY.expiry, CANARY.code)


# --- text -----------------------------------------------------------------------------------------


def find_in_text(
    text: str | Path | Iterable[Path], card: Card = CANARY, *, name: str = "text"
) -> list[TextFinding]:
    """Search a text, a file, or files (a directory: all below it) for the number in any grouping
    and for the code.

    Raises NothingRead where a path leads to no file. A `str` is the text itself, called `name` in
    the findings.
    """
    if isinstance(text, str):
        return list(_find(text, card, name))
    found: list[TextFinding] = []
    for path in [text] if isinstance(text, Path) else text:
        files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        if not files:
            raise NothingRead(f"{path} holds no file")
        for file in files:
            # Latin-1 takes every byte as a character: binary files (captures, databases) are
            # searched alike.
            found += _find(file.read_bytes().decode("latin-1"), card, str(file))
    return found


# Between two digits of one number: spaces, dashes, commas, quotes, URL escapes, the zero bytes of
# UTF-16 and UTF-32.
_BETWEEN = r"(?:%20|%2D|%2d|\\u0000|[^0-9A-Za-z]){0,6}"
# A log that names each key by itself.
_SINGLE = re.compile(
    r"""(?:digit|key|keyed|event|event_code|dtmf|signal|value)["']?\s*[:=]\s*["']?(\d)(?!\d)""", re.IGNORECASE
)


def _find(text: str, card: Card, where: str) -> Iterator[TextFinding]:
    number = card.number
    for form, digits in (("number", number), ("number, reversed", number[::-1])):
        for part in (digits[:_ENOUGH], digits[-_ENOUGH:]):
            for hit in re.finditer(_BETWEEN.join(part), text):
                yield TextFinding(where, form, hit.start())
    for hit in re.finditer(rf"(?<!\d){card.expiry}[#,;/ ]{{0,2}}{card.code}(?!\d)", text):
        yield TextFinding(where, "expiry and code", hit.start())
    encoded = {"hexadecimal": number[:_ENOUGH].encode().hex().encode()}
    for form, needle in (encoded | _base64(number) | _named(card.code)).items():
        for at in _occurrences(text.encode("utf-8", "replace"), needle):
            yield TextFinding(where, form, at)
    single = list(_SINGLE.finditer(text))
    at = "".join(hit[1] for hit in single).find(number[:_ENOUGH])
    if at >= 0:
        yield TextFinding(where, "number, one digit a field", single[at].start())


def main(arguments: list[str]) -> int:
    """Search the processes whose ids are given; print findings, and exit status."""
    found = list(itertools.chain.from_iterable(scan_process(int(pid)) for pid in arguments))
    for finding in found:
        print(f"{finding.pid} {finding.mapping} {finding.encoding} {finding.offset:#x}")
    print(f"{len(found)} findings in {len(arguments)} processes")
    return 1 if found or not arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
