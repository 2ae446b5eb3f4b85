"""What a call asks of the world: commands to a leg, to media, and what to show and record."""

from __future__ import annotations

import msgspec

from b2bua.call.cdr import CallRecord
from b2bua.call.leg import LegCommand
from b2bua.call.view import CallView
from media.events import AnyCommand, Side


class ToLeg(msgspec.Struct, frozen=True):
    """For the SIP engine, which knows the side's dialog."""

    side: Side
    command: LegCommand


class ToJoining(msgspec.Struct, frozen=True):
    """For the leg that is to take another's place in this call (a transfer); its InviteLeg makes it."""

    command: LegCommand


class Seat(msgspec.Struct, frozen=True):
    """The joining leg is the side's leg from now on; what the old one still reports is of no concern."""

    side: Side


class ToMedia(msgspec.Struct, frozen=True):
    """For the media process. Its answer comes back to `Call.media_answered` with the same command."""

    command: AnyCommand


class Show(msgspec.Struct, frozen=True):
    """For the agents: what the call looks like now."""

    view: CallView


class Record(msgspec.Struct, frozen=True):
    """The call is over and its outcome known: the call detail record."""

    record: CallRecord


CallCommand = ToLeg | ToJoining | Seat | ToMedia | Show | Record
