"""Commands to a leg: what a call asks of a SIP engine, whichever engine it is.

Rule 1: commands are imperative; they are frozen and free of any engine's types. The engine's events
        are in leg.py.
Rule 2: an engine ignores commands to a leg that it has reported as over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from b2bua.call.leg import NOTHING, Carried, Party


@dataclass(frozen=True, slots=True)
class InviteLeg:
    """Open a dialog on `trunk`. Without `offer` the far end makes one: see LegAnswered.

    `replaces` and `referred_by`: the values of Replaces (RFC 3891) and Referred-By (RFC 3892) to
    send, or "". The latter goes back to the trunk that said it. `uri`: the Request-URI that a
    Refer-To asked for, or "".
    """

    trunk: str
    caller: Party
    callee: Party
    offer: bytes
    max_forwards: int = 70
    carried: Carried = NOTHING
    replaces: str = ""
    referred_by: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class RingLeg:
    """Send a provisional answer to the leg's INVITE, with early SDP or without."""

    code: int
    phrase: str
    answer: bytes = b""
    carried: Carried = NOTHING


@dataclass(frozen=True, slots=True)
class AnswerLeg:
    """Send 200 to the leg's INVITE; the engine retransmits it until the ACK arrives. Where the
    INVITE had no offer, `answer` is ours, and the far end's answer comes with LegConfirmed."""

    answer: bytes
    carried: Carried = NOTHING


@dataclass(frozen=True, slots=True)
class ConfirmLeg:
    """Send the ACK that waits for the answer to the far end's offer (of LegAnswered or
    ReinviteAnswered)."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class RejectLeg:
    """Send a final error to the leg's INVITE. `contacts` and `retry_after`: as in LegFailed."""

    code: int
    phrase: str
    carried: Carried = NOTHING
    contacts: tuple[str, ...] = ()
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class HangUpLeg:
    """End the leg whatever its state: CANCEL while it rings (BYE, if a 2xx crosses it), BYE once it
    is answered, 487 to an unanswered incoming INVITE."""

    reason: str = ""
    carried: Carried = NOTHING


@dataclass(frozen=True, slots=True)
class ReinviteLeg:
    """Offer anew: by re-INVITE, or by UPDATE where the leg is not answered yet. Without `offer` the
    far end makes one."""

    offer: bytes


@dataclass(frozen=True, slots=True)
class AnswerReinvite:
    """Answer the far end's re-INVITE or UPDATE; where it had no offer, `answer` is ours."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class RejectReinvite:
    """Refuse it; the session goes on as it was."""

    code: int
    phrase: str


@dataclass(frozen=True, slots=True)
class AnswerReferral:
    """Answer a REFER: 202, and NotifyLeg follows, or an error, and nothing does."""

    referral: str
    code: int
    phrase: str = ""


@dataclass(frozen=True, slots=True)
class NotifyLeg:
    """Say how far the transfer is (NOTIFY with a sipfrag, RFC 3515). A code of 200 or more is the
    last."""

    referral: str
    code: int
    phrase: str = ""


@dataclass(frozen=True, slots=True)
class RequestLeg:
    """Send INFO or MESSAGE; answered by LegResponded with the same `request`."""

    request: str
    method: str
    content_type: str
    body: bytes = field(repr=False)
    info_package: str = ""
    carried: Carried = NOTHING


@dataclass(frozen=True, slots=True)
class RespondLeg:
    """Answer a LegRequested. `packages`: as in LegResponded."""

    request: str
    code: int
    phrase: str = ""
    packages: tuple[str, ...] = ()


LegCommand = (
    InviteLeg
    | RingLeg
    | AnswerLeg
    | ConfirmLeg
    | RejectLeg
    | HangUpLeg
    | ReinviteLeg
    | AnswerReinvite
    | RejectReinvite
    | AnswerReferral
    | NotifyLeg
    | RequestLeg
    | RespondLeg
)
