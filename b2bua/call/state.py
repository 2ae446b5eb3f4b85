"""The tables of a call: its phases, its mask, and the stages of a payment in it.

Rule 1: every transition is in one of the three tables; an event without a row raises `IllegalEvent`
        and changes nothing.
Rule 2: network noise that is to be expected is a declared row that stays where it is.
Rule 3: a mask whose state is unknown is MASKED; only a confirmed `SetMask(on=False)` opens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from b2bua.call.view import CaptureStage


class IllegalEvent(Exception):
    """A transition that the table does not have; a bug of ours, never the network's."""


# --- phases: two legs become one call -------------------------------------------------------------


class Phase(StrEnum):
    """The states of the two legs. The near leg is the one that invited us, the far leg the one that
    we invite."""

    IDLE = "idle"
    OPENING = "opening"  # media binds ports
    INVITING = "inviting"  # the far leg has our INVITE
    RINGING = "ringing"  # the far leg sent a provisional answer
    OFFERED = "offered"  # the far leg answered with an offer; media opens its ports
    ANSWERED = "answered"  # the far leg answered; media hears where it is, then we answer
    UP = "up"  # the far leg answered, and so did we
    ENDED = "ended"


class Happening(StrEnum):
    """What moves a call on."""

    INVITED = "invited"
    NO_OFFER = "invited without an offer"
    MEDIA_OPENED = "media opened"
    MEDIA_REFUSED = "media refused"
    FAR_PROGRESSED = "far leg progressed"
    FAR_ANSWERED = "far leg answered"
    NEAR_ANSWERED = "near leg answered"
    FAR_OFFERED = "far leg answered with an offer"
    FAR_FAILED = "far leg failed"
    TRUNK_FAILED = "trunk failed, and there is another"
    TRUNK_ELSEWHERE = "trunk failed, and the next is reached by another address of ours"
    NEAR_GONE = "near leg gone"
    LEG_HUNG_UP = "leg hung up"
    NO_ANSWER = "no answer in time"
    MEDIA_LOST = "media lost"
    SHUT_DOWN = "shut down"


_LEAVING = dict.fromkeys(
    (Happening.NEAR_GONE, Happening.MEDIA_LOST, Happening.SHUT_DOWN, Happening.LEG_HUNG_UP), Phase.ENDED
)

PHASES: Mapping[Phase, Mapping[Happening, Phase]] = {
    Phase.IDLE: {Happening.INVITED: Phase.OPENING},
    Phase.OPENING: {
        Happening.NO_OFFER: Phase.INVITING,
        Happening.MEDIA_OPENED: Phase.INVITING,
        Happening.MEDIA_REFUSED: Phase.ENDED,
        **_LEAVING,
    },
    Phase.INVITING: {
        Happening.TRUNK_FAILED: Phase.INVITING,
        Happening.TRUNK_ELSEWHERE: Phase.OPENING,
        Happening.FAR_PROGRESSED: Phase.RINGING,
        Happening.FAR_ANSWERED: Phase.ANSWERED,
        Happening.FAR_OFFERED: Phase.OFFERED,
        Happening.FAR_FAILED: Phase.ENDED,
        Happening.NO_ANSWER: Phase.ENDED,
        **_LEAVING,
    },
    Phase.RINGING: {
        Happening.FAR_PROGRESSED: Phase.RINGING,
        Happening.FAR_ANSWERED: Phase.ANSWERED,
        Happening.FAR_OFFERED: Phase.OFFERED,
        Happening.FAR_FAILED: Phase.ENDED,
        Happening.NO_ANSWER: Phase.ENDED,
        **_LEAVING,
    },
    Phase.OFFERED: {
        Happening.MEDIA_OPENED: Phase.ANSWERED,
        Happening.MEDIA_REFUSED: Phase.ENDED,
        Happening.FAR_FAILED: Phase.ENDED,
        **_LEAVING,
    },
    Phase.ANSWERED: {Happening.NEAR_ANSWERED: Phase.UP, Happening.FAR_FAILED: Phase.ENDED, **_LEAVING},
    Phase.UP: _LEAVING,
    # The other leg's good-bye, a late port or a provisional answer may cross ours: expected noise.
    Phase.ENDED: dict.fromkeys(Happening, Phase.ENDED),
}


# --- the mask -------------------------------------------------------------------------------------


class MaskState(StrEnum):
    """The states of the mask on the path from customer to agent, as b2bua knows it."""

    OPEN = "open"
    MASKING = "masking"  # asked for, not confirmed: nobody may be told that it is on
    MASKED = "masked"  # confirmed by the media thread, or unknown
    # Its capture is over, and nobody has said that keying is; goes off after `release_time` without
    # a key.
    HELD = "held"
    RELEASING = (
        # Approved, or released; goes off after `guard_time` without a key, and counts as masked.
        "releasing"
    )


class MaskEvent(StrEnum):
    WANTED = "capture wanted"
    CONFIRMED_ON = "mask confirmed"
    CONFIRMED_OFF = "opening confirmed"
    REFUSED = "refused by media"
    CAPTURE_PAID = "payment approved"
    CAPTURE_OVER = "capture over otherwise"
    RELEASED = "keying declared over"


MASKS: Mapping[MaskState, Mapping[MaskEvent, MaskState]] = {
    MaskState.OPEN: {MaskEvent.WANTED: MaskState.MASKING},
    MaskState.MASKING: {
        MaskEvent.CONFIRMED_ON: MaskState.MASKED,
        MaskEvent.REFUSED: MaskState.MASKING,  # unknown counts as masked; its capture ends
        MaskEvent.CAPTURE_OVER: MaskState.HELD,  # cancelled before it began
    },
    MaskState.MASKED: {
        MaskEvent.CAPTURE_PAID: MaskState.RELEASING,
        MaskEvent.CAPTURE_OVER: MaskState.HELD,
        MaskEvent.REFUSED: MaskState.MASKED,
    },
    MaskState.HELD: {
        MaskEvent.RELEASED: MaskState.RELEASING,
        MaskEvent.CONFIRMED_OFF: MaskState.OPEN,
        MaskEvent.REFUSED: MaskState.HELD,  # asked for again after a while
        MaskEvent.WANTED: MaskState.MASKING,
    },
    MaskState.RELEASING: {
        MaskEvent.CONFIRMED_OFF: MaskState.OPEN,
        MaskEvent.REFUSED: MaskState.HELD,  # a key came: it is not over
        MaskEvent.WANTED: MaskState.MASKING,
    },
}


# --- stages of a payment --------------------------------------------------------------------------


class StageEvent(StrEnum):
    MASKED = "mask confirmed"
    COLLECTING = "media collects"
    READY = "every field complete"
    SUBMITTED = "agent submitted"
    SETTLED = "outcome arrived"
    CANCELLED = "agent cancelled"
    ABORTED = "media gave up"
    REFUSED = "refused by media"
    CALL_ENDED = "call ended"


_STOPPING = {
    StageEvent.CANCELLED: CaptureStage.CANCELLED,
    StageEvent.ABORTED: CaptureStage.ABORTED,
    StageEvent.REFUSED: CaptureStage.ABORTED,
    StageEvent.CALL_ENDED: CaptureStage.ABORTED,
}

# What media had sent before it heard that the capture is over.
_NOISE = (
    StageEvent.ABORTED,
    StageEvent.COLLECTING,
    StageEvent.READY,
    StageEvent.REFUSED,
    StageEvent.MASKED,
    StageEvent.CALL_ENDED,
)

STAGES: Mapping[CaptureStage, Mapping[StageEvent, CaptureStage]] = {
    CaptureStage.STARTING: {
        # The mask is on; collecting is asked for, not confirmed.
        StageEvent.MASKED: CaptureStage.STARTING,
        StageEvent.COLLECTING: CaptureStage.COLLECTING,
        **_STOPPING,
    },
    CaptureStage.COLLECTING: {
        StageEvent.COLLECTING: CaptureStage.COLLECTING,
        StageEvent.READY: CaptureStage.READY,
        **_STOPPING,
    },
    CaptureStage.READY: {
        StageEvent.COLLECTING: CaptureStage.COLLECTING,
        StageEvent.READY: CaptureStage.READY,
        StageEvent.SUBMITTED: CaptureStage.CHARGING,
        **_STOPPING,
    },
    CaptureStage.CHARGING: {
        # Money may be on its way: neither the agent nor a hang-up can stop it; an outcome always
        # comes.
        StageEvent.SETTLED: CaptureStage.FINISHED,
        StageEvent.CALL_ENDED: CaptureStage.CHARGING,
        # Keyed before media heard of the submission: the fields are shown, media will accept or
        # refuse.
        StageEvent.COLLECTING: CaptureStage.CHARGING,
        StageEvent.READY: CaptureStage.CHARGING,
        # The customer kept a key moving while the agent submitted: media refused, nothing was sent.
        StageEvent.REFUSED: CaptureStage.COLLECTING,
        StageEvent.ABORTED: CaptureStage.ABORTED,
    },
    CaptureStage.FINISHED: dict.fromkeys(_NOISE, CaptureStage.FINISHED),
    CaptureStage.CANCELLED: dict.fromkeys(_NOISE, CaptureStage.CANCELLED),
    CaptureStage.ABORTED: dict.fromkeys(_NOISE, CaptureStage.ABORTED),
}

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


def step(table: Mapping[S, Mapping[E, S]], state: S, event: E) -> S:
    """The next state. Raises IllegalEvent where the table has no row."""
    try:
        return table[state][event]
    except KeyError:
        raise IllegalEvent(f"{event.name} in {state.name}") from None
