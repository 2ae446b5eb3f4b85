"""The states of a leg in this engine, for both directions.

Rule 1: every transition is in TRANSITIONS. A command with no row came too late or too early: it is
        counted and ignored.
Rule 2: entering ENDED is the one place where a leg's last event, LegFailed or LegHungUp, is
        reported, once.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """How far a leg is."""

    CALLING = "calling"  # our INVITE is out, nothing came back
    RINGING = "ringing"  # a provisional response came
    CANCEL_WANTED = (
        # Hung up before a provisional: CANCEL must wait for one (RFC 3261 section 9.1).
        "cancel wanted"
    )
    CANCELLING = "cancelling"  # CANCEL is out; the INVITE's final response is to come
    INVITED = "invited"  # the peer's INVITE is in, unanswered
    ANSWERED = "answered"  # our 2xx is out, its ACK is to come
    # Hung up before the ACK: BYE must wait for it (RFC 3261 section 15).
    HANG_UP_WANTED = "hang-up wanted"
    UP = "up"
    HANGING_UP = "hanging up"  # our BYE is out
    ENDED = "ended"


class Event(StrEnum):
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
    AGAIN = "INVITE sent anew"  # with credentials, by another hop, or to where a 3xx pointed


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.CALLING: {
        Event.PROVISIONAL: State.RINGING,
        Event.SUCCESS: State.UP,
        Event.FAILURE: State.ENDED,
        Event.AGAIN: State.CALLING,
        Event.HANG_UP: State.CANCEL_WANTED,
    },
    State.RINGING: {
        Event.PROVISIONAL: State.RINGING,
        Event.SUCCESS: State.UP,
        Event.FAILURE: State.ENDED,
        Event.AGAIN: State.CALLING,
        Event.HANG_UP: State.CANCELLING,
    },
    State.CANCEL_WANTED: {
        Event.PROVISIONAL: State.CANCELLING,
        Event.SUCCESS: State.HANGING_UP,
        Event.FAILURE: State.ENDED,
        Event.HANG_UP: State.CANCEL_WANTED,
    },
    State.CANCELLING: {
        Event.PROVISIONAL: State.CANCELLING,
        Event.SUCCESS: State.HANGING_UP,  # it crossed our CANCEL
        Event.FAILURE: State.ENDED,
        Event.GIVE_UP: State.ENDED,
        Event.HANG_UP: State.CANCELLING,
    },
    State.INVITED: {
        Event.RING: State.INVITED,
        Event.ANSWER: State.ANSWERED,
        Event.REJECT: State.ENDED,
        Event.HANG_UP: State.ENDED,
        Event.CANCELLED: State.ENDED,
        Event.BYE: State.ENDED,
        Event.LOST: State.ENDED,
    },
    State.ANSWERED: {
        Event.ACKED: State.UP,
        Event.BYE: State.ENDED,
        Event.HANG_UP: State.HANG_UP_WANTED,
        Event.LOST: State.HANGING_UP,
    },
    State.HANG_UP_WANTED: {
        Event.ACKED: State.HANGING_UP,
        Event.BYE: State.ENDED,
        Event.LOST: State.HANGING_UP,
        Event.HANG_UP: State.HANG_UP_WANTED,
    },
    State.UP: {
        Event.BYE: State.ENDED,
        Event.HANG_UP: State.HANGING_UP,
        Event.LOST: State.HANGING_UP,
    },
    State.HANGING_UP: {
        Event.BYE: State.ENDED,  # they crossed
        Event.BYE_DONE: State.ENDED,
        Event.HANG_UP: State.HANGING_UP,
        Event.LOST: State.HANGING_UP,
    },
    State.ENDED: {},
}
