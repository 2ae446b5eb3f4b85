"""States of a leg in this engine, for both directions.

Rule 1: every transition is in TRANSITIONS. A command with no row came too late or too early: it is
        counted and ignored.
Rule 2: entering ENDED is the one place where a leg's last event, LegFailed or LegHungUp, is
        reported, once.
"""

from __future__ import annotations

from enum import StrEnum


class LegState(StrEnum):
    """The states of a leg."""

    CALLING = "calling"  # our INVITE is out, nothing came back
    RINGING = "ringing"  # a provisional response came
    # Hung up before a provisional: CANCEL must wait for one (RFC 3261 section 9.1).
    CANCEL_PENDING = "CANCEL pending"
    CANCELLING = "cancelling"  # CANCEL is out; the INVITE's final response is to come
    INVITED = "invited"  # the peer's INVITE is in, unanswered
    ANSWERED = "answered"  # our 2xx is out, its ACK is to come
    # Hung up before the ACK: BYE must wait for it (RFC 3261 section 15).
    BYE_PENDING_ACK = "BYE pending ACK"
    UP = "up"
    HANGING_UP = "hanging up"  # our BYE is out
    ENDED = "ended"


class LegTrigger(StrEnum):
    """What moves a leg."""

    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699, or none"
    RING = "RingLeg"
    ANSWER = "AnswerLeg"
    REJECT = "RejectLeg"
    HANG_UP = "HangUpLeg"
    CANCELLED = "CANCEL received"
    ACKED = "ACK received"
    BYE = "BYE received"
    LOST = "dialog lost"  # no ACK in time; 481 or 408 to a request of ours
    BYE_DONE = "BYE answered, or given up"
    GIVE_UP = "no answer to CANCEL"
    RESENT = "INVITE sent anew"  # with credentials, by another hop, or to where a 3xx pointed


TRANSITIONS: dict[LegState, dict[LegTrigger, LegState]] = {
    LegState.CALLING: {
        LegTrigger.PROVISIONAL: LegState.RINGING,
        LegTrigger.SUCCESS: LegState.UP,
        LegTrigger.FAILURE: LegState.ENDED,
        LegTrigger.RESENT: LegState.CALLING,
        LegTrigger.HANG_UP: LegState.CANCEL_PENDING,
    },
    LegState.RINGING: {
        LegTrigger.PROVISIONAL: LegState.RINGING,
        LegTrigger.SUCCESS: LegState.UP,
        LegTrigger.FAILURE: LegState.ENDED,
        LegTrigger.RESENT: LegState.CALLING,
        LegTrigger.HANG_UP: LegState.CANCELLING,
    },
    LegState.CANCEL_PENDING: {
        LegTrigger.PROVISIONAL: LegState.CANCELLING,
        LegTrigger.SUCCESS: LegState.HANGING_UP,
        LegTrigger.FAILURE: LegState.ENDED,
        LegTrigger.HANG_UP: LegState.CANCEL_PENDING,
    },
    LegState.CANCELLING: {
        LegTrigger.PROVISIONAL: LegState.CANCELLING,
        LegTrigger.SUCCESS: LegState.HANGING_UP,  # it crossed our CANCEL
        LegTrigger.FAILURE: LegState.ENDED,
        LegTrigger.GIVE_UP: LegState.ENDED,
        LegTrigger.HANG_UP: LegState.CANCELLING,
    },
    LegState.INVITED: {
        LegTrigger.RING: LegState.INVITED,
        LegTrigger.ANSWER: LegState.ANSWERED,
        LegTrigger.REJECT: LegState.ENDED,
        LegTrigger.HANG_UP: LegState.ENDED,
        LegTrigger.CANCELLED: LegState.ENDED,
        LegTrigger.BYE: LegState.ENDED,
        LegTrigger.LOST: LegState.ENDED,
    },
    LegState.ANSWERED: {
        LegTrigger.ACKED: LegState.UP,
        LegTrigger.BYE: LegState.ENDED,
        LegTrigger.HANG_UP: LegState.BYE_PENDING_ACK,
        LegTrigger.LOST: LegState.HANGING_UP,
    },
    LegState.BYE_PENDING_ACK: {
        LegTrigger.ACKED: LegState.HANGING_UP,
        LegTrigger.BYE: LegState.ENDED,
        LegTrigger.LOST: LegState.HANGING_UP,
        LegTrigger.HANG_UP: LegState.BYE_PENDING_ACK,
    },
    LegState.UP: {
        LegTrigger.BYE: LegState.ENDED,
        LegTrigger.HANG_UP: LegState.HANGING_UP,
        LegTrigger.LOST: LegState.HANGING_UP,
    },
    LegState.HANGING_UP: {
        LegTrigger.BYE: LegState.ENDED,  # they crossed
        LegTrigger.BYE_DONE: LegState.ENDED,
        LegTrigger.HANG_UP: LegState.HANGING_UP,
        LegTrigger.LOST: LegState.HANGING_UP,
    },
    LegState.ENDED: {},
}
