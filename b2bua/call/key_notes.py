"""What the agent is told of the way in which the customer's keys come: a code, and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from media.events import KeyNote

SENTENCES: Final[Mapping[KeyNote, str]] = {
    KeyNote.AS_EVENTS: "Keys come as telephone-events.",
    KeyNote.AS_TONES: "Keys come as tones.",
    KeyNote.AS_BOTH: "Keys come as events and as tones; each counts once.",
    KeyNote.AS_INFO: "Keys come as SIP INFO.",
    KeyNote.NOT_TAKEN: "In this form keys are not taken on this line. Take the payment in another way, and "
    "tell your administrator.",
    KeyNote.DOUBLED: "Each key comes twice. Switch slow keying on, have the customer take a second for "
    "each key, and ask for the field again.",
    KeyNote.TALKS: "The customer talks and keys nothing. Ask them to key.",
}


class CaptureNote(msgspec.Struct, frozen=True, kw_only=True):
    """`code` for programs, `detail` a sentence for the agent."""

    code: KeyNote
    detail: str


def capture_notes(codes: Iterable[KeyNote], *, slow: bool) -> tuple[CaptureNote, ...]:
    """The notes of a capture. `slow`: equal keys are joined, so that keys that come twice are no
    trouble any more."""
    told = (code for code in codes if not (slow and code is KeyNote.DOUBLED))
    return tuple(CaptureNote(code=code, detail=SENTENCES[code]) for code in told)
