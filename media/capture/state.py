"""Decides when a capture collects, waits for the agent, is charged, and is over.

Rule 1: this module counts digits; it never sees one. Each event carries the verdict that the vault
        gave; keying.py assigns keys to fields.
Rule 2: every transition is in TRANSITIONS (transitions.py); an event that is not there raises
        IllegalEvent and changes nothing. A key that comes once the form was submitted is noise: a
        row that leads back to its own state.
Rule 3: every way into FINISHED or ABORTED wipes everything.
Rule 4: a submitted form may have been charged: it ends with an outcome (Unknown, if none comes),
        never in ABORTED.

This is the machine of the media process, for one capture. b2bua has one of its own, for what the
agent sees of it: CaptureStage in b2bua/call/state.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from media.capture.form import Form
from media.capture.form_rules import CARD
from media.capture.keying import Keying
from media.capture.messages import (
    Asked,
    CallGone,
    Cancelled,
    ClearKeyed,
    Command,
    Contradicted,
    DigitDropped,
    DigitKeyed,
    DigitsMoved,
    EndKeyed,
    Event,
    Limits,
    Lost,
    Paused,
    Report,
    Reset,
    RunEnded,
    Settled,
    Skipped,
    Spend,
    Submitted,
    TimedOut,
    Wipe,
)
from media.capture.progress import FormProgress
from media.capture.transitions import TRANSITIONS, IllegalEvent
from media.events import CaptureState, FieldName
from provider_adapters.payment import Outcome, Unknown


class CaptureMachine:
    """One capture, from its first field to an outcome or an abort. `now` is in seconds of any
    steady clock."""

    def __init__(self, now: float, limits: Limits | None = None, form: Form = CARD) -> None:
        self.limits = limits or Limits()
        self.state = CaptureState.COLLECTING
        self.outcome: Outcome | None = None
        self._keying = Keying(form, self.limits, now)
        self._since = now  # when this stretch of COLLECTING, READY or SUBMITTED began

    @property
    def progress(self) -> FormProgress:
        """The counts of each field."""
        return self._keying.progress

    @property
    def field(self) -> FieldName | None:
        """The field being keyed; None where none is."""
        return self._keying.field if self.state is CaptureState.COLLECTING else None

    def wants_digit(self, now: float) -> bool:
        """Whether a digit keyed now belongs into `field`: then `DigitKeyed` follows, else
        `DigitDropped`."""
        return self.state is CaptureState.COLLECTING and self._keying.wants_digit(now)

    def pause_over(self, now: float) -> bool:
        """Whether the customer seems to be done with a field that could be longer: `Paused` is
        due."""
        return self.state is CaptureState.COLLECTING and self._keying.pause_over(now)

    def run_over(self, now: float) -> bool:
        """Whether the keys that came without a pause can be judged: `RunEnded` is due."""
        return self.state is CaptureState.COLLECTING and self._keying.run_over(now)

    def deadline(self) -> float | None:
        """When time itself becomes an event: `RunEnded`, `Paused` or `TimedOut`. None once it is
        over."""
        end = self._time_out_at()
        if end is None or self.state is not CaptureState.COLLECTING:
            return end
        keying = self._keying.deadline()
        return end if keying is None else min(end, keying)

    def receive(self, event: Event, now: float) -> list[Command]:
        """Apply one event. Raises IllegalEvent, and changes nothing, where TRANSITIONS has no row
        for it."""
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
        return self._follow(self._keying.add_digit(event.check, now), now)

    def _digit_dropped(self, _event: Event, now: float) -> list[Command]:
        return self._follow(self._keying.drop_digit(now), now)

    def _digits_moved(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, DigitsMoved)
        return self._follow(self._keying.move_digits(event.check), now)

    def _field_ended(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, EndKeyed | Paused)
        by_key = isinstance(event, EndKeyed)
        return self._follow(self._keying.end_field(event.check, now, by_key=by_key), now)

    def _run_ended(self, _event: Event, now: float) -> list[Command]:
        return self._follow(self._keying.end_run(), now)

    def _clear_keyed(self, _event: Event, now: float) -> list[Command]:
        return self._follow(self._keying.clear_field(now), now)

    def _reset(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, Reset)
        commands = self._keying.reset_from(event.field)
        self._enter(CaptureState.COLLECTING, now)
        return commands

    def _asked(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, Asked)
        commands = self._keying.ask(event.field)
        if self._keying.field is not None:
            self._enter(CaptureState.COLLECTING, now)
        return self._follow(commands, now)

    def _skipped(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, Skipped)
        return self._follow(self._keying.skip(event.field), now)

    def _contradicted(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, Contradicted)
        return self._follow(self._keying.contradict(event.field, event.check), now)

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

    def _on_lost(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, Lost)
        return self._abort(event.reason, now)

    def _call_gone(self, _event: Event, now: float) -> list[Command]:
        return self._abort("the call ended", now)

    def _timed_out(self, _event: Event, now: float) -> list[Command]:
        end = self._time_out_at()
        if end is None or now < end:
            return []
        if self.state is CaptureState.SUBMITTED:
            return self._settled(Settled(Unknown(reason="no outcome in time")), now)
        if self.state is CaptureState.READY:
            return self._abort("not submitted in time", now)
        idle = now >= self._keying.last_key + self.limits.inactivity
        return self._abort("no key pressed for too long" if idle else "keying took too long", now)

    # --- the state's pieces ---

    def _follow(self, commands: list[Command], now: float) -> list[Command]:
        """READY once all fields are complete, COLLECTING while one is not; ABORTED where one was
        refused too often."""
        tries = self.limits.tries
        if tries and any(each.rejected >= tries for each in self.progress.values()):
            return self._abort("a field was refused too often", now)
        state = CaptureState.READY if self._keying.field is None else CaptureState.COLLECTING
        if state is not self.state:
            self._enter(state, now)
        return commands

    def _abort(self, reason: str, now: float) -> list[Command]:
        self._keying.clear_all()
        self._enter(CaptureState.ABORTED, now)
        return [Wipe(), Report(reason)]

    def _enter(self, state: CaptureState, now: float) -> None:
        self.state = state
        self._since = now
        self._keying.start_pause(now)

    def _time_out_at(self) -> float | None:
        """When `TimedOut` is due."""
        if self.state is CaptureState.COLLECTING:
            return min(self._keying.last_key + self.limits.inactivity, self._since + self.limits.total)
        if self.state is CaptureState.READY:
            return self._since + self.limits.ready
        return self._since + self.limits.submitted if self.state is CaptureState.SUBMITTED else None


_COLLECTING, _READY, _SUBMITTED, _FINISHED, _ABORTED = CaptureState
_Action = Callable[[CaptureMachine, Event, float], list[Command]]

# What has no action here is noise in that state.
_ACTIONS: Mapping[tuple[CaptureState, type[Event]], _Action] = {
    (_COLLECTING, DigitKeyed): CaptureMachine._digit_keyed,
    (_COLLECTING, DigitDropped): CaptureMachine._digit_dropped,
    (_COLLECTING, DigitsMoved): CaptureMachine._digits_moved,
    (_COLLECTING, EndKeyed): CaptureMachine._field_ended,
    (_COLLECTING, Paused): CaptureMachine._field_ended,
    (_COLLECTING, RunEnded): CaptureMachine._run_ended,
    (_COLLECTING, ClearKeyed): CaptureMachine._clear_keyed,
    (_COLLECTING, Reset): CaptureMachine._reset,
    (_COLLECTING, Asked): CaptureMachine._asked,
    (_COLLECTING, Skipped): CaptureMachine._skipped,
    (_COLLECTING, Contradicted): CaptureMachine._contradicted,
    (_COLLECTING, Cancelled): CaptureMachine._cancelled,
    (_COLLECTING, TimedOut): CaptureMachine._timed_out,
    (_COLLECTING, Lost): CaptureMachine._on_lost,
    (_COLLECTING, CallGone): CaptureMachine._call_gone,
    (_READY, DigitDropped): CaptureMachine._digit_dropped,
    (_READY, ClearKeyed): CaptureMachine._clear_keyed,
    (_READY, Reset): CaptureMachine._reset,
    (_READY, Asked): CaptureMachine._asked,
    (_READY, Skipped): CaptureMachine._skipped,
    (_READY, Contradicted): CaptureMachine._contradicted,
    (_READY, Submitted): CaptureMachine._submitted,
    (_READY, Cancelled): CaptureMachine._cancelled,
    (_READY, TimedOut): CaptureMachine._timed_out,
    (_READY, Lost): CaptureMachine._on_lost,
    (_READY, CallGone): CaptureMachine._call_gone,
    (_SUBMITTED, Settled): CaptureMachine._settled,
    (_SUBMITTED, TimedOut): CaptureMachine._timed_out,
}


def _words(event: type[Event]) -> str:
    """`ClearKeyed` as `clear keyed`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in event.__name__).strip()
