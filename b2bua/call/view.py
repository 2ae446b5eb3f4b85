"""What agents may see of calls and captures: the vocabulary between the calls and the API.

Rule 1: everything here may be shown on a screen; of a card there are counts, brand, last four and
        an outcome; of other fields counts, and the last digits that their form shows.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from b2bua.call.deafness import LineFault
from b2bua.call.feature_codes import CodeView
from b2bua.call.follow_up import KINDS, Balance, FollowUpView, Kind
from b2bua.call.key_notes import CaptureNote
from b2bua.call.link import LinkView
from b2bua.call.obstacle import Obstacle, ObstacleCode, other_agent
from b2bua.call.order import Order
from b2bua.call.prepared import PreparedView
from b2bua.call.take_over import TakeOver
from b2bua.call.unattended_view import UnattendedView
from media.events import FieldName, FieldProgress
from provider_adapters.payment import Operation, Outcome, Unknown


class CallState(StrEnum):
    """The states of a call as its agent sees them."""

    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


class CaptureStage(StrEnum):
    """The stages of a payment as its agent sees them. The last three are final."""

    PREPARED = "prepared"  # before its call is there, or until the agent starts it; see `prepared`
    STARTING = "starting"  # masking is being switched on; the customer must not key yet
    COLLECTING = "collecting"
    READY = "ready"
    CHARGING = "charging"
    LINKED = "linked"  # the customer pays by a link; see `link`
    FINISHED = "finished"  # there is an outcome
    CANCELLED = "cancelled"
    ABORTED = "aborted"  # see `reason`


class MaskStage(StrEnum):
    """How the agent's side is kept from the customer's keys."""

    OFF = "off"
    ON = "on"  # for a payment that is under way, or is about to be
    # The payment is over otherwise than approved: until released, or `release_time` without a key.
    HELD = "held"
    RELEASING = "releasing"  # approved or released: goes off after `guard_time` without a key


class CaptureView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as its call has it. `shown`: of fields that are no card's, by name, the last digits
    that the form shows. `started_by` and `agent`: the names of the tokens that started it, and that
    drive it now. `unheard`: no key has come since the customer was asked, for long. `notes`: how
    keys come, and whether the customer talks instead. `slow`: two equal keys that come within 400
    ms count as one."""

    id: str
    stage: CaptureStage
    order: Order
    started_by: str = ""
    agent: str = ""
    taken_over_by: tuple[str, ...] = ()
    field: FieldName | None = None  # the one being keyed now
    fields: tuple[FieldProgress, ...] = ()
    brand: str | None = None
    last_four: str | None = None
    shown: dict[FieldName, str] = {}
    outcome: Outcome | None = None
    reason: str | None = None
    unheard: bool = False
    notes: tuple[CaptureNote, ...] = ()
    slow: bool = False


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment, which outlives its call. `id` is its capture's, and its idempotency key at the
    provider.

    `call` is empty where the card was saved before, by the payment `saved_from` or elsewhere, or
    where a `link` was opened without a call, or until one fits that was `prepared`. Times are RFC
    3339, UTC. `repeats`: earlier payments with the same reference over which it was asked for
    expressly. `decided_at`, `decided_by`: when and by whom an outcome that was unknown was found:
    "reconciler", "webhook" or "person"; `settled_by`: which agent. `captured`, `refunded` and
    `voided` follow from the rest: what the provider has done, or has accepted to do, in the order's
    minor unit. `offers`: what its provider can do about it; None: not known. `left`: how much may
    still be done there, by kind.
    """

    id: str
    call: str = ""
    stage: CaptureStage
    order: Order
    saved_from: str | None = None
    link: LinkView | None = None
    prepared: PreparedView | None = None
    started_by: str = ""
    agent: str = ""
    taken_over_by: tuple[str, ...] = ()
    take_overs: tuple[TakeOver, ...] = ()
    started_at: str
    submitted_at: str | None = None
    settled_at: str | None = None
    brand: str | None = None
    last_four: str | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    repeats: tuple[str, ...] = ()
    decided_at: str | None = None
    decided_by: str | None = None
    settled_by: str | None = None
    follow_ups: tuple[FollowUpView, ...] = ()
    captured: int = 0
    refunded: int = 0
    voided: int = 0
    offers: tuple[Operation, ...] | None = None
    left: dict[Kind, int] = {}

    def __post_init__(self) -> None:
        balance = self.balance
        for name in ("captured", "refunded", "voided"):
            msgspec.structs.force_setattr(self, name, getattr(balance, name))
        left = {kind: balance.left_of_offered(kind, self.offers) for kind in KINDS}
        msgspec.structs.force_setattr(self, "left", left)

    @property
    def balance(self) -> Balance:
        """Its money."""
        return Balance.of(self.order.operation, self.order.amount, self.outcome, self.follow_ups)


class CallLegView(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of a call, as it is now. `call_id`: its SIP Call-ID; empty until it is known; `trunk`:
    by its name in sip.conf; empty where the call ends in a form; `number`: who is on it, as far as
    that is known; `headers`: those of `shown_headers` that its peer sent, by their names in lower
    case."""

    call_id: str = ""
    trunk: str = ""
    number: str = ""
    headers: dict[str, str] = {}


class CallView(msgspec.Struct, frozen=True, kw_only=True):
    """A call. `masked_since`: when media confirmed the mask that is on, RFC 3339, UTC.

    `keys_dropped`: keys that were thrown away before the newest payment, or since it.
    `keys_passed_at`: when a key of the customer's last reached the agent, RFC 3339, UTC; None: none
    has since the call was masked last.
    `announced_by`: the agent who has announced a payment that has not begun; "": the call is masked
    since it was answered; None: none is announced.

    `extension`: the number on the agents' side, as far as it is known; `agent`: the name of the
    token whose extension that is; `reference`: of an order, as PBX or carrier named it. `prompts`:
    the names of what the customer is being played.

    `capturable` follows from `not_capturable`: why no capture can begin now, in the words of the
    refusal that would come."""

    id: str
    state: CallState
    direction: str  # "inbound": the carrier's side called; "outbound": the PBX called
    caller: str
    callee: str
    started_at: str  # RFC 3339, UTC
    masked: bool
    mask: MaskStage = MaskStage.OFF
    masked_since: str | None = None
    # The customer keys though no payment is under way; nothing of it reaches the agent.
    still_keying: bool = False
    keys_dropped: int = 0
    keys_passed_at: str | None = None
    announced_by: str | None = None
    capture: CaptureView | None = None  # the newest capture of this call
    # Why nothing of the customer is heard, while a card is to be keyed.
    line_fault: LineFault | None = None
    extension: str = ""
    agent: str = ""
    reference: str = ""
    claim: str = ""  # of the agent whose page the agent's telephone is linked to
    feature_code: CodeView | None = None  # the newest that the agent's telephone has keyed
    unattended: UnattendedView | None = None  # the newest form that the customer keyed without an agent
    prompts: tuple[str, ...] = ()
    customer_leg: CallLegView = CallLegView()
    agent_leg: CallLegView = CallLegView()
    not_capturable: Obstacle | None = None
    capturable: bool = True

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "capturable", self.not_capturable is None)


class NoSuchCall(Exception):
    """There is no such call, or it has ended."""


class NotNow(Exception):
    """The request does not fit the state of the call or capture; `str(error)` says why, fit for the
    agent's eyes."""


class NotWell(Exception):
    """No payment can be made now, in this call or another; `str(error)` says why, fit for the
    agent's eyes."""


class Repeated(NotNow):
    """The order was charged, or may have been, by these payments, the newest first; it was not
    asked for again expressly."""

    def __init__(self, payments: tuple[PaymentView, ...]) -> None:
        super().__init__(_REPEATED[_certainty(payments)])
        self.payments = payments


class NotYours(Exception):
    """A payment is driven by another agent. `agent` is that one's name."""

    def __init__(self, agent: str) -> None:
        super().__init__(other_agent(agent).detail)
        self.agent = agent


class NotOffered(Exception):
    """The payment provider cannot do what was requested; `str(error)` says so, fit for the agent's
    eyes. `field`: the part of the request that asks for it."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


class KeyReused(Exception):
    """An `Idempotency-Key` came with another request than before."""


class NoSuchPayment(Exception):
    """There is no such payment, or it is forgotten."""


def refusal(obstacle: Obstacle) -> NotNow | NotYours | NotWell:
    """What a request to begin a capture raises there."""
    match obstacle.code:
        case ObstacleCode.OTHER_AGENT:
            return NotYours(obstacle.agent)
        case ObstacleCode.SERVICE:
            return NotWell(obstacle.detail)
        case _:
            return NotNow(obstacle.detail)


_REPEATED = {
    "charging": "This order is being charged at this moment. Wait for its outcome.",
    "linked": "A payment link for this order is open. Close the link first.",
    "charged": "This order was charged already. Nothing was charged now.",
    "unknown": "It is not known whether this order was charged already. Have it checked with the payment "
    "provider first.",
}


def _certainty(payments: tuple[PaymentView, ...]) -> str:
    if any(payment.stage is CaptureStage.CHARGING for payment in payments):
        return "charging"
    if any(payment.stage is CaptureStage.LINKED for payment in payments):
        return "linked"
    return "charged" if any(not isinstance(payment.outcome, Unknown) for payment in payments) else "unknown"
