"""Records a call for its ladder: a few typed values of each message, and events between messages.

Rule 1: an allow-list: `Message` and `Note` have no field that could hold a keyed digit, a
        credential, a header's value, a body or a text of a peer. Texts come from `words`; `Peer` is
        the address that a packet really came from or went to; `cseq` is below 2**31 (RFC 3261
        section 8.1.1.5).
Rule 2: of each call the first and the last KEPT messages and notes are kept, whatever a peer sends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final, Generic, TypeVar

import msgspec

from b2bua.call.leg import LegId
from b2bua.ladder.summary import Summary
from b2bua.ladder.words import NoteKind

KEPT: Final = 60  # of the first, and as many of the last
MAX_LEGS: Final = 32  # of a call; every transfer brings another
_LOOK_BACK: Final = 8  # messages among which a repetition is looked for


class Peer(msgspec.Struct, frozen=True, gc=False):
    """The far end of a message. `address`: a numeric host and a port."""

    transport: str
    address: str


class Message(msgspec.Struct, gc=False):
    """A message. `code`: 0 for a request; `masked`: the call was masked then; `repeats`: copies
    after the first."""

    at: float
    leg: int
    sent: bool
    method: str
    code: int
    cseq: int
    peer: Peer
    sdp: Summary
    masked: bool
    repeats: int = 0


class Note(msgspec.Struct, frozen=True, gc=False):
    """An event of the call, or of one of its legs."""

    at: float
    what: NoteKind
    masked: bool
    leg: int | None = None
    peer: Peer | None = None


T = TypeVar("T")


class Ends(Generic[T]):
    """A list that keeps its first KEPT and its last KEPT items. `left`: the number dropped between
    them."""

    __slots__ = ("first", "last", "left")

    def __init__(self) -> None:
        self.first: list[T] = []
        self.last: deque[T] | None = None
        self.left = 0

    def append(self, one: T) -> None:
        """Add an item; the oldest of the last KEPT makes room."""
        if self.last is not None:
            self.left += len(self.last) == KEPT
            self.last.append(one)
        elif len(self.first) < KEPT:
            self.first.append(one)
        else:
            self.last = deque([one], KEPT)

    def newest(self, count: int) -> Iterator[T]:
        """Backwards from the last."""
        return islice(reversed(self.last or self.first), count)

    def __iter__(self) -> Iterator[T]:
        yield from self.first
        yield from self.last or ()


class Leg:
    """A leg in a ladder. `key`: the hash of its Call-ID."""

    __slots__ = ("_at", "_peer", "key", "ladder", "name", "number", "side", "trunk")

    def __init__(self, ladder: Ladder, number: int, side: str, trunk: str, name: LegId) -> None:
        """`side`: caller or agent; `number`: from 0, in the order of the INVITEs; `name`: the
        engine's."""
        self.ladder = ladder
        self.name = name
        self.number = number
        self.side = side
        self.trunk = trunk
        self.key = 0
        self._at: tuple[str, int, str] = ("", 0, "")
        self._peer = Peer("", "")

    def peer_at(self, host: str, port: int, transport: str) -> Peer:
        """The peer at this address; the same object until the leg has another."""
        at = (host, port, transport)
        if at != self._at:
            self._at = at
            self._peer = Peer(str(transport), f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        return self._peer


class Ladder:
    """The record of one call. `caller` and `callee` are those of the API and of the call record."""

    __slots__ = (
        "call",
        "callee",
        "caller",
        "direction",
        "legs",
        "live",
        "masked",
        "messages",
        "notes",
        "stage",
    )

    def __init__(self) -> None:
        self.call = ""
        self.caller = ""
        self.callee = ""
        self.direction = ""
        self.live = True
        self.masked = False
        self.stage: tuple[str, str] = ("", "")  # id and stage of the newest capture
        self.legs: list[Leg] = []
        self.messages: Ends[Message] = Ends()
        self.notes: Ends[Note] = Ends()

    def add_message(
        self, leg: Leg, at: float, sent: bool, method: str, code: int, cseq: int, peer: Peer, sdp: Summary
    ) -> None:
        """Add a message, or count it as a copy of an earlier one."""
        number = leg.number
        for earlier in self.messages.newest(_LOOK_BACK):
            if (
                earlier.cseq == cseq
                and earlier.code == code
                and earlier.sent is sent
                and earlier.leg == number
                and earlier.method == method
                and earlier.peer == peer
                and earlier.sdp == sdp
            ):
                earlier.repeats += 1
                return
        self.messages.append(Message(at, number, sent, method, code, cseq, peer, sdp, self.masked))

    def add_note(self, at: float, what: NoteKind, leg: Leg | None = None, peer: Peer | None = None) -> None:
        """Add an event at `at` (seconds since the epoch)."""
        self.notes.append(Note(at, what, self.masked, leg.number if leg is not None else None, peer))
