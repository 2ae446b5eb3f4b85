"""The capture machine: which field is being keyed, when it is complete, and when the capture is
over.

Rule 1: this module counts digits; it never sees one. Each event carries the verdict that the vault
        gave.
Rule 2: every transition is in TRANSITIONS (transitions.py); an event that is not there raises
        IllegalEvent and changes nothing. A key that comes once the card was submitted is noise: a
        row that leads back to its own state.
Rule 3: the current field is the first that is not complete; all that come after it are empty.
Rule 4: every way into FINISHED or ABORTED wipes everything.
Rule 5: what was submitted may have been charged: it ends with an outcome (Unknown, if none comes),
        never in ABORTED.

Keys: a field that can only be complete ends by itself; `#` ends one that could be longer, as does
`number_pause` at the brand's usual length: 6 s, for whoever reads 19 digits in groups pauses for 4.
Where the longest number that a brand has does not fit, its usual length does, and what follows was
keyed without a pause, that counts as the expiry, on trial. What does not pass its check is
cleared, counted in `rejected`, and asked for again. `#` on an empty field means nothing (people
press it after a field that ended by itself).

Keys that follow at once (key_run.py) on a field that
- was refused are drained, until `refusal_pause` passes without a key or `*` is keyed;
- ended by itself are on trial: they count for the next fields if, when `field_pause` has passed
  without a key, they fill these exactly. Otherwise they are drained, and with them a field that no
  check digit proves: one of the keys was too many, and nobody knows which. So the last field is
  complete when `field_pause` has passed, or `#` is keyed.
What was drained is counted in `ignored`, with a `reason`.

`*` clears the current field. Where that is empty it does nothing, once: a second one, `field_pause`
later, steps back and clears the field before. With all complete it clears the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from media.capture.fields import Check, Verdict
from media.capture.key_run import KeyRun
from media.capture.messages import (
    CallGone,
    Cancelled,
    ClearKeyed,
    Command,
    DigitDropped,
    DigitKeyed,
    EndKeyed,
    Event,
    Limits,
    Lost,
    Paused,
    Report,
    Reset,
    RunEnded,
    Settled,
    Spend,
    Split,
    Submitted,
    TimedOut,
    Wipe,
)
from media.capture.transitions import TRANSITIONS, IllegalEvent
from media.events import FIELD_REASONS, CaptureState, Field, FieldProgress, FieldReason
from provider_adapters.payment import Outcome, Unknown


class CaptureMachine:
    """One capture, from its first field to an outcome or an abort. `now` is in seconds of any
    steady clock."""

    def __init__(self, now: float, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.state = CaptureState.COLLECTING
        self.fields: dict[Field, FieldProgress] = {field: FieldProgress(field=field) for field in Field}
        self.outcome: Outcome | None = None
        self._since = now  # when this stretch of COLLECTING, READY or SUBMITTED began
        self._last_key = now
        self._enough = False
        self._run = KeyRun(self.limits)

    @property
    def field(self) -> Field | None:
        """The field being keyed; None where none is."""
        if self.state is not CaptureState.COLLECTING:
            return None
        return next(field for field, progress in self.fields.items() if not progress.complete)

    def wants_digit(self, now: float) -> bool:
        """Whether a digit keyed now belongs into `field`: then `DigitKeyed` follows, else
        `DigitDropped`."""
        return self.field is not None and not self._run.full and not self._run.drains(now)

    def pause_over(self, now: float) -> bool:
        """Whether the customer seems to be done with a field that could be longer: `Paused` is
        due."""
        return self._enough and now >= self._last_key + self.limits.number_pause

    def run_over(self, now: float) -> bool:
        """Whether what was keyed without a pause can be judged: `RunEnded` is due."""
        due = self._run.deadline()
        return self.state is CaptureState.COLLECTING and due is not None and now >= due

    def deadline(self) -> float | None:
        """When time itself becomes an event: `RunEnded`, `Paused` or `TimedOut`. None once it is
        over."""
        end = self._end()
        if end is None or self.state is not CaptureState.COLLECTING:
            return end
        run = self._run.deadline()
        pause = self._last_key + self.limits.number_pause if self._enough else None
        return min(due for due in (end, run, pause) if due is not None)

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
        field = self._keyed(now, digit=True)
        self._set(field, count=self.fields[field].count + 1)
        self._enough = event.check.verdict is Verdict.ENOUGH
        return self._judge(field, event.check, now, ended=False)

    def _digit_dropped(self, _event: Event, now: float) -> list[Command]:
        if self.state is CaptureState.READY:
            return self._ignore(Field.SECURITY_CODE, 1)
        full = self._run.full
        field = self._keyed(now, digit=True)
        if full:  # one more than the last field takes: which of the keys was too many?
            return self._misfit(field, dropped=1)
        return self._ignore(field, 1)

    def _ended(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, EndKeyed | Paused)
        drains = self._run.drains(now)
        field = self._keyed(now) if isinstance(event, EndKeyed) else self._current()
        self._last_key = now
        if drains:
            return []
        if not self.fields[field].count:
            self._run.settle()
            return []
        return self._judge(field, event.check, now, ended=True)

    def _run_ended(self, _event: Event, now: float) -> list[Command]:
        field, full = self._current(), self._run.full
        if full:
            return self._complete(field, now)
        if self.fields[field].count:
            return self._misfit(field)
        self._run.settle()
        return []

    def _judge(self, field: Field, check: Check, now: float, *, ended: bool) -> list[Command]:
        """`ended`: by the customer, not by itself."""
        if (
            check.verdict is Verdict.SPLIT
            and check.shorter
            and self._run.digits >= self.fields[field].count - check.shorter
        ):
            return self._split(check.shorter)
        if check.verdict in (Verdict.INVALID, Verdict.SPLIT):
            assert check.reason is not None
            first = self._on_trial(field)
            return self._refuse(first, check.reason if first is field else FieldReason.TOO_MANY_KEYS)
        if check.verdict is not Verdict.COMPLETE:
            return [Report()]
        if ended:
            return self._complete(field, now)
        if self._run.ended is None:
            self._run.ended, self._run.doubtful = field, check.shorter is not None
        if field is Field.SECURITY_CODE:
            self._run.full = True
        else:
            self._set(field, complete=True, reason=None)
        self._enough = False
        return [Report()]

    def _complete(self, field: Field, now: float) -> list[Command]:
        self._set(field, complete=True, reason=None)
        self._enough = False
        self._run.settle()
        if field is Field.SECURITY_CODE:
            self._enter(CaptureState.READY, now)
        return [Report()]

    def _split(self, length: int) -> list[Command]:
        """The number seems to have ended before: what came behind it is on trial as an expiry."""
        behind = self.fields[Field.CARD_NUMBER].count - length
        self._set(Field.CARD_NUMBER, count=length, complete=True, reason=None)
        self._set(Field.EXPIRY, count=behind)
        self._run.ended, self._run.doubtful = Field.CARD_NUMBER, True
        return [Split(length), Report()]

    def _misfit(self, field: Field, *, dropped: int = 0) -> list[Command]:
        """What followed at once on a field that had ended by itself does not end where a field
        ends."""
        if dropped or self._run.ended is not Field.CARD_NUMBER or self._run.doubtful:
            return self._refuse(self._on_trial(field), FieldReason.TOO_MANY_KEYS, dropped=dropped)
        wiped = _from(Field.EXPIRY)
        ignored = sum(self.fields[each].count for each in wiped)
        self._clear(wiped)
        self._run.settle()
        return [*(Wipe(each) for each in wiped), *self._ignore(Field.EXPIRY, ignored)]

    def _on_trial(self, field: Field) -> Field:
        """The first field that a key too many may be in, when what followed at once does not fit;
        `field` where nothing did."""
        if self._run.ended is Field.CARD_NUMBER and not self._run.doubtful:
            return Field.EXPIRY  # the number's check digit fits
        return self._run.ended or field

    def _refuse(self, first: Field, reason: FieldReason, *, dropped: int = 0) -> list[Command]:
        """Wipe this field and all behind it, and drain what is left over of it."""
        wiped = _from(first)
        progress = self.fields[first]
        self._clear(wiped)
        ignored = progress.ignored + dropped
        self._set(first, rejected=progress.rejected + 1, ignored=ignored, reason=reason)
        self._run.drain(self.limits.refusal_pause)
        return [*(Wipe(each) for each in wiped), Report(FIELD_REASONS[reason])]

    def _ignore(self, field: Field, keys: int) -> list[Command]:
        reason = self.fields[field].reason or FieldReason.KEYS_IGNORED
        self._set(field, ignored=self.fields[field].ignored + keys, reason=reason)
        return [Report(FIELD_REASONS[FieldReason.KEYS_IGNORED])]

    def _clear_keyed(self, _event: Event, now: float) -> list[Command]:
        run = self._run
        if self.state is CaptureState.READY:
            run.key(now, star=True)
            run.settle()
            return self._empty(Field.SECURITY_CODE, now)
        first = self._on_trial(self._current()) if run.goes_on(now) else self._current()
        again = run.starred and not run.goes_on(now)
        at_once = run.ended is not None and run.goes_on(now)
        drains = run.drains(now)
        field = self._keyed(now, star=True)
        self._enough = False
        run.settle()
        if first is not field and self.fields[field].count:
            refused = self._refuse(first, FieldReason.TOO_MANY_KEYS)
            run.settle()  # `*`: what follows is meant
            return refused
        if self.fields[field].count or again:
            order = list(Field)
            if not self.fields[field].count:
                field = order[max(order.index(field) - 1, 0)]
            self._set(field, count=0, complete=False, reason=None)
            return [Wipe(field), Report()]
        if drains:
            return [Report()]
        if at_once:  # what follows is meant for the field before, as likely as not
            run.drain(self.limits.refusal_pause)
        if self.fields[field].reason is None:
            self._set(field, reason=FieldReason.NOTHING_TO_CLEAR)
        return [Report(FIELD_REASONS[FieldReason.NOTHING_TO_CLEAR])]

    def _reset(self, event: Event, now: float) -> list[Command]:
        assert isinstance(event, Reset)
        first = event.field or Field.CARD_NUMBER
        if self.field is None or self.field in _from(first):
            self._run.drain(self.limits.field_pause)
        return self._empty(first, now)

    def _empty(self, first: Field, now: float) -> list[Command]:
        wiped = _from(first)
        self._enough = self._enough and self.field not in wiped
        self._clear(wiped)
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
        self._clear(tuple(Field))
        self._enter(CaptureState.ABORTED, now)
        return [Wipe(), Report(reason)]

    def _enter(self, state: CaptureState, now: float) -> None:
        self.state = state
        self._since = self._last_key = now
        if state is not CaptureState.COLLECTING:
            self._enough = False

    def _keyed(self, now: float, *, digit: bool = False, star: bool = False) -> Field:
        self._last_key = now
        self._run.key(now, digit=digit, star=star)
        return self._current()

    def _current(self) -> Field:
        field = self.field
        assert field is not None
        return field

    def _clear(self, wiped: tuple[Field, ...]) -> None:
        self._enough = self._enough and self.field not in wiped
        for field in wiped:
            self._set(field, count=0, complete=False, reason=None)

    def _set(self, field: Field, **changes: int | FieldReason | None) -> None:
        self.fields[field] = msgspec.structs.replace(self.fields[field], **changes)

    def _end(self) -> float | None:
        if self.state is CaptureState.COLLECTING:
            return min(self._last_key + self.limits.inactivity, self._since + self.limits.total)
        if self.state is CaptureState.READY:
            return self._since + self.limits.ready
        return self._since + self.limits.submitted if self.state is CaptureState.SUBMITTED else None


_COLLECTING, _READY, _SUBMITTED, _FINISHED, _ABORTED = CaptureState
_Action = Callable[[CaptureMachine, Event, float], list[Command]]

# What has no action here is noise in that state.
_ACTIONS: Mapping[tuple[CaptureState, type[Event]], _Action] = {
    (_COLLECTING, DigitKeyed): CaptureMachine._digit_keyed,
    (_COLLECTING, DigitDropped): CaptureMachine._digit_dropped,
    (_COLLECTING, EndKeyed): CaptureMachine._ended,
    (_COLLECTING, Paused): CaptureMachine._ended,
    (_COLLECTING, RunEnded): CaptureMachine._run_ended,
    (_COLLECTING, ClearKeyed): CaptureMachine._clear_keyed,
    (_COLLECTING, Reset): CaptureMachine._reset,
    (_COLLECTING, Cancelled): CaptureMachine._cancelled,
    (_COLLECTING, TimedOut): CaptureMachine._timed_out,
    (_COLLECTING, Lost): CaptureMachine._lost,
    (_COLLECTING, CallGone): CaptureMachine._call_gone,
    (_READY, DigitDropped): CaptureMachine._digit_dropped,
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


def _from(first: Field) -> tuple[Field, ...]:
    """This field and all that come after it."""
    order = tuple(Field)
    return order[order.index(first) :]


def _words(event: type[Event]) -> str:
    """`ClearKeyed` as `clear keyed`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in event.__name__).strip()
