"""The states of a transfer, its events, and the table of both."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class TransferState(StrEnum):
    """The states of a transfer."""

    IDLE = "idle"
    INVITING = "inviting"  # the target has our INVITE
    ASKING = "asking"  # the target is a leg that another call lends, and has our re-INVITE
    # The target answered, or called; the two others are in the middle of a re-INVITE.
    WAITING = "waiting"
    OFFERING = "offering"  # the leg that stays has a re-INVITE with the target's session
    UNDOING = "undoing"  # the target is gone, and that re-INVITE is not answered yet
    RESTORING = "restoring"  # the leg that stays is offered the old session again


class TransferEvent(StrEnum):
    """The events of a transfer."""

    REFERRED = "REFER"
    REPLACED = "INVITE with Replaces"
    JOINED = "REFER that names another call"
    SENT_ON = "form over, call goes on"
    LEFT = "agent hung up, call goes on"
    ANSWERED = "target answered"
    OFFERED = "re-INVITE sent"
    SEATED = "leg replaced"
    FAILED = "target refused or gone"
    AGREED = "re-INVITE answered"
    REFUSED = "re-INVITE refused"
    CALL_ENDED = "call ended"


_ENDED = {TransferEvent.CALL_ENDED: TransferState.IDLE}

TRANSFER_TRANSITIONS: Mapping[TransferState, Mapping[TransferEvent, TransferState]] = {
    TransferState.IDLE: {
        TransferEvent.REFERRED: TransferState.INVITING,
        TransferEvent.REPLACED: TransferState.WAITING,
        TransferEvent.JOINED: TransferState.ASKING,
        TransferEvent.SENT_ON: TransferState.INVITING,
        TransferEvent.LEFT: TransferState.INVITING,
        **_ENDED,
    },
    TransferState.INVITING: {
        TransferEvent.ANSWERED: TransferState.WAITING,
        TransferEvent.FAILED: TransferState.IDLE,
        **_ENDED,
    },
    TransferState.ASKING: {
        TransferEvent.ANSWERED: TransferState.WAITING,
        TransferEvent.FAILED: TransferState.IDLE,
        **_ENDED,
    },
    TransferState.WAITING: {
        TransferEvent.OFFERED: TransferState.OFFERING,
        TransferEvent.SEATED: TransferState.IDLE,
        TransferEvent.FAILED: TransferState.IDLE,
        **_ENDED,
    },
    TransferState.OFFERING: {
        TransferEvent.SEATED: TransferState.IDLE,
        TransferEvent.REFUSED: TransferState.IDLE,
        TransferEvent.FAILED: TransferState.UNDOING,
        **_ENDED,
    },
    TransferState.UNDOING: {
        TransferEvent.AGREED: TransferState.RESTORING,
        TransferEvent.REFUSED: TransferState.IDLE,
        **_ENDED,
    },
    TransferState.RESTORING: {
        TransferEvent.AGREED: TransferState.IDLE,
        TransferEvent.REFUSED: TransferState.IDLE,
        **_ENDED,
    },
}
