"""What is kept of a call for its ladder: a few typed values a message, and what happened between.

Rule 1: an allow-list: `Message` and `Note` have no field that could hold a digit that somebody
        keyed, a credential, a header's value, a body or a text of a peer's. Texts are words of
        `words`; `Peer` has where a packet really came from or went to; `cseq` is the number that
        RFC 3261 section 8.1.1.5 keeps below 2**31.
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
from b2bua.ladder.words import What

KEPT: Final = 60  # of the first, and as many of the last
MOST_LEGS: Final = 32  # of a call; every transfer brings another
_LOOK_BACK: Final = 8  # messages among which a repetition is looked for


class Peer(msgspec.Struct, frozen=True, gc=False):
    """Where a message came from or went to. `address`: a numeric host and a port."""

    transport: str
    address: str


class Message(msgspec.Struct, gc=False):
    """One message, and how often it came again. `code`: 0 for a request; `masked`: whether the call
    was."""

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
    """Something that happened to the call, or to one of its legs."""

    at: float
    what: What
    masked: bool
    leg: int | None = None
    peer: Peer | None = None


T = TypeVar("T")


class Ends(Generic[T]):
    """The first KEPT and the last KEPT of what is appended; `left`: how many between them were
    dropped."""

    __slots__ = ("first", "last", "left")

    def __init__(self) -> None:
        self.first: list[T] = []
        self.last: deque[T] | None = None
        self.left = 0

    def append(self, one: T) -> None:
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
    """A leg in a ladder: where its messages are noted, by the hash of its Call-ID."""

    __slots__ = ("_at", "_peer", "key", "ladder", "name", "number", "side", "trunk")

    def __init__(self, ladder: Ladder, number: int, side: str, trunk: str, name: LegId) -> None:
        """`side`: caller or agent; `number`: counted from 0, in the order of their INVITEs; `name`:
        the engine's."""
        self.ladder = ladder
        self.name = name
        self.number = number
        self.side = side
        self.trunk = trunk
        self.key = 0
        self._at: tuple[str, int, str] = ("", 0, "")
        self._peer = Peer("", "")

    def peer(self, host: str, port: int, transport: str) -> Peer:
        """The peer at that address; the same object as long as the leg has to do with no other."""
        at = (host, port, transport)
        if at != self._at:
            self._at = at
            self._peer = Peer(str(transport), f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        return self._peer


class Ladder:
    """All that is kept of one call. `caller` and `callee` are what the API and the record show as
    well."""

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
        self.stage: tuple[str, str] = ("", "")  # of the newest capture: its id and how far it is
        self.legs: list[Leg] = []
        self.messages: Ends[Message] = Ends()
        self.notes: Ends[Note] = Ends()

    def message(
        self, leg: Leg, at: float, sent: bool, method: str, code: int, cseq: int, peer: Peer, sdp: Summary
    ) -> None:
        """Note a message, or that an earlier one came again."""
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

    def note(self, at: float, what: What, leg: Leg | None = None, peer: Peer | None = None) -> None:
        self.notes.append(Note(at, what, self.masked, leg.number if leg is not None else None, peer))
