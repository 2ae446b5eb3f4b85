"""A file of slots, one for each call: what a process wrote there, its successor reads.

The file is in memory (memfd_create(2)), and whoever starts these processes keeps it open.

Rule 1: a slot has two halves. The older one is overwritten, and counts once its digest is there: a
        process that dies while it writes leaves the call as it was before.
Rule 2: a half that is not whole, or a slot of another form, is no call. The others are read.
Rule 3: that a call was acknowledged is a mark beside the half that counts: eight bytes, where the
        call anew would be thousands.
Rule 4: the file says how often it was read since a process last lived long enough. Calls that kill
        each process which takes them up are dropped in the end.
Rule 5: it says which call is being read or moved. One in whose turn `DEATHS` processes in a row
        have ended is dropped alone.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

CALLS: Final = "calls"
"""Its name among the descriptors that b2bua inherits."""
FORM: Final = 3
"""Of the file; that of a call is its snapshot's own."""
SLOTS: Final = 16_384
_HALF: Final = 64 * 1024  # bytes; a page of it that is never written takes no memory
_DIGEST: Final = 16  # bytes
_FILE: Final = struct.Struct("<8sII")  # magic, form, how often it was read
_TURN: Final = struct.Struct("<III")  # whose turn it is, whose it was at the last death, deaths in a row
DEATHS: Final = 2
"""In the turn of one call, after which it is dropped: one may be chance."""
_HEAD: Final = struct.Struct(f"<QQ{_DIGEST}sII")  # number, mark, digest, length of the id, of all
_MARK: Final = struct.Struct("<Q")  # the number of the half, once it was acknowledged
_MAGIC: Final = b"tonewall"
_FIRST: Final = 4096  # bytes before the first slot
MOST: Final = _HALF - _HEAD.size
"""The largest call, in bytes, with its id."""


class TooLarge(Exception):
    """A call that has no room in a slot."""


class KeptCall(NamedTuple):
    """What a slot has of a call. `acknowledged`: its ACK came after it was written."""

    id: str
    data: bytes
    acknowledged: bool


@dataclass(slots=True)
class _Slot:
    place: int
    half: int = 0  # the one to be written next
    number: int = 0
    lengths: list[int] = field(default_factory=lambda: [MOST, MOST])  # of what the halves hold


@dataclass(slots=True)
class CallSlots:
    """The slots of one file. `descriptor`: of a file that is read and written, and stays open."""

    descriptor: int
    _of_call: dict[str, _Slot] = field(default_factory=dict)
    _free: list[int] = field(default_factory=list)
    _used: int = 0  # slots that were ever used
    _turn: int = 0  # as in the file: the place, counted from 1

    def __len__(self) -> int:
        return len(self._of_call)

    def read(self) -> Iterator[KeptCall]:
        """Every call, as it was written last. Their slots are theirs from then on."""
        size = os.fstat(self.descriptor).st_size
        self._used = -(-max(0, size - _FIRST) // (2 * _HALF))  # the last may be shorter
        for place in range(self._used):
            halves = [self._read_half(place, half) for half in (0, 1)]
            newest = max(range(2), key=lambda half: halves[half][0])
            number, marked, call, data = halves[newest]
            if not call:
                self._free.append(place)
                continue
            self._of_call[call] = _Slot(place, 1 - newest, number)  # of its lengths the longest
            yield KeptCall(call, data, marked)

    def write(self, call: str, data: bytes) -> None:
        """Write a call, or write it anew. Raises TooLarge, and OSError; then what there was
        stays."""
        name = call.encode()
        length = len(name) + len(data)
        if length > MOST:
            raise TooLarge(f"{length} bytes; a slot has {MOST}")
        slot = self._of_call.get(call)
        if slot is None:
            slot = _Slot(self._take(), lengths=[0, 0])
        number = slot.number + 1
        head = _HEAD.pack(number, 0, _digest(number, name, data), len(name), length)
        os.pwritev(self.descriptor, [head, name, data], _offset(slot.place, slot.half))
        self._of_call[call] = slot
        slot.lengths[slot.half] = max(length, slot.lengths[slot.half])
        slot.number, slot.half = number, 1 - slot.half

    def mark(self, call: str) -> None:
        """The call was acknowledged, and is as it was written otherwise. Raises OSError."""
        slot = self._of_call.get(call)
        if slot is not None:
            where = _offset(slot.place, 1 - slot.half) + _MARK.size
            os.pwrite(self.descriptor, _MARK.pack(slot.number), where)

    def drop(self, call: str) -> None:
        """The call is over; its numbers and keys are overwritten. Raises OSError."""
        slot = self._of_call.pop(call, None)
        if slot is not None:
            self._free.append(slot.place)
            for half, length in enumerate(slot.lengths):
                os.pwrite(self.descriptor, bytes(_HEAD.size + length), _offset(slot.place, half))

    def clear(self) -> None:
        """No call is there any more. Raises OSError."""
        os.ftruncate(self.descriptor, 0)
        self._of_call.clear()
        self._free.clear()
        self._used = 0

    def take_turn(self, call: str) -> None:
        """This call is about to be read or moved; "" where none is any more. Raises OSError."""
        slot = self._of_call.get(call)
        place = slot.place + 1 if slot is not None else 0
        if place != self._turn:
            self._turn = place
            os.pwrite(self.descriptor, place.to_bytes(4, "little"), _FILE.size)

    def blame(self) -> str:
        """The call in whose turn `DEATHS` processes in a row have ended; "" where there is none. To
        be asked once, behind `read`. Raises OSError."""
        octets = os.pread(self.descriptor, _TURN.size, _FILE.size)
        turn, last, deaths = _TURN.unpack(octets) if len(octets) == _TURN.size else (0, 0, 0)
        deaths = (deaths + 1 if turn == last else 1) if turn else 0
        os.pwrite(self.descriptor, _TURN.pack(0, turn, deaths), _FILE.size)
        found = [call for call, slot in self._of_call.items() if slot.place + 1 == turn]
        return found[0] if found and deaths >= DEATHS else ""

    def begin(self) -> int:
        """Count a process that takes the calls up: how many have done so, with this one, since one
        lived long enough. What is of another form is cleared first. Raises OSError."""
        head = os.pread(self.descriptor, _FILE.size, 0)
        times = 0
        if len(head) == _FILE.size:
            magic, form, times = _FILE.unpack(head)
            if (magic, form) != (_MAGIC, FORM):
                self.clear()
                times = 0
        self._note_reads(times + 1)
        return times + 1

    def settle(self) -> None:
        """This process has lived long enough. Raises OSError."""
        self._note_reads(0)
        os.pwrite(self.descriptor, bytes(_TURN.size - 4), _FILE.size + 4)

    def _note_reads(self, times: int) -> None:
        os.pwrite(self.descriptor, _FILE.pack(_MAGIC, FORM, times), 0)

    def _take(self) -> int:
        if self._free:
            return self._free.pop()
        if self._used == SLOTS:
            raise TooLarge(f"{SLOTS} calls have one already")
        self._used += 1
        return self._used - 1

    def _read_half(self, place: int, half: int) -> tuple[int, bool, str, bytes]:
        """Number, mark, call and data; number 0 where nothing is there, or nothing whole."""
        nothing = 0, False, "", b""
        octets = os.pread(self.descriptor, _HALF, _offset(place, half))
        if len(octets) < _HEAD.size:
            return nothing
        number, mark, digest, named, length = _HEAD.unpack_from(octets)
        if not number or named > length or length > len(octets) - _HEAD.size:
            return nothing
        body = octets[_HEAD.size : _HEAD.size + length]
        name, data = body[:named], body[named:]
        if _digest(number, name, data) != digest:
            return nothing
        return number, mark == number, name.decode(errors="replace"), data


def _offset(place: int, half: int) -> int:
    return _FIRST + (2 * place + half) * _HALF


def _digest(number: int, name: bytes, data: bytes) -> bytes:
    made = hashlib.blake2b(number.to_bytes(8, "little"), digest_size=_DIGEST)
    made.update(len(name).to_bytes(4, "little"))
    made.update(name)
    made.update(data)
    return made.digest()
