"""Legs: the events that a SIP engine reports and the commands that it takes, whichever engine it is.

Rule 1: events are past tense, commands imperative; both are frozen and free of any engine's types.
Rule 2: bodies cross as bytes with their content type; the engine neither reads nor changes them.
Rule 3: after `LegHungUp` or `LegFailed` an engine reports nothing more of that leg, and ignores commands to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NewType

LegId = NewType("LegId", str)


@dataclass(frozen=True, slots=True)
class Party:
    """Who calls or is called: the user part of the URI (often a number) and a display name."""

    user: str
    display: str = ""


# --- events: engine to call ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LegInvited:
    """A trunk sent an INVITE that opens a dialog. The engine has answered 100 Trying; it waits for a command.

    `offer` is empty where the INVITE had no SDP (delayed offer). `max_forwards` is as received.
    """

    trunk: str
    caller: Party
    callee: Party
    offer: bytes
    max_forwards: int = 70


@dataclass(frozen=True, slots=True)
class LegProgressed:
    """The far end sent a provisional answer above 100 (180, 183), with early SDP or without."""

    code: int
    phrase: str
    answer: bytes = b""


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """The far end answered our INVITE with a 2xx; the engine has sent its ACK."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class LegConfirmed:
    """The far end sent the ACK for our 2xx to its INVITE or re-INVITE."""

    answer: bytes = b""


@dataclass(frozen=True, slots=True)
class LegFailed:
    """The leg ended before it was answered: a final error, a time-out (408), a transport error (503), or CANCEL (487)."""

    code: int
    phrase: str


@dataclass(frozen=True, slots=True)
class LegReinvited:
    """The far end sent a re-INVITE; the engine waits for AnswerReinvite or RejectReinvite. `offer` may be empty."""

    offer: bytes


@dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """Our re-INVITE was answered with a 2xx."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class ReinviteFailed:
    """Our re-INVITE was refused; the dialog and the earlier session go on (RFC 3261 section 14.1)."""

    code: int
    phrase: str


@dataclass(frozen=True, slots=True)
class LegHungUp:
    """An answered leg is over: BYE from the far end, or the dialog was lost (no ACK, 481, 408). `reason` is fit for a CDR."""

    reason: str


LegEvent = (
    LegInvited
    | LegProgressed
    | LegAnswered
    | LegConfirmed
    | LegFailed
    | LegReinvited
    | ReinviteAnswered
    | ReinviteFailed
    | LegHungUp
)


# --- commands: call to engine -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InviteLeg:
    """Open a dialog on `trunk`."""

    trunk: str
    caller: Party
    callee: Party
    offer: bytes
    max_forwards: int = 70


@dataclass(frozen=True, slots=True)
class RingLeg:
    """Send a provisional answer to the leg's INVITE, with early SDP or without."""

    code: int
    phrase: str
    answer: bytes = b""


@dataclass(frozen=True, slots=True)
class AnswerLeg:
    """Send 200 to the leg's INVITE; the engine retransmits it until the ACK arrives."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class RejectLeg:
    """Send a final error to the leg's INVITE."""

    code: int
    phrase: str


@dataclass(frozen=True, slots=True)
class HangUpLeg:
    """End the leg whatever its state: CANCEL while it rings (BYE, if a 2xx crosses it), BYE once it is answered,
    487 to an unanswered incoming INVITE."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReinviteLeg:
    offer: bytes


@dataclass(frozen=True, slots=True)
class AnswerReinvite:
    answer: bytes


@dataclass(frozen=True, slots=True)
class RejectReinvite:
    code: int
    phrase: str


LegCommand = InviteLeg | RingLeg | AnswerLeg | RejectLeg | HangUpLeg | ReinviteLeg | AnswerReinvite | RejectReinvite


@dataclass(frozen=True, slots=True)
class Trunk:
    """One peer of ours as the engine needs it. `username` and `password` answer that peer's challenges (and no other's)."""

    name: str
    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    domain: str = ""
