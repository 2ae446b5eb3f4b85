"""The search for a card that lies in memory key by key, and can be put together by anything that
orders its pieces.

Pieces: what a SIP INFO carries (`Signal=5`, or a body of one character), and Python's own objects
of one digit. Orders: CSeq, the place in memory, the place in a list or tuple, an integer that
stands in the same object as the piece.

Rule 1: a finding says which order, never what.
Rule 2: a search that could read nothing raises NothingRead.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.canary import CANARY, NothingRead

_ENOUGH = 8  # digits in a row
_SIGNAL = re.compile(rb"[Ss]ignal[ \t]*=[ \t]*([0-9])(?![0-9])")
_NUMBERED = re.compile(rb"CSeq:[ \t]*(\d{1,10})[ \t]+INFO\r\n")
_BARE = re.compile(
    rb"CSeq:[ \t]*(\d{1,10})[ \t]+INFO\r\n(?:[^\r\n]{1,512}\r\n){0,30}\r\n([0-9])(?![0-9A-Za-z])"
)
_NEAR = 2048  # bytes of a message before its body
_BYTES_HEAD = 32  # of a Python bytes object
_FIELDS = 24  # words around a piece that may be of the same object
_CHUNK = 1 << 24
_OVERLAP = 1 << 13


class Memory:
    """What can be read of one process."""

    def __init__(self, pid: int) -> None:
        try:
            self._file = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
            lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            raise NothingRead(f"process {pid} is gone") from None
        self.maps = [
            (*(int(part, 16) for part in line.split()[0].split("-")), line.split()) for line in lines
        ]

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        for start, end, parts in self.maps:
            if parts[1][0] != "r" or parts[1][1] != "w":
                continue  # what cannot be written holds no key
            address = start
            while address < end:
                data = self.read(address, min(_CHUNK + _OVERLAP, end - address))
                if data.strip(b"\0"):
                    yield address, data
                address += _CHUNK

    def read(self, address: int, size: int) -> bytes:
        try:
            return os.pread(self._file, size, address)
        except (OSError, OverflowError):
            return b""

    def base(self, path: str) -> int | None:
        return next((start for start, _end, parts in self.maps if parts[-1] == path), None)

    def close(self) -> None:
        os.close(self._file)


def find_orders(pid: int, number: str = CANARY.number) -> tuple[list[str], int]:
    """Each order in which the number's digits can be read out of the process, and how many keys of
    SIP INFO lie in it."""
    memory = Memory(pid)
    try:
        return _search(memory, number)
    finally:
        memory.close()


def _search(memory: Memory, number: str) -> tuple[list[str], int]:
    by_place: dict[int, str] = {}
    by_cseq: dict[int, str] = {}
    read = 0
    for start, data in memory.chunks():
        read += len(data)
        for hit in _SIGNAL.finditer(data):
            by_place[start + hit.start()] = hit[1].decode()
            numbered = list(_NUMBERED.finditer(data, max(hit.start() - _NEAR, 0), hit.start()))
            if numbered:
                by_cseq[int(numbered[-1][1])] = hit[1].decode()
        for hit in _BARE.finditer(data):
            by_place[start + hit.start(2)] = hit[2].decode()
            by_cseq[int(hit[1])] = hit[2].decode()
    if not read:
        raise NothingRead("there is no readable memory")
    pieces = {place - _BYTES_HEAD: digit for place, digit in by_place.items()} | _singletons(memory)
    numbered_pieces: dict[int, dict[int, str]] = {}
    found = set()
    for start, data in memory.chunks():
        words = np.frombuffer(data[: len(data) // 8 * 8], dtype=np.uint64)
        digits = _digits_of(words, pieces)
        if _in_a_list(digits, number):
            found.add("list")
        for at in np.flatnonzero(digits < 10):
            for field in range(max(int(at) - _FIELDS, 0), min(int(at) + _FIELDS, len(words))):
                value = _integer(memory, int(words[field]))
                if value is not None:
                    numbered_pieces.setdefault(field - int(at), {})[value] = str(digits[at])
        del start
    if _holds(_ordered(by_cseq), number):
        found.add("CSeq")
    if _holds(_ordered(by_place), number):
        found.add("place in memory")
    if any(_holds(_ordered(numbers), number) for numbers in numbered_pieces.values()):
        found.add("integer in the same object")
    return sorted(found), len(by_place)


def _ordered(pieces: dict[int, str]) -> str:
    return "".join(digit for _, digit in sorted(pieces.items()))


def _holds(text: str, number: str) -> bool:
    parts = [number[at : at + _ENOUGH] for at in range(0, len(number) - _ENOUGH + 1, 4)]
    return any(part in text or part in text[::-1] for part in parts)


def _in_a_list(digits: npt.NDArray[np.uint8], number: str) -> bool:
    wanted = np.frombuffer(number[:_ENOUGH].encode(), dtype=np.uint8) - 0x30
    for stride in (1, 2, 3):
        length = len(digits) - stride * (len(wanted) - 1)
        if length <= 0:
            continue
        fits = np.ones(length, dtype=bool)
        for place, digit in enumerate(wanted):
            fits &= digits[place * stride : place * stride + length] == digit
        if fits.any():
            return True
    return False


def _digits_of(words: npt.NDArray[np.uint64], pieces: dict[int, str]) -> npt.NDArray[np.uint8]:
    """Which digit each word points to; 255: none."""
    places = np.array(sorted(pieces), dtype=np.uint64)
    values = np.array([int(pieces[int(place)]) for place in places], dtype=np.uint8)
    at = np.minimum(np.searchsorted(places, words), len(places) - 1)
    return np.where(places[at] == words, values[at], np.uint8(255))


def _singletons(memory: Memory) -> dict[int, str]:
    """Where the process has Python's objects of one digit: as bytes, str and int, all of them the
    interpreter's own."""
    objects: Iterable[tuple[object, str]] = (
        (kind, str(digit)) for digit in range(10) for kind in (bytes([0x30 + digit]), str(digit), digit)
    )
    path, base = _PATH
    there = memory.base(path)
    return {} if there is None else {id(one) - base + there: digit for one, digit in objects}


def _interpreter() -> tuple[str, int]:
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if start <= id(int) < end:
            path = line.split()[-1]
            first = next(
                each for each in Path("/proc/self/maps").read_text().splitlines() if each.split()[-1] == path
            )
            return path, int(first.split("-")[0], 16)
    raise NothingRead("the interpreter's own data is nowhere")


def _integer(memory: Memory, address: int) -> int | None:
    """The value of the Python int at an address, where there is one of one or two digits of 30
    bits."""
    if address < 4096 or address % 8 or address >> 47:
        return None
    head = memory.read(address, 36)
    if len(head) < 36:
        return None
    _count, kind, size, low, high = struct.unpack("<QQqII", head[:32])
    path, base = _PATH
    if kind != id(int) - base + (memory.base(path) or 0) or size not in (1, 2):
        return None
    return low if size == 1 else low | high << 30


_PATH = _interpreter()
