"""The steps of a form that a customer keys for us, without an agent, their events, and the table
of both."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Step(StrEnum):
    """The steps of a form without an agent."""

    NONE = "none"  # the call has no such form
    ANSWERING = "answering"  # our end has answered; the caller's has to be
    STARTING = "starting"  # a payment is asked for; the mask is on its way
    TAKING_OVER = "taking over"  # the agent hung up; the payment goes on where it stands
    KEYING = "keying"
    CONFIRMING = "confirming"  # all is keyed; the customer confirms the amount
    SUBMITTING = "submitting"  # the payment is being written down, then handed over
    CHARGING = "charging"
    WATCHING = "watching"  # an agent of the API has taken the payment over
    TELLING = "telling"  # the customer is told the outcome
    GOING_ON = "going on"  # the next place is invited
    DONE = "done"  # the call is with somebody
    OVER = "over"  # the call ended before that


class StepEvent(StrEnum):
    """The events of a form without an agent."""

    BEGUN = "call ends in a form"
    LEFT = "agent hung up during a payment"
    PASSED_ON = "another agent is called"
    ANSWERED = "call answered"
    COLLECTING = "the customer may key, or keys again"
    READY = "all is keyed"
    CONFIRMED = "amount confirmed"
    PERSON_WANTED = "a person asked for"
    SILENT = "nothing keyed for too long"
    TOO_LONG = "time limit"
    REFUSED = "payment not possible, or nothing owed"
    STOPPED = "payment cancelled or aborted"
    CHARGING = "card handed over"
    APPROVED = "approved"
    ANOTHER_CARD = "declined, another card may be tried"
    NOT_PAID = "declined, failed or unknown"
    TAKEN_OVER = "taken over by an agent"
    TOLD = "outcome spoken"
    SEATED = "next place answered"
    PLACE_FAILED = "next place did not answer"
    NO_PLACE = "no place left"
    CALL_ENDED = "call ended"


_END = {StepEvent.CALL_ENDED: Step.OVER}
_TO_A_PERSON = {
    StepEvent.PERSON_WANTED: Step.GOING_ON,
    StepEvent.SILENT: Step.GOING_ON,
    StepEvent.TOO_LONG: Step.GOING_ON,
    StepEvent.REFUSED: Step.GOING_ON,
    StepEvent.STOPPED: Step.GOING_ON,
    StepEvent.TAKEN_OVER: Step.WATCHING,
}
_OUTCOMES = {
    StepEvent.APPROVED: Step.TELLING,
    StepEvent.ANOTHER_CARD: Step.STARTING,
    StepEvent.NOT_PAID: Step.TELLING,
}

STEP_TRANSITIONS: Mapping[Step, Mapping[StepEvent, Step]] = {
    Step.NONE: {
        StepEvent.BEGUN: Step.ANSWERING,
        StepEvent.LEFT: Step.TAKING_OVER,
        StepEvent.CALL_ENDED: Step.NONE,
    },
    Step.ANSWERING: {StepEvent.ANSWERED: Step.STARTING, **_END},
    Step.STARTING: {StepEvent.COLLECTING: Step.KEYING, **_TO_A_PERSON, **_END},
    Step.TAKING_OVER: {
        StepEvent.PASSED_ON: Step.GOING_ON,
        StepEvent.COLLECTING: Step.KEYING,
        StepEvent.READY: Step.CONFIRMING,
        StepEvent.CHARGING: Step.CHARGING,
        StepEvent.REFUSED: Step.GOING_ON,
        StepEvent.STOPPED: Step.GOING_ON,
        StepEvent.TAKEN_OVER: Step.WATCHING,
        **_OUTCOMES,
        **_END,
    },
    Step.KEYING: {
        StepEvent.COLLECTING: Step.KEYING,
        StepEvent.READY: Step.CONFIRMING,
        **_TO_A_PERSON,
        **_END,
    },
    Step.CONFIRMING: {
        StepEvent.COLLECTING: Step.KEYING,
        StepEvent.CONFIRMED: Step.SUBMITTING,
        **_TO_A_PERSON,
        **_END,
    },
    # From here on only an outcome says what became of the money; a person helps afterwards.
    Step.SUBMITTING: {
        StepEvent.CHARGING: Step.CHARGING,
        # A key came before the card was handed over: nothing was sent.
        StepEvent.COLLECTING: Step.KEYING,
        StepEvent.REFUSED: Step.GOING_ON,
        StepEvent.STOPPED: Step.GOING_ON,
        StepEvent.TAKEN_OVER: Step.WATCHING,
        **_OUTCOMES,
        **_END,
    },
    Step.CHARGING: {
        StepEvent.COLLECTING: Step.KEYING,
        StepEvent.STOPPED: Step.GOING_ON,
        **_OUTCOMES,
        **_END,
    },
    Step.WATCHING: {
        StepEvent.STOPPED: Step.GOING_ON,
        StepEvent.APPROVED: Step.TELLING,
        StepEvent.NOT_PAID: Step.TELLING,
        **_END,
    },
    Step.TELLING: {StepEvent.TOLD: Step.GOING_ON, **_END},
    Step.GOING_ON: {
        StepEvent.SEATED: Step.DONE,
        StepEvent.PLACE_FAILED: Step.GOING_ON,
        StepEvent.NO_PLACE: Step.OVER,
        **_END,
    },
    # A call that is with somebody may be transferred into a form once more.
    Step.DONE: {
        StepEvent.BEGUN: Step.ANSWERING,
        StepEvent.LEFT: Step.TAKING_OVER,
        StepEvent.CALL_ENDED: Step.DONE,
    },
    Step.OVER: {StepEvent.CALL_ENDED: Step.OVER},
}
