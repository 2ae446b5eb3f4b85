"""Defines the commands of a call: to its legs, to media, to other calls, and what it shows and
records."""

from __future__ import annotations

import msgspec

from b2bua.call.cdr import CallRecord
from b2bua.call.leg import LegEvent
from b2bua.call.leg_command import LegCommand
from b2bua.call.order import Order
from b2bua.call.view import CallView
from media.events import AnyCommand, Side


class ToLeg(msgspec.Struct, frozen=True):
    """For the SIP engine, about the leg of this side."""

    side: Side
    command: LegCommand


class ToReplacement(msgspec.Struct, frozen=True):
    """For the leg that is to replace another in this call (a transfer). An InviteLeg makes that
    leg. Where another call lends it, the command is for that call: see `LegLoan`."""

    command: LegCommand


class ReplaceLeg(msgspec.Struct, frozen=True):
    """The replacement is the side's leg from now on. Events of the old leg are dropped."""

    side: Side


class ReleaseLeg(msgspec.Struct, frozen=True):
    """The leg that another call lends is not needed."""


class ToBorrower(msgspec.Struct, frozen=True):
    """For the call that borrows a leg of this one: an event of that leg. LegHungUp ends the
    loan."""

    event: LegEvent


class ToMedia(msgspec.Struct, frozen=True):
    """For the media process. The answer comes to `Call.media_answered` with the same command."""

    command: AnyCommand


class FeatureCode(msgspec.Struct, frozen=True):
    """The agent's telephone keyed `*`, these digits and `#`: what it asks for is carried out."""

    code: str

    def __repr__(self) -> str:
        return "FeatureCode()"


class Show(msgspec.Struct, frozen=True):
    """For the agents: the call as it is now."""

    view: CallView


class Record(msgspec.Struct, frozen=True):
    """The call is over, and its outcome known: its call detail record."""

    record: CallRecord


class NoteMask(msgspec.Struct, frozen=True, kw_only=True):
    """For the audit log: the mask went on or off; `failed`: it was to go on, and did not. `who`:
    the agent who wanted it, or the part of Tonewall."""

    on: bool
    who: str
    payment: str = ""
    failed: bool = False
    details: dict[str, str | int] = msgspec.field(default_factory=dict)


class StartPayment(msgspec.Struct, frozen=True):
    """Start a payment without an agent: the one that is prepared for this call, else of this order;
    None: nothing else is known to be owed. `again`: with another card."""

    order: Order | None
    again: bool = False


class SubmitPayment(msgspec.Struct, frozen=True):
    """Submit that payment, once it is written down."""

    payment: str


class ToDesk(msgspec.Struct, frozen=True):
    """For whoever carries out agents' requests. `CaptureRequests.desk_refused` hears where it
    cannot be done; else the call's payment changes."""

    request: StartPayment | SubmitPayment


CallCommand = (
    ToLeg
    | ToReplacement
    | ReplaceLeg
    | ReleaseLeg
    | ToBorrower
    | ToMedia
    | ToDesk
    | FeatureCode
    | NoteMask
    | Show
    | Record
)
