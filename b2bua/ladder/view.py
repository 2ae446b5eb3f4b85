"""Views of a call's ladder, as JSON of the API and as the input of its drawings.

Rule 1: every value was kept (see `record`), is a word of ours, or is in the call's own view as
        well.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, Protocol

import msgspec

from b2bua.ladder.record import Ladder, Message, Note
from b2bua.ladder.summary import Media
from b2bua.ladder.words import phrase_of


class NoSuchLadder(Exception):
    """Nothing is kept of this call: there was none, or it ended too long ago."""


class LegView(msgspec.Struct, frozen=True, kw_only=True):
    """`number`: counted from 0, in the order of their INVITEs. `side`: the caller's or the
    agent's."""

    number: int
    side: str
    trunk: str


class MessageView(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """`at`: RFC 3339, UTC; `after`: seconds since the call's first entry. `repeats`: copies after
    the first."""

    at: str
    after: float
    leg: int
    direction: Literal["received", "sent"]
    method: str
    code: int | None
    phrase: str
    cseq: int
    transport: str
    peer: str
    sdp: tuple[Media, ...]
    repeats: int
    masked: bool


class NoteView(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="event"):
    """An event between messages. `leg` and `peer`: where it concerns one."""

    at: str
    after: float
    what: str
    leg: int | None
    peer: str | None
    masked: bool


class GapView(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="gap"):
    """A gap: `left_out` messages and events were dropped here."""

    left_out: int


Entry = MessageView | NoteView | GapView


class LadderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A call whose ladder is kept."""

    id: str
    live: bool
    direction: str
    caller: str
    callee: str
    started_at: str
    messages: int


class LadderView(msgspec.Struct, frozen=True, kw_only=True):
    """A ladder: the legs and entries of a call, in order."""

    id: str
    live: bool
    direction: str  # as in CallView
    caller: str
    callee: str
    started_at: str
    legs: tuple[LegView, ...]
    entries: tuple[Entry, ...]


class LadderDesk(Protocol):
    """The ladders that are kept, as the API sees them."""

    def recent_calls(self) -> list[LadderSummary]:
        """Calls under way, then ended ones; the newest of each first."""
        ...

    def ladder_of(self, call_id: str) -> LadderView:
        """By our id of the call or by the Call-ID of one of its legs. Raises NoSuchLadder."""
        ...


def summarise_ladder(ladder: Ladder) -> LadderSummary:
    """The call of a ladder, without its entries."""
    messages = ladder.messages
    return LadderSummary(
        id=ladder.call,
        live=ladder.live,
        direction=ladder.direction,
        caller=ladder.caller,
        callee=ladder.callee,
        started_at=_stamp(_started_at(ladder)),
        messages=len(messages.first) + len(messages.last or ()) + messages.left,
    )


def view_ladder(ladder: Ladder) -> LadderView:
    """The view of a ladder, its entries in order of time."""
    start = _started_at(ladder)
    return LadderView(
        id=ladder.call,
        live=ladder.live,
        direction=ladder.direction,
        caller=ladder.caller,
        callee=ladder.callee,
        started_at=_stamp(start),
        legs=tuple(LegView(number=leg.number, side=leg.side, trunk=leg.trunk) for leg in ladder.legs),
        entries=tuple(_entries(ladder, start)),
    )


def _entries(ladder: Ladder, start: float) -> list[Entry]:
    kept: list[Message | Note] = sorted([*ladder.messages, *ladder.notes], key=lambda one: one.at)
    entries: list[Entry] = [_entry(one, start) for one in kept]
    # From the back, so that the first place is still the right one.
    for ends in (ladder.messages, ladder.notes):
        if ends.left and ends.last:
            at = next(place for place, one in enumerate(kept) if one is ends.last[0])
            kept.insert(at, kept[at])
            entries.insert(at, GapView(left_out=ends.left))
    return entries


def _entry(one: Message | Note, start: float) -> Entry:
    at, after = _stamp(one.at), round(one.at - start, 3)
    if isinstance(one, Note):
        peer = f"{one.peer.transport} {one.peer.address}" if one.peer is not None else None
        return NoteView(at=at, after=after, what=one.what.value, leg=one.leg, peer=peer, masked=one.masked)
    return MessageView(
        at=at,
        after=after,
        leg=one.leg,
        direction="sent" if one.sent else "received",
        method=one.method,
        code=one.code or None,
        phrase=phrase_of(one.code),
        cseq=one.cseq,
        transport=one.peer.transport,
        peer=one.peer.address,
        sdp=one.sdp,
        repeats=one.repeats,
        masked=one.masked,
    )


def _started_at(ladder: Ladder) -> float:
    return min(
        (one.at for first in (ladder.messages.first[:1], ladder.notes.first[:1]) for one in first),
        default=0.0,
    )


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
