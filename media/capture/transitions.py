"""The transitions of a capture: which events are possible in which state, and where each leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from media.capture.messages import (
    Asked,
    CallGone,
    Cancelled,
    ClearKeyed,
    Contradicted,
    DigitDropped,
    DigitKeyed,
    DigitsMoved,
    EndKeyed,
    Event,
    Lost,
    Paused,
    Reset,
    RunEnded,
    Settled,
    Skipped,
    Submitted,
    TimedOut,
)
from media.events import CaptureState


class IllegalEvent(Exception):
    """This event cannot happen in this state. Nothing was changed. The text is fit for a log and
    for the agent."""


_COLLECTING, _READY, _SUBMITTED, _FINISHED, _ABORTED = CaptureState

# From a state, by an event, to one of these states.
TRANSITIONS: Final[Mapping[CaptureState, Mapping[type[Event], tuple[CaptureState, ...]]]] = {
    _COLLECTING: {
        # ABORTED where a field was refused too often.
        DigitKeyed: (_COLLECTING, _ABORTED),
        DigitDropped: (_COLLECTING, _READY, _ABORTED),
        DigitsMoved: (_COLLECTING, _ABORTED),
        EndKeyed: (_COLLECTING, _READY, _ABORTED),
        Paused: (_COLLECTING, _READY, _ABORTED),
        RunEnded: (_COLLECTING, _READY, _ABORTED),
        ClearKeyed: (_COLLECTING, _ABORTED),
        Reset: (_COLLECTING,),
        Asked: (_COLLECTING, _READY),
        Skipped: (_COLLECTING, _READY),
        Contradicted: (_COLLECTING, _ABORTED),
        Cancelled: (_ABORTED,),
        TimedOut: (_COLLECTING, _ABORTED),
        Lost: (_ABORTED,),
        CallGone: (_ABORTED,),
    },
    _READY: {
        DigitDropped: (_READY,),
        EndKeyed: (_READY,),
        ClearKeyed: (_COLLECTING,),
        Reset: (_COLLECTING,),
        Asked: (_COLLECTING, _READY),
        Skipped: (_COLLECTING, _READY),
        Contradicted: (_COLLECTING, _ABORTED),
        Submitted: (_SUBMITTED,),
        Cancelled: (_ABORTED,),
        TimedOut: (_READY, _ABORTED),
        Lost: (_ABORTED,),  # what was lost may have been a `*`
        CallGone: (_ABORTED,),
    },
    _SUBMITTED: {
        DigitDropped: (_SUBMITTED,),
        EndKeyed: (_SUBMITTED,),
        ClearKeyed: (_SUBMITTED,),
        Lost: (_SUBMITTED,),
        CallGone: (_SUBMITTED,),  # the charge goes on without the call
        Settled: (_FINISHED,),
        TimedOut: (_SUBMITTED, _FINISHED),
    },
    _FINISHED: dict.fromkeys(
        (DigitDropped, EndKeyed, ClearKeyed, TimedOut, Lost, CallGone, Settled), (_FINISHED,)
    ),
    _ABORTED: dict.fromkeys((DigitDropped, EndKeyed, ClearKeyed, TimedOut, Lost, CallGone), (_ABORTED,)),
}
