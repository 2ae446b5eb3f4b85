"""Legs: the parties of one, and the events that a SIP engine reports of it, whichever engine it is.

Rule 1: events are past tense; they are frozen and free of any engine's types. Commands are in
        leg_command.py.
Rule 2: session descriptions cross as bytes; the engine neither reads nor changes them. What else a
        message carried and the policy of headers lets cross is `Carried`, and is handed on as it
        is.
Rule 3: the engine does by itself what concerns one leg only: ACK, PRACK, session timers,
        challenges, failover between a trunk's hops. What concerns both legs is an event here.
Rule 4: after `LegHungUp` or `LegFailed` an engine reports nothing more of that leg.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NewType

LegId = NewType("LegId", str)


@dataclass(frozen=True, slots=True)
class Party:
    """Who calls or is called: the user part of the URI (often a number) and a display name.

    `parameters`: those of a number within the user part, such as `;npdi;rn=+4930`, as they came."""

    user: str
    display: str = ""
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a body that is not the session description. `lines`: its other header lines
    (Content-ID and such)."""

    content_type: str
    content: bytes = field(repr=False)
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Carried:
    """What crosses from leg to leg beside the call itself: headers (name, value) and parts of the
    body."""

    headers: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()


NOTHING = Carried()


@dataclass(frozen=True, slots=True)
class LegInvited:
    """A trunk sent an INVITE that opens a dialog. The engine has answered 100 Trying; it waits for
    a command.

    `offer` is empty where the INVITE had no SDP (delayed offer). `max_forwards` is as received.
    `replaces`: the leg of ours that a Replaces header names (RFC 3891); the engine has refused one
    that names none.
    """

    trunk: str
    caller: Party
    callee: Party
    offer: bytes
    max_forwards: int = 70
    carried: Carried = NOTHING
    replaces: LegId | None = None


@dataclass(frozen=True, slots=True)
class LegProgressed:
    """The far end sent a provisional answer above 100 (180, 183), with early SDP or without."""

    code: int
    phrase: str
    answer: bytes = b""
    carried: Carried = NOTHING


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """The far end answered our INVITE with a 2xx; the engine has sent its ACK.

    Where our INVITE had no offer, `answer` is the far end's offer, and the engine waits for
    ConfirmLeg with its ACK.
    """

    answer: bytes
    carried: Carried = NOTHING


@dataclass(frozen=True, slots=True)
class LegConfirmed:
    """The far end sent the ACK for our 2xx to its INVITE or re-INVITE.

    `repeated`: what had been agreed on with the far end before, where that 2xx had it instead of
    the newer answer.
    """

    answer: bytes = b""
    repeated: bytes = b""


@dataclass(frozen=True, slots=True)
class LegFailed:
    """The leg ended before it was answered: a final error, a time-out (408), a transport error
    (503), or CANCEL (487).

    `contacts`: the user parts of a 3xx's Contact headers, best first, where the trunk relays
    redirection. `retry_after`: seconds after which the trunk may be there again, where all of its
    hops are out; else 0.
    """

    code: int
    phrase: str
    carried: Carried = NOTHING
    contacts: tuple[str, ...] = ()
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class LegReinvited:
    """The far end sent a re-INVITE, or an UPDATE with an offer; the engine waits for AnswerReinvite
    or RejectReinvite.

    `offer` may be empty in a re-INVITE: then the answer carries our offer, and LegConfirmed theirs.
    `early`: an UPDATE before the leg was answered (RFC 3311).
    """

    offer: bytes
    early: bool = False


@dataclass(frozen=True, slots=True)
class ReinviteCancelled:
    """The far end gave up its re-INVITE (CANCEL); the engine has answered it with 487."""


@dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """Our re-INVITE was answered with a 2xx. Where it had no offer, `answer` is one, and the ACK
    waits for ConfirmLeg."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class ReinviteFailed:
    """Our re-INVITE was refused; the dialog and the earlier session go on (RFC 3261 section
    14.1)."""

    code: int
    phrase: str


@dataclass(frozen=True, slots=True)
class LegHungUp:
    """An answered leg is over: BYE from the far end, or the dialog was lost (no ACK, 481, 408).
    `reason` is fit for a CDR."""

    reason: str
    carried: Carried = NOTHING


@dataclass(frozen=True, slots=True)
class LegReferred:
    """The far end sent a REFER that asks for a transfer (RFC 3515); the engine waits for
    AnswerReferral.

    `replaces`: the leg of ours that the Refer-To's Replaces names; `replaces_header`: its value,
    where it names a dialog of somebody else. `referred_by`: the value of Referred-By (RFC 3892), or
    "". `uri`: the Refer-To's URI where it is at the trunk itself, with its parameters; `carried`:
    what may cross of its embedded headers.
    """

    referral: str
    target: Party
    replaces: LegId | None = None
    replaces_header: str = ""
    referred_by: str = ""
    uri: str = ""
    carried: Carried = NOTHING


@dataclass(frozen=True, slots=True)
class LegRequested:
    """The far end sent a request that ends with its answer: INFO or MESSAGE. The engine waits for
    RespondLeg.

    `info_package`: the value of Info-Package (RFC 6086), or "".
    """

    request: str
    method: str
    content_type: str
    body: bytes = field(repr=False)
    info_package: str = ""
    carried: Carried = NOTHING


@dataclass(frozen=True, slots=True)
class LegResponded:
    """The final answer to our RequestLeg; 408 or 503 where there was none. `packages`: the INFO
    packages that a 469 names."""

    request: str
    code: int
    phrase: str
    packages: tuple[str, ...] = ()


LegEvent = (
    LegInvited
    | LegProgressed
    | LegAnswered
    | LegConfirmed
    | LegFailed
    | LegReinvited
    | ReinviteAnswered
    | ReinviteFailed
    | ReinviteCancelled
    | LegHungUp
    | LegReferred
    | LegRequested
    | LegResponded
)
