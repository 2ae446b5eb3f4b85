"""Defines the states of a renegotiation, its events, and the table of both."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RenegotiationState(StrEnum):
    """The states of a renegotiation."""

    IDLE = "idle"
    WIDENING = "widening"  # the offerer has more m-lines than before; media opens ports for them
    ASKED = "asked"  # the other leg has the offer
    ANSWERING = "answering"  # the other leg accepted it; media has it first, then the offerer is answered
    GIVEN_UP = "given up"  # the offerer cancelled it; the other leg's answer is to come
    RESTORING = "restoring"  # the other leg had accepted it, and is offered its old session
    OFFERED = "offered"  # we offered in a 2xx; the ACK has the answer
    ALONE = "alone"  # as OFFERED, but the other leg is gone
    FOLLOWING = "following"  # a leg is offered what its local description lacks


class RenegotiationEvent(StrEnum):
    """The events of a renegotiation."""

    ASK = "re-INVITE received"
    WIDEN = "re-INVITE with more m-lines received"
    WIDENED = "answer of media received"
    ASK_FOR_OFFER = "re-INVITE without an offer received"
    CONFIRMED = "ACK received"
    CHANGED = "ACK received, with something new"
    BEHIND = "local description outdated"
    ANSWERED = "answered"
    SENT = "offerer answered"
    UNUSABLE = "answered, but not relayable"
    REFUSED = "refused"
    CANCELLED = "offerer cancelled, or gone"
    LEFT = "other leg gone"
    CALL_ENDED = "call ended"


_ENDED = {RenegotiationEvent.CALL_ENDED: RenegotiationState.IDLE}

RENEGOTIATION_TRANSITIONS: Mapping[RenegotiationState, Mapping[RenegotiationEvent, RenegotiationState]] = {
    RenegotiationState.IDLE: {
        RenegotiationEvent.ASK: RenegotiationState.ASKED,
        RenegotiationEvent.WIDEN: RenegotiationState.WIDENING,
        RenegotiationEvent.ASK_FOR_OFFER: RenegotiationState.OFFERED,
        RenegotiationEvent.BEHIND: RenegotiationState.FOLLOWING,
        RenegotiationEvent.CANCELLED: RenegotiationState.IDLE,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.WIDENING: {
        RenegotiationEvent.WIDENED: RenegotiationState.ASKED,
        RenegotiationEvent.CANCELLED: RenegotiationState.IDLE,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.ASKED: {
        RenegotiationEvent.ANSWERED: RenegotiationState.ANSWERING,
        RenegotiationEvent.UNUSABLE: RenegotiationState.RESTORING,
        RenegotiationEvent.REFUSED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.GIVEN_UP,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.ANSWERING: {
        RenegotiationEvent.SENT: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.RESTORING,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.GIVEN_UP: {
        RenegotiationEvent.ANSWERED: RenegotiationState.RESTORING,
        RenegotiationEvent.UNUSABLE: RenegotiationState.RESTORING,
        RenegotiationEvent.REFUSED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.GIVEN_UP,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.RESTORING: {
        RenegotiationEvent.ANSWERED: RenegotiationState.IDLE,
        RenegotiationEvent.UNUSABLE: RenegotiationState.IDLE,
        RenegotiationEvent.REFUSED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.RESTORING,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.OFFERED: {
        RenegotiationEvent.CONFIRMED: RenegotiationState.IDLE,
        RenegotiationEvent.CHANGED: RenegotiationState.FOLLOWING,
        RenegotiationEvent.CANCELLED: RenegotiationState.IDLE,
        RenegotiationEvent.LEFT: RenegotiationState.ALONE,
        **_ENDED,
    },
    RenegotiationState.ALONE: {
        RenegotiationEvent.CONFIRMED: RenegotiationState.IDLE,
        RenegotiationEvent.CHANGED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.IDLE,
        RenegotiationEvent.LEFT: RenegotiationState.ALONE,
        **_ENDED,
    },
    RenegotiationState.FOLLOWING: {
        RenegotiationEvent.ANSWERED: RenegotiationState.IDLE,
        RenegotiationEvent.UNUSABLE: RenegotiationState.IDLE,
        RenegotiationEvent.REFUSED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.FOLLOWING,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
}
