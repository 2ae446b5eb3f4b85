"""The capture machine: which field is being keyed, when it is complete, and when the capture is over.

Rule 1: this module counts digits; it never sees one. Each event carries the verdict that the vault gave.
Rule 2: every transition is in TRANSITIONS; an event that is not there raises IllegalEvent and changes nothing. Keys that
        come when none is wanted are network noise: a row that leads back to its own state, and no command.
Rule 3: the current field is the first that is not complete; all that come after it are empty.
Rule 4: every way into FINISHED or ABORTED wipes everything.
Rule 5: what was submitted may have been charged: it ends with an outcome (Unknown, if none comes), never in ABORTED.

Keys: a field that can only be complete ends by itself; `#` ends one that could be longer, as does a pause at the brand's
usual length. What does not pass its check is cleared, counted in `rejected`, and asked for again. `#` on an empty field
means nothing (people press it after a field that ended by itself). `*` clears the current field; where that is empty, it
steps back and clears the one before; with all complete it clears the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from media.capture.fields import Check, Verdict
from media.capture.messages import (
    CallGone,
    Cancelled,
    ClearKeyed,
    Command,
    DigitKeyed,
    EndKeyed,
    Event,
    Limits,
    Lost,
    Paused,
    Report,
    Reset,
    Settled,
    Spend,
    Submitted,
    TimedOut,
    Wipe,
)
from media.events import CaptureState, Field, FieldProgress
from provider_adapters.payment import Outcome, Unknown


class IllegalEvent(Exception):
    """This event cannot happen in this state. Nothing was changed. The text is fit for a log and for the agent."""


_COLLECTING, _READY, _SUBMITTED, _FINISHED, _ABORTED = CaptureState

# From a state, by an event, to one of these states.
TRANSITIONS: Final[Mapping[CaptureState, Mapping[type[Event], tuple[CaptureState, ...]]]] = {
    _COLLECTING: {
        DigitKeyed: (_COLLECTING, _READY),
        EndKeyed: (_COLLECTING, _READY),
        Paused: (_COLLECTING,),  # only a card number can be long enough
        ClearKeyed: (_COLLECTING,),
        Reset: (_COLLECTING,),
        Cancelled: (_ABORTED,),
        TimedOut: (_COLLECTING, _ABORTED),
        Lost: (_ABORTED,),
        CallGone: (_ABORTED,),
    },
    _READY: {
        DigitKeyed: (_READY,),
        EndKeyed: (_READY,),
        ClearKeyed: (_COLLECTING,),
        Reset: (_COLLECTING,),
        Submitted: (_SUBMITTED,),
        Cancelled: (_ABORTED,),
        TimedOut: (_READY, _ABORTED),
        Lost: (_ABORTED,),  # what was lost may have been a `*`
        CallGone: (_ABORTED,),
    },
    _SUBMITTED: {
        DigitKeyed: (_SUBMITTED,),
        EndKeyed: (_SUBMITTED,),
        ClearKeyed: (_SUBMITTED,),
        Lost: (_SUBMITTED,),
        CallGone: (_SUBMITTED,),  # the charge goes on without the call
        Settled: (_FINISHED,),
        TimedOut: (_SUBMITTED, _FINISHED),
    },
    _FINISHED: dict.fromkeys((DigitKeyed, EndKeyed, ClearKeyed, TimedOut, Lost, CallGone, Settled), (_FINISHED,)),
    _ABORTED: dict.fromkeys((DigitKeyed, EndKeyed, ClearKeyed, TimedOut, Lost, CallGone), (_ABORTED,)),
}


class CaptureMachine:
    """One capture, from its first field to an outcome or an abort. `now` is in seconds of any steady clock."""

    def __init__(self, now: float, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.state = CaptureState.COLLECTING
        self.fields: dict[Field, FieldProgress] = {field: FieldProgress(field=field) for field in Field}
        self.outcome: Outcome | None = None
        self._since = now  # when this stretch of COLLECTING, READY or SUBMITTED began
        self._last_key = now
        self._enough = False

    @property
    def field(self) -> Field | None:
        """The field being keyed; None where none is."""
        if self.state is not CaptureState.COLLECTING:
            return None
        return next(field for field, progress in self.fields.items() if not progress.complete)

    def pause_over(self, now: float) -> bool:
        """Whether the customer seems to be done with a field that could be longer: `Paused` is due."""
        return self._enough and now >= self._last_key + self.limits.pause

    def deadline(self) -> float | None:
        """When time itself becomes an event: `Paused` where `pause_over`, else `TimedOut`. None once it is over."""
        end = self._end()
        return min(end, self._last_key + self.limits.pause) if self._enough and end is not None else end

    def receive(self, event: Event, now: float) -> list[Command]:
        """Apply one event. Raises IllegalEvent, and changes nothing, where TRANSITIONS has no row for it."""
        before = self.state
        if type(event) not in TRANSITIONS[before]:
            raise IllegalEvent(f"capture is {before}: {_words(type(event))} is not possible")
        action = _ACTIONS.get((before, type(event)))
        commands = action(self, event, now) if action else []
        assert self.state in TRANSITIONS[before][type(event)]
        return commands

    # --- what each event does; reached through _ACTIONS only ---

    def _digit_keyed(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, DigitKeyed)
        field = self._keyed(now)
        self._set(field, count=self.fields[field].count + 1)
        self._enough = event.check.verdict is Verdict.ENOUGH
        return self._judge(field, event.check, now)

    def _ended(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, EndKeyed | Paused)
        field = self._keyed(now)
        return self._judge(field, event.check, now) if self.fields[field].count else []

    def _judge(self, field: Field, check: Check, now: float) -> list[Command]:
        if check.verdict is Verdict.INVALID:
            self._set(field, count=0, rejected=self.fields[field].rejected + 1)
            self._enough = False
            return [Wipe(field), Report(check.reason)]
        if check.verdict is Verdict.COMPLETE:
            self._set(field, complete=True)
            self._enough = False
            if all(progress.complete for progress in self.fields.values()):
                self._enter(CaptureState.READY, now)
        return [Report()]

    def _clear_keyed(self, _event: Event, now: float) -> list[Command]:
        if self.state is CaptureState.READY:
            return self._empty(Field.SECURITY_CODE, now)
        field = self._keyed(now)
        self._enough = False
        if not self.fields[field].count:
            order = list(Field)
            field = order[max(order.index(field) - 1, 0)]
        self._set(field, count=0, complete=False)
        return [Wipe(field), Report()]

    def _reset(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, Reset)
        return self._empty(event.field or Field.CARD_NUMBER, now)

    def _empty(self, first: Field, now: float) -> list[Command]:
        order = list(Field)
        wiped = order[order.index(first) :]
        self._enough = self._enough and self.field not in wiped
        for field in wiped:
            self._set(field, count=0, complete=False)
        self._enter(CaptureState.COLLECTING, now)
        return [*(Wipe(field) for field in wiped), Report()]

    def _submitted(self, _event: Event, now: float) -> list[Command]:
        self._enter(CaptureState.SUBMITTED, now)
        return [Spend(), Report()]

    def _settled(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, Settled)
        self.outcome = event.outcome
        self._enter(CaptureState.FINISHED, now)
        return [Wipe(), Report()]

    def _cancelled(self, _event: Event, now: float) -> list[Command]:
        return self._abort("cancelled", now)

    def _lost(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, Lost)
        return self._abort(event.reason, now)

    def _call_gone(self, _event: Event, now: float) -> list[Command]:
        return self._abort("the call ended", now)

    def _timed_out(self, _event: Event, now: float) -> list[Command]:
        end = self._end()
        if end is None or now < end:
            return []
        if self.state is CaptureState.SUBMITTED:
            return self._settled(Settled(Unknown(reason="no outcome in time")), now)
        if self.state is CaptureState.READY:
            return self._abort("not submitted in time", now)
        idle = now >= self._last_key + self.limits.inactivity
        return self._abort("no key pressed for too long" if idle else "keying took too long", now)

    # --- the state's pieces ---

    def _abort(self, reason: str, now: float) -> list[Command]:
        for field in Field:
            self._set(field, count=0, complete=False)
        self._enter(CaptureState.ABORTED, now)
        return [Wipe(), Report(reason)]

    def _enter(self, state: CaptureState, now: float) -> None:
        self.state = state
        self._since = self._last_key = now
        if state is not CaptureState.COLLECTING:
            self._enough = False

    def _keyed(self, now: float) -> Field:
        self._last_key = now
        field = self.field
        assert field is not None
        return field

    def _set(self, field: Field, **changes: int) -> None:
        self.fields[field] = msgspec.structs.replace(self.fields[field], **changes)

    def _end(self) -> float | None:
        if self.state is CaptureState.COLLECTING:
            return min(self._last_key + self.limits.inactivity, self._since + self.limits.total)
        if self.state is CaptureState.READY:
            return self._since + self.limits.ready
        return self._since + self.limits.submitted if self.state is CaptureState.SUBMITTED else None


_Action = Callable[[CaptureMachine, Event, float], list[Command]]

# What has no action here is noise in that state.
_ACTIONS: Mapping[tuple[CaptureState, type[Event]], _Action] = {
    (_COLLECTING, DigitKeyed): CaptureMachine._digit_keyed,
    (_COLLECTING, EndKeyed): CaptureMachine._ended,
    (_COLLECTING, Paused): CaptureMachine._ended,
    (_COLLECTING, ClearKeyed): CaptureMachine._clear_keyed,
    (_COLLECTING, Reset): CaptureMachine._reset,
    (_COLLECTING, Cancelled): CaptureMachine._cancelled,
    (_COLLECTING, TimedOut): CaptureMachine._timed_out,
    (_COLLECTING, Lost): CaptureMachine._lost,
    (_COLLECTING, CallGone): CaptureMachine._call_gone,
    (_READY, ClearKeyed): CaptureMachine._clear_keyed,
    (_READY, Reset): CaptureMachine._reset,
    (_READY, Submitted): CaptureMachine._submitted,
    (_READY, Cancelled): CaptureMachine._cancelled,
    (_READY, TimedOut): CaptureMachine._timed_out,
    (_READY, Lost): CaptureMachine._lost,
    (_READY, CallGone): CaptureMachine._call_gone,
    (_SUBMITTED, Settled): CaptureMachine._settled,
    (_SUBMITTED, TimedOut): CaptureMachine._timed_out,
}


def _words(event: type[Event]) -> str:
    """`ClearKeyed` as `clear keyed`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in event.__name__).strip()
