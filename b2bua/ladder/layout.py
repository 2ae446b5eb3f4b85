"""Lays a ladder out in rows: lanes and words. The terminal and the SVG draw the same rows.

Four lanes: the caller's peer, Tonewall's leg to it, Tonewall's leg to the agent's side, and that
peer.

Rule 1: colour carries no information of its own: a tone repeats what the words express.
Rule 2: pure: a view in, a sheet out; every text comes out printable and cut to a length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from b2bua.ladder.summary import Media, Summary
from b2bua.ladder.view import Entry, GapView, LadderView, MessageView, NoteView
from b2bua.ladder.words import NoteKind

PEER_OF_CALLER, CALLER_LEG, AGENT_LEG, PEER_OF_AGENT = range(4)
_MAX_TEXT: Final = 60  # characters of a number or a trunk's name


class Tone(StrEnum):
    """The kind of a row."""

    REQUEST = "request"
    PROVISIONAL = "provisional"
    SUCCESS = "success"
    FAILURE = "failure"
    EVENT = "event"
    MASK = "mask"
    PAYMENT = "payment"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the ladder. An arrow from lane `start` to lane `end`; where both are the same,
    words at that lane.

    `clock`: the time of day, UTC; `after`: seconds since the first row. Both are empty for a gap.
    """

    clock: str
    after: str
    start: int
    end: int
    label: str
    detail: str
    masked: bool
    tone: Tone


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole ladder. `lanes`: the four names, left to right. `masked`: spans as `+2.1 s to +9.3
    s`."""

    title: str
    subtitle: str
    lanes: tuple[str, str, str, str]
    rows: tuple[Row, ...]
    masked: tuple[str, ...]


def lay_out(view: LadderView) -> Sheet:
    """The sheet of a view."""
    names = tuple(_names(view, side) for side in ("caller", "agent"))
    marks = _marks(view)
    sides = {leg.number: leg.side for leg in view.legs}
    rows: list[Row] = []
    for entry in view.entries:
        masked = rows[-1].masked if isinstance(entry, GapView) and rows else False
        rows.append(_row(entry, sides, marks, masked=masked))
    state = "under way" if view.live else "ended"
    when = view.started_at[:10]
    return Sheet(
        title=f"Call {printable(view.id)}",
        subtitle=f"{printable(view.caller) or 'anonymous'} to {printable(view.callee) or 'nobody'}, "
        f"{printable(view.direction)}, {printable(when)} UTC, {state}",
        lanes=(names[0] or "caller", "caller leg", "agent leg", names[1] or "agent"),
        rows=tuple(rows),
        masked=_spans(rows),
    )


def printable(text: str) -> str:
    """The text fit for a terminal and for XML: other characters become `?`, a long text is cut."""
    clean = "".join(char if char.isprintable() else "?" for char in text[: _MAX_TEXT + 1])
    return clean if len(clean) <= _MAX_TEXT else clean[: _MAX_TEXT - 1] + "…"


def _names(view: LadderView, side: str) -> str:
    return printable(", ".join(dict.fromkeys(leg.trunk for leg in view.legs if leg.side == side)))


def _marks(view: LadderView) -> Mapping[int, str]:
    """The marks of legs on a side that has several: `[3] `, counted from 1."""
    several = Counter(leg.side for leg in view.legs)
    return {leg.number: f"[{leg.number + 1}] " if several[leg.side] > 1 else "" for leg in view.legs}


def _row(entry: Entry, sides: Mapping[int, str], marks: Mapping[int, str], *, masked: bool) -> Row:
    match entry:
        case GapView():
            words = f"… {entry.left_out} left out"
            return Row("", "", CALLER_LEG, CALLER_LEG, words, "", masked, Tone.GAP)
        case NoteView():
            mark = marks.get(entry.leg, "") if entry.leg is not None else ""
            lane = AGENT_LEG if entry.leg is not None and sides.get(entry.leg) == "agent" else CALLER_LEG
            label = f"{mark}{printable(entry.what)}"
            return Row(
                _format_clock(entry.at),
                _format_after(entry.after),
                lane,
                lane,
                label,
                printable(entry.peer or ""),
                entry.masked,
                _tone_of(entry.what),
            )
        case MessageView():
            near, far = (
                (AGENT_LEG, PEER_OF_AGENT)
                if sides.get(entry.leg) == "agent"
                else (CALLER_LEG, PEER_OF_CALLER)
            )
            start, end = (near, far) if entry.direction == "sent" else (far, near)
            label = marks.get(entry.leg, "") + _label(entry)
            return Row(
                _format_clock(entry.at),
                _format_after(entry.after),
                start,
                end,
                label,
                _detail(entry),
                entry.masked,
                _tone(entry),
            )


def _label(message: MessageView) -> str:
    if message.code is None:
        words = printable(message.method)
    else:
        words = f"{message.code} {printable(message.phrase)}".rstrip()
        if message.method != "INVITE":
            words += f" ({printable(message.method)})"
    return words + _describe_sdp(message.sdp) + (f" x{message.repeats + 1}" if message.repeats else "")


def _describe_sdp(sdp: Summary) -> str:
    """`+SDP` where there is a description, with directions other than sendrecv."""
    if not sdp:
        return ""
    unusual = sorted({printable(media.direction) for media in sdp if not media.off} - {"sendrecv"})
    if all(media.off for media in sdp):
        unusual = ["off"]
    return " ".join([" +SDP", *unusual])


def _detail(message: MessageView) -> str:
    where = f"{printable(message.transport)} {printable(message.peer)} CSeq {message.cseq}"
    return "; ".join([where, *(_describe_media(media) for media in message.sdp)])


def _describe_media(media: Media) -> str:
    codecs = "/".join(media.codecs)
    return printable(f"{media.kind} off" if media.off else f"{media.kind} {media.direction} {codecs}")


def _tone(message: MessageView) -> Tone:
    if message.code is None:
        return Tone.REQUEST
    if message.code < 200:
        return Tone.PROVISIONAL
    return Tone.SUCCESS if message.code < 300 else Tone.FAILURE


def _tone_of(what: str) -> Tone:
    if what in (
        NoteKind.NO_ANSWER,
        NoteKind.NO_WAY,
        NoteKind.FULL,
        NoteKind.MEDIA_REFUSED,
        NoteKind.MASK_REFUSED,
    ):
        return Tone.FAILURE
    if what.startswith("mask"):
        return Tone.MASK
    return Tone.PAYMENT if what.startswith(("payment", "form", "customer")) else Tone.EVENT


def _format_clock(at: str) -> str:
    try:
        return datetime.fromisoformat(at).strftime("%H:%M:%S.%f")[:12]
    except ValueError:
        return ""


def _format_after(seconds: float) -> str:
    return f"+{seconds:.3f}"


def _spans(rows: list[Row]) -> tuple[str, ...]:
    """The times at which the call was masked, in words."""
    spans: list[str] = []
    since = ""
    for row in rows:
        if row.tone is Tone.GAP:
            continue
        if row.masked and not since:
            since = row.after
        elif since and not row.masked:
            spans.append(f"{since} s to {row.after} s")
            since = ""
    return (*spans, f"{since} s on") if since else tuple(spans)
