"""What a call asks of the world: commands to a leg, to media, and what to show and record."""

from __future__ import annotations

import msgspec

from b2bua.call.cdr import CallRecord
from b2bua.call.leg import LegCommand, LegEvent
from b2bua.call.view import CallView
from media.events import AnyCommand, Side


class ToLeg(msgspec.Struct, frozen=True):
    """For the SIP engine, which knows the side's dialog."""

    side: Side
    command: LegCommand


class ToReplacement(msgspec.Struct, frozen=True):
    """For the leg that is to take another's place in this call (a transfer); its InviteLeg makes
    it.

    Where another call has lent the leg, it is for that call: see `Loan.asked`.
    """

    command: LegCommand


class ReplaceLeg(msgspec.Struct, frozen=True):
    """The joining leg is the side's leg from now on; what the old one still reports is of no
    concern."""

    side: Side


class ReleaseLeg(msgspec.Struct, frozen=True):
    """The leg that another call lent is not needed."""


class ToBorrower(msgspec.Struct, frozen=True):
    """For the call that a leg of this one is lent to: what that leg reports. After LegHungUp there
    is nothing to give back."""

    event: LegEvent


class ToMedia(msgspec.Struct, frozen=True):
    """For the media process. Its answer comes back to `Call.media_answered` with the same
    command."""

    command: AnyCommand


class Show(msgspec.Struct, frozen=True):
    """For the agents: what the call looks like now."""

    view: CallView


class Record(msgspec.Struct, frozen=True):
    """The call is over and its outcome known: the call detail record."""

    record: CallRecord


CallCommand = ToLeg | ToReplacement | ReplaceLeg | ReleaseLeg | ToBorrower | ToMedia | Show | Record
