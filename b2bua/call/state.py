"""The tables of a call: its phases, its mask, the stages of a payment in it, a payment link, and a
payment that is prepared before its call is there.

Rule 1: every transition is in one of the five tables; an event without a row raises `IllegalEvent`
        and changes nothing.
Rule 2: network noise that is to be expected is a declared row that stays where it is.
Rule 3: a mask whose state is unknown is MASKED; only a confirmed `SetMask(on=False)` opens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from b2bua.call.link import OVER, LinkEvent, LinkState
from b2bua.call.prepared import PREPARED_OVER, PreparedEvent, PreparedState
from b2bua.call.view import CaptureStage


class IllegalEvent(Exception):
    """A transition that the table does not have; a bug of ours, never the network's."""


# --- phases: two legs become one call -------------------------------------------------------------


class BridgeState(StrEnum):
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


WAITS_FOR_MEDIA: Final = (BridgeState.IDLE, BridgeState.OPENING, BridgeState.OFFERED)
"""States in which a call waits for ports: only the process that asked for them gets the answer."""


class BridgeEvent(StrEnum):
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
    (BridgeEvent.NEAR_GONE, BridgeEvent.MEDIA_LOST, BridgeEvent.SHUT_DOWN, BridgeEvent.LEG_HUNG_UP),
    BridgeState.ENDED,
)

BRIDGE_TRANSITIONS: Mapping[BridgeState, Mapping[BridgeEvent, BridgeState]] = {
    BridgeState.IDLE: {BridgeEvent.INVITED: BridgeState.OPENING},
    BridgeState.OPENING: {
        BridgeEvent.NO_OFFER: BridgeState.INVITING,
        BridgeEvent.MEDIA_OPENED: BridgeState.INVITING,
        BridgeEvent.MEDIA_REFUSED: BridgeState.ENDED,
        **_LEAVING,
    },
    BridgeState.INVITING: {
        BridgeEvent.TRUNK_FAILED: BridgeState.INVITING,
        BridgeEvent.TRUNK_ELSEWHERE: BridgeState.OPENING,
        BridgeEvent.FAR_PROGRESSED: BridgeState.RINGING,
        BridgeEvent.FAR_ANSWERED: BridgeState.ANSWERED,
        BridgeEvent.FAR_OFFERED: BridgeState.OFFERED,
        BridgeEvent.FAR_FAILED: BridgeState.ENDED,
        BridgeEvent.NO_ANSWER: BridgeState.ENDED,
        **_LEAVING,
    },
    BridgeState.RINGING: {
        BridgeEvent.FAR_PROGRESSED: BridgeState.RINGING,
        BridgeEvent.FAR_ANSWERED: BridgeState.ANSWERED,
        BridgeEvent.FAR_OFFERED: BridgeState.OFFERED,
        BridgeEvent.FAR_FAILED: BridgeState.ENDED,
        BridgeEvent.NO_ANSWER: BridgeState.ENDED,
        **_LEAVING,
    },
    BridgeState.OFFERED: {
        BridgeEvent.MEDIA_OPENED: BridgeState.ANSWERED,
        BridgeEvent.MEDIA_REFUSED: BridgeState.ENDED,
        BridgeEvent.FAR_FAILED: BridgeState.ENDED,
        **_LEAVING,
    },
    BridgeState.ANSWERED: {
        BridgeEvent.NEAR_ANSWERED: BridgeState.UP,
        BridgeEvent.FAR_FAILED: BridgeState.ENDED,
        **_LEAVING,
    },
    BridgeState.UP: _LEAVING,
    # The other leg's good-bye, a late port or a provisional answer may cross ours: expected noise.
    BridgeState.ENDED: dict.fromkeys(BridgeEvent, BridgeState.ENDED),
}


# --- the mask -------------------------------------------------------------------------------------


class MaskState(StrEnum):
    """The states of the mask on the path from customer to agent, as b2bua knows it."""

    OPEN = "open"
    ANNOUNCING = "announcing"  # asked for before a payment, not confirmed
    ANNOUNCED = "announced"  # confirmed; a payment is to come, and keys until then are thrown away
    MASKING = "masking"  # asked for, not confirmed: no view may show that it is on
    MASKED = "masked"  # confirmed by the media thread, or unknown
    # Its capture is over, and nobody has said that keying is; goes off after `release_time` without
    # a key.
    HELD = "held"
    # Approved, or released; goes off after `guard_time` without a key, and counts as masked.
    RELEASING = "releasing"


class MaskEvent(StrEnum):
    ANNOUNCED = "payment announced"
    STARTED = "capture begins under the mask"
    TIMED_OUT = "no payment in time"
    WANTED = "capture wanted"
    CONFIRMED_ON = "mask confirmed"
    CONFIRMED_OFF = "opening confirmed"
    REFUSED = "refused by media"
    CAPTURE_PAID = "payment approved"
    CAPTURE_OVER = "capture over otherwise"
    RELEASED = "keying declared over"
    FOUND = "media says that it is on"


MASK_TRANSITIONS: Mapping[MaskState, Mapping[MaskEvent, MaskState]] = {
    MaskState.OPEN: {
        MaskEvent.WANTED: MaskState.MASKING,
        MaskEvent.ANNOUNCED: MaskState.ANNOUNCING,
        MaskEvent.FOUND: MaskState.HELD,  # asked for by a process that died before it wrote so
    },
    MaskState.ANNOUNCING: {
        MaskEvent.CONFIRMED_ON: MaskState.ANNOUNCED,
        MaskEvent.REFUSED: MaskState.HELD,  # unknown counts as masked
        MaskEvent.WANTED: MaskState.MASKING,
        MaskEvent.RELEASED: MaskState.RELEASING,
    },
    MaskState.ANNOUNCED: {
        MaskEvent.STARTED: MaskState.MASKED,
        MaskEvent.WANTED: MaskState.MASKING,  # it is to be masked in another way
        MaskEvent.RELEASED: MaskState.RELEASING,
        MaskEvent.TIMED_OUT: MaskState.HELD,
        MaskEvent.REFUSED: MaskState.HELD,  # asked for again by another process: unknown, so masked
    },
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
        MaskEvent.ANNOUNCED: MaskState.ANNOUNCING,
    },
    MaskState.RELEASING: {
        MaskEvent.CONFIRMED_OFF: MaskState.OPEN,
        MaskEvent.REFUSED: MaskState.HELD,  # a key came: it is not over
        MaskEvent.WANTED: MaskState.MASKING,
        MaskEvent.ANNOUNCED: MaskState.ANNOUNCING,
    },
}


# --- stages of a payment --------------------------------------------------------------------------


class CaptureEvent(StrEnum):
    STARTED = "started, after it was prepared"
    EXPIRED = "prepared for too long"
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
    CaptureEvent.CANCELLED: CaptureStage.CANCELLED,
    CaptureEvent.ABORTED: CaptureStage.ABORTED,
    CaptureEvent.REFUSED: CaptureStage.ABORTED,
    CaptureEvent.CALL_ENDED: CaptureStage.ABORTED,
}

# What media had sent before it heard that the capture is over.
_NOISE = (
    CaptureEvent.ABORTED,
    CaptureEvent.COLLECTING,
    CaptureEvent.READY,
    CaptureEvent.REFUSED,
    CaptureEvent.MASKED,
    CaptureEvent.CALL_ENDED,
)

CAPTURE_TRANSITIONS: Mapping[CaptureStage, Mapping[CaptureEvent, CaptureStage]] = {
    # It waits for its call, or for the agent: it has states of its own.
    CaptureStage.PREPARED: {
        CaptureEvent.STARTED: CaptureStage.STARTING,
        CaptureEvent.CANCELLED: CaptureStage.CANCELLED,
        CaptureEvent.EXPIRED: CaptureStage.ABORTED,
    },
    CaptureStage.STARTING: {
        # The mask is on; collecting is asked for, not confirmed.
        CaptureEvent.MASKED: CaptureStage.STARTING,
        CaptureEvent.COLLECTING: CaptureStage.COLLECTING,
        **_STOPPING,
    },
    CaptureStage.COLLECTING: {
        CaptureEvent.COLLECTING: CaptureStage.COLLECTING,
        CaptureEvent.READY: CaptureStage.READY,
        **_STOPPING,
    },
    CaptureStage.READY: {
        CaptureEvent.COLLECTING: CaptureStage.COLLECTING,
        CaptureEvent.READY: CaptureStage.READY,
        CaptureEvent.SUBMITTED: CaptureStage.CHARGING,
        **_STOPPING,
    },
    CaptureStage.CHARGING: {
        # Money may be on its way: neither the agent nor a hang-up can stop it; an outcome always
        # comes.
        CaptureEvent.SETTLED: CaptureStage.FINISHED,
        CaptureEvent.CALL_ENDED: CaptureStage.CHARGING,
        # Keyed before media heard of the submission: the fields are shown, media will accept or
        # refuse.
        CaptureEvent.COLLECTING: CaptureStage.CHARGING,
        CaptureEvent.READY: CaptureStage.CHARGING,
        # The customer kept a key moving while the agent submitted: media refused, nothing was sent.
        CaptureEvent.REFUSED: CaptureStage.COLLECTING,
        CaptureEvent.ABORTED: CaptureStage.ABORTED,
    },
    # No card is keyed for it: its link has states of its own, and outlives the call.
    CaptureStage.LINKED: {CaptureEvent.SETTLED: CaptureStage.FINISHED},
    CaptureStage.FINISHED: dict.fromkeys(_NOISE, CaptureStage.FINISHED),
    CaptureStage.CANCELLED: dict.fromkeys(_NOISE, CaptureStage.CANCELLED),
    CaptureStage.ABORTED: dict.fromkeys(_NOISE, CaptureStage.ABORTED),
}


# --- a payment link -------------------------------------------------------------------------------

_ENDING = {
    LinkEvent.PAID: LinkState.PAID,
    LinkEvent.CLOSED: LinkState.CLOSED,
    LinkEvent.EXPIRED: LinkState.EXPIRED,
    LinkEvent.FAILED: LinkState.FAILED,
}

LINK_TRANSITIONS: Mapping[LinkState, Mapping[LinkEvent, LinkState]] = {
    LinkState.OPENING: {
        LinkEvent.OPENED: LinkState.OPEN,
        LinkEvent.CLOSE_REQUESTED: LinkState.CLOSING,
        **_ENDING,
    },
    LinkState.OPEN: {
        LinkEvent.OPENED: LinkState.OPEN,
        LinkEvent.CLOSE_REQUESTED: LinkState.CLOSING,
        **_ENDING,
    },
    # It was opened, or found, after the agent closed it: then it is closed at the provider.
    LinkState.CLOSING: {
        LinkEvent.OPENED: LinkState.CLOSING,
        LinkEvent.CLOSE_REQUESTED: LinkState.CLOSING,
        **_ENDING,
    },
    # Two ways lead to an end, the answer to a closing and the inquiry: the first one counts.
    **{each: dict.fromkeys((LinkEvent.OPENED, *_ENDING), each) for each in LinkState if each in OVER},
}

# --- a prepared payment ---------------------------------------------------------------------------

PREPARED_TRANSITIONS: Mapping[PreparedState, Mapping[PreparedEvent, PreparedState]] = {
    PreparedState.WAITING: {
        PreparedEvent.CALL_FITS: PreparedState.BOUND,
        PreparedEvent.CANCELLED: PreparedState.CANCELLED,
        PreparedEvent.EXPIRED: PreparedState.EXPIRED,
    },
    # Its time does not run out while its call is there.
    PreparedState.BOUND: {
        # Another one, which was answered later: it is shown, and nothing more.
        PreparedEvent.CALL_FITS: PreparedState.BOUND,
        PreparedEvent.CALL_LEFT: PreparedState.WAITING,
        PreparedEvent.START: PreparedState.STARTING,
        PreparedEvent.CANCELLED: PreparedState.CANCELLED,
    },
    PreparedState.STARTING: {
        PreparedEvent.CALL_FITS: PreparedState.STARTING,
        PreparedEvent.CALL_LEFT: PreparedState.WAITING,
        PreparedEvent.STARTED: PreparedState.STARTED,
        PreparedEvent.REFUSED: PreparedState.BOUND,
    },
    **{each: {} for each in PreparedState if each in PREPARED_OVER},
}

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


def step(table: Mapping[S, Mapping[E, S]], state: S, event: E) -> S:
    """The next state. Raises IllegalEvent where the table has no row."""
    try:
        return table[state][event]
    except KeyError:
        raise IllegalEvent(f"{event.name} in {state.name}") from None
