"""Joins the machine that counts keys to the vault that holds digits: one capture.

Its driver (media/service/capture_driver.py) has the clock, the sockets and the payers. `now` is in
seconds of a steady clock:

    capture = Capture(capture_id, SecretMemory(SIZE), today=date(2026, 11, 30), now=now)
    capture.keys_waiting(lambda memory, at: relay.take_digits(stream, memory, at), now)  # KEYED
    capture.reset(field, now)  # or ask, cancel, submit, lost, call_gone
    capture.expire(now)  # at capture.deadline()
    outcome = await capture.spend(pipe, charge)  # once submit() has not raised
    capture.settle(outcome, now)

Rule 1: each returns what to tell b2bua, in order; `session` in it is the caller's. `reset`, `ask`,
        `cancel`, `submit` and `settle` raise IllegalEvent, and change nothing, where the state does
        not allow them.
Rule 2: a digit goes from the core into the vault only while the machine wants one; all others are
        overwritten unread.
Rule 3: a fault on the way of a digit (a full field, a failing core) ends the capture, wiped: a
        digit is never skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date
from typing import Generic

from media.capture.check import INCOMPLETE, Verdict
from media.capture.form import Form
from media.capture.form_rules import CARD
from media.capture.messages import (
    Asked,
    CallGone,
    Cancelled,
    ClearKeyed,
    Contradicted,
    DigitDropped,
    DigitKeyed,
    DigitsMoved,
    DropAside,
    EndKeyed,
    Event,
    Limits,
    Lost,
    Paused,
    Report,
    Reset,
    RunEnded,
    SetAside,
    Settled,
    Skipped,
    Spend,
    Split,
    Submitted,
    TakeBack,
    TimedOut,
    Wipe,
)
from media.capture.state import CaptureMachine
from media.capture.transitions import IllegalEvent
from media.capture.vault import Key, M, Pipe, Vault
from media.capture.wishes import WishWatch
from media.events import (
    CaptureChanged,
    CaptureId,
    CaptureState,
    CaptureWished,
    Field,
    FieldName,
    SessionId,
    Wish,
)
from provider_adapters.payment import Charge, Outcome

CaptureNews = CaptureChanged | CaptureWished


class Capture(Generic[M]):
    """One form being keyed into `memory`, which is this capture's alone. `wishes`: as in
    StartCapture."""

    def __init__(
        self,
        capture_id: CaptureId,
        memory: M,
        *,
        today: date,
        now: float,
        limits: Limits | None = None,
        form: Form = CARD,
        wishes: bool = False,
    ) -> None:
        self.id = capture_id
        self._today = today
        self._form = form
        self._machine = CaptureMachine(now, limits, form)
        self._vault = Vault(memory, form)
        self._brand: str | None = None
        self._last_four: str | None = None
        self._shown: dict[FieldName, str] = {}
        self._reason: str | None = None
        # When the agent is told that no key has come; None once one has, or that was told.
        self._first_key_due: float | None = now + (limits or Limits()).first_key
        self._unheard = False
        self._wishes = WishWatch(wishes, (limits or Limits()).person_pause)
        self._checked: set[FieldName] = set()  # the complete fields that fit each other

    @property
    def state(self) -> CaptureState:
        """The state of the machine."""
        return self._machine.state

    def watch_wishes(self) -> None:
        """From now on nobody else is there."""
        self._wishes.watches = True

    @property
    def over(self) -> bool:
        """Whether nothing more can come of it: FINISHED or ABORTED, and wiped."""
        return self.state in (CaptureState.FINISHED, CaptureState.ABORTED)

    def deadline(self) -> float | None:
        """When to call `expire`; None: never."""
        due = self._machine.deadline()
        if due is None or self.state is not CaptureState.COLLECTING:
            return due
        more = self._first_key_due, self._wishes.deadline()
        return min([due, *(each for each in more if each is not None)])

    def keys_waiting(self, fill: Callable[[M, int], int], now: float) -> list[CaptureNews]:
        """Take the keys that the core kept; `fill` is its `take_digits`. What it raises comes
        through, after the abort."""
        changes: list[CaptureNews] = []
        try:
            with closing(self._vault.take_keys(fill)) as keys:
                for key in keys:
                    changes += self._handle_key(key, now)
        except OverflowError:
            changes += self.lose_key(now, "more keys than fit")
        except Exception:
            self.lose_key(now)
            raise
        return changes

    def reset(self, field: FieldName | None, now: float) -> list[CaptureChanged]:
        """Clear a field, or all of them (None), to be keyed anew. Raises IllegalEvent."""
        if field is not None and field not in self._form.fields:
            raise IllegalEvent(f"this form has no {field.replace('_', ' ')}")
        return self._receive(Reset(field), now)

    def ask(self, field: FieldName | None, now: float) -> list[CaptureChanged]:
        """Have one field keyed, alone; the others stay, and what it had counts until it is
        complete.

        None: no field is asked for out of order any more. Raises IllegalEvent."""
        if field is not None and field not in self._form.fields:
            raise IllegalEvent(f"this form has no {field.replace('_', ' ')}")
        return self._receive(Asked(field), now)

    def skip(self, field: FieldName, now: float) -> list[CaptureChanged]:
        """Go on without a field. Raises IllegalEvent where it is needed, or the last that is
        left."""
        if not any(each.field == field and each.optional for each in self._form.rules):
            raise IllegalEvent(f"the {field.replace('_', ' ')} cannot be skipped in this form")
        entries = self._form.entries(field)
        if all(each.skipped or each.field in entries for each in self._machine.progress.values()):
            raise IllegalEvent("one field of this form is to be keyed")
        return self._receive(Skipped(field), now)

    def submit(self, now: float) -> list[CaptureChanged]:
        """Have the card charged. Raises IllegalEvent where not all fields are complete."""
        return self._receive(Submitted(), now)

    async def spend(self, pipe: Pipe, charge: Charge) -> Outcome:
        """Charge the card that was submitted, once. The vault is wiped before the outcome is
        awaited."""
        return await self._vault.spend(pipe, charge)

    def settle(self, outcome: Outcome, now: float) -> list[CaptureChanged]:
        """The charge has ended with this outcome."""
        return self._receive(Settled(outcome), now)

    def cancel(self, now: float) -> list[CaptureChanged]:
        """End the capture at the command of b2bua."""
        return self._receive(Cancelled(), now)

    def lose_key(self, now: float, reason: str = "a key press was lost") -> list[CaptureNews]:
        """End the capture, because a key was not kept."""
        return [*self._receive(Lost(reason), now)]

    def call_gone(self, now: float) -> list[CaptureChanged]:
        """End the capture with its call."""
        return self._receive(CallGone(), now)

    def expire(self, now: float) -> list[CaptureNews]:
        """The time of `deadline()` has come; too early, it does nothing."""
        first = self._first_key_due
        if first is not None and now >= first and self.state is CaptureState.COLLECTING:
            self._first_key_due, self._unheard = None, True
            return [self.changed()]
        field = self._machine.field
        if self._wishes.person_due(now) and field is not None and self._vault.holds_only_zero(field):
            return [self._wish(Wish.PERSON)]
        return [*(self._pauses(now) or self._receive(TimedOut(), now))]

    def changed(self) -> CaptureChanged:
        """How it stands, with why the last field was cleared or the capture aborted, if that was
        the last thing to happen."""
        return CaptureChanged(
            session=SessionId(""),
            capture=self.id,
            state=self.state,
            field=self._machine.field,
            fields=self._machine.progress.values(),
            brand=self._brand,
            last_four=self._last_four,
            shown=self._shown,
            outcome=self._machine.outcome,
            reason=self._reason,
            unheard=self._unheard and self.state is CaptureState.COLLECTING,
        )

    def _pauses(self, now: float) -> list[CaptureChanged]:
        """What the time without a key until now means."""
        changes = []
        if self._machine.run_over(now):
            changes += self._receive(RunEnded(), now)
        field = self._machine.field
        if field is not None and self._machine.pause_over(now):
            changes += self._receive(Paused(self._vault.check(field, self._today, ended=True)), now)
        return changes

    def _wish(self, wish: Wish) -> CaptureWished:
        return CaptureWished(session=SessionId(""), capture=self.id, wish=wish)

    def _handle_key(self, key: Key, now: float) -> list[CaptureNews]:
        was_unheard = self._unheard
        self._first_key_due, self._unheard = None, False
        self._wishes.note_key(key, now)
        changes: list[CaptureNews] = [*self._pauses(now)]
        confirms = self._wishes.watches and key is Key.END and self.state is CaptureState.READY
        changes += self._take_key(key, now)
        changes += [self._wish(Wish.CONFIRM)] * confirms
        return changes or [self.changed()] * was_unheard

    def _take_key(self, key: Key, now: float) -> list[CaptureChanged]:
        field = self._machine.field
        match key:
            case Key.DIGIT:
                if field is None or not self._machine.wants_digit(now):
                    return self._receive(DigitDropped(), now)  # the vault overwrites it
                self._vault.keep_digit(field)
                return self._receive(DigitKeyed(self._vault.check(field, self._today)), now)
            case Key.END:
                check = self._vault.check(field, self._today, ended=True) if field else INCOMPLETE
                return self._receive(EndKeyed(check), now)
            case Key.CLEAR:
                return self._receive(ClearKeyed(), now)
            case Key.OTHER:
                return []

    def _receive(self, event: Event, now: float) -> list[CaptureChanged]:
        changes = []
        for command in self._machine.receive(event, now):
            match command:
                case Wipe(field=None):
                    self._vault.close()
                case Wipe(field=str() as field):
                    self._vault.clear(field)
                case Split(field=field, length=length, into=into):
                    self._vault.split(field, length, into)
                    changes += self._receive(DigitsMoved(self._vault.check(into, self._today)), now)
                case SetAside(field=field):
                    self._vault.set_aside(field)
                case TakeBack(field=field):
                    self._vault.take_back(field)
                case DropAside(field=field):
                    self._vault.drop_aside(field)
                case Spend():
                    pass  # the driver's, who has the pipe
                case Report(reason=reason):
                    changes += self._check_together(now)
                    self._reason = reason
                    self._describe()
                    changes.append(self.changed())
        return changes

    def _check_together(self, now: float) -> list[CaptureChanged]:
        """A field was completed: others that were complete before it may not fit it, as a security
        code does not fit another brand."""
        progress = self._machine.progress.values()
        entered = {each.field for each in progress if each.complete and not each.skipped}
        # A field that is keyed twice counts once both entries are there; the second is compared.
        complete = {
            each.field
            for each in self._form.rules
            if not each.confirms and entered.issuperset(self._form.entries(each.field))
        }
        new, self._checked = complete - self._checked, complete
        # Nothing new: a field that others are judged by may be set aside.
        if not new or self.state not in (CaptureState.COLLECTING, CaptureState.READY):
            return []
        changes = []
        for field in self._form.fields:
            if field in complete:
                check = self._vault.check(field, self._today, ended=True)
                if check.verdict is not Verdict.COMPLETE:
                    changes += self._receive(Contradicted(field, check), now)
        return changes

    def _describe(self) -> None:
        """Read off brand and last four while they are there; a finished capture keeps them, an
        aborted one does not."""
        if self.state is CaptureState.FINISHED:
            return
        complete = {each.field for each in self._machine.progress.values() if each.complete}
        shown = {
            rules.field: last
            for rules in self._form.rules
            if rules.last_shown and complete.issuperset(self._form.entries(rules.field))
            if (last := self._vault.last_digits(rules.field, self._today)) is not None
        }
        self._brand = self._vault.brand
        self._last_four = shown.pop(Field.CARD_NUMBER, None)
        self._shown = shown

    def __repr__(self) -> str:
        return f"<Capture {self.id} {self.state}>"
