"""Assigns keys to the fields of a form: which field a key belongs to, and which keys count.

Rule 1: this module counts digits; it never sees one. Each key comes with the verdict that the vault
        gave on its field.

Keys: a field that can only be complete ends by itself; `#` ends one that could be longer, as does
`number_pause` at the brand's usual length: 6 s, for whoever reads 19 digits in groups pauses for 4.
Where the longest number that a brand has does not fit, its usual length does, and the digits behind
were keyed without a pause, these count as the next field, on trial, where that takes as many. A
field that does not pass its check is cleared, counted (`FieldProgress.rejected`), and asked for
again. `#` on an empty field means nothing (people press it after a field that ended by itself).

Keys that follow at once (key_run.py) on a field that
- was refused are drained, until `refusal_pause` passes without a key or `*` is keyed;
- ended by itself are on trial: they count for the next fields if, when `field_pause` has passed
  without a key, they fill these exactly; the last of them may be one that could be longer.
  Otherwise they are drained, and with them a field that no check digit proves: one of the keys was
  too many, and nobody knows which. So the last field is complete when `field_pause` has passed, or
  `#` is keyed. Where check digits prove all of them, it is complete as soon as a key is too many.
Drained keys are counted in `ignored`, with a `reason`.

`*` clears the current field. Where that is empty it does nothing, once: a second one, `field_pause`
later, steps back and clears the field before. With all complete it clears the last.

A field that the agent asks for is keyed alone: again, or before its turn. What it had counts until
it is complete; then the form goes on with what is missing (agent_requests.py).

A field that is keyed twice has a field of its own for the second entry. It is complete where it is
the same; otherwise both are keyed anew.
"""

from __future__ import annotations

from media.capture.agent_requests import AgentRequests
from media.capture.check import Check, Verdict
from media.capture.form import Form
from media.capture.key_run import KeyRun
from media.capture.messages import Command, Limits, Report, Split, Wipe
from media.capture.progress import FormProgress
from media.events import FIELD_REASONS, FieldName, FieldReason


class Keying(AgentRequests):
    """The keys of one capture, and what the agent asks of them. `now` is in seconds of any steady
    clock.

    `last_key`: when the newest key came, or keying began.
    """

    def __init__(self, form: Form, limits: Limits, now: float) -> None:
        self.progress = FormProgress(form)
        self.last_key = now
        self._whole = form
        self._form = form  # the part of it that is keyed now
        self._limits = limits
        self._enough = False
        self._run = KeyRun(limits)

    @property
    def field(self) -> FieldName | None:
        """The field being keyed; None where all are complete."""
        return next((field for field in self._form.fields if not self.progress[field].complete), None)

    def wants_digit(self, now: float) -> bool:
        """Whether a digit keyed now counts."""
        return self.field is not None and not self._run.full and not self._run.drains(now)

    def pause_over(self, now: float) -> bool:
        """Whether the customer seems to be done with a field that could be longer."""
        return self._enough and now >= self.last_key + self._limits.number_pause

    def run_over(self, now: float) -> bool:
        """Whether the keys that came without a pause can be judged."""
        due = self._run.deadline()
        return due is not None and now >= due

    def deadline(self) -> float | None:
        """When `pause_over` or `run_over` becomes true; None: with no time."""
        pause = self.last_key + self._limits.number_pause if self._enough else None
        return min((due for due in (self._run.deadline(), pause) if due is not None), default=None)

    def start_pause(self, now: float) -> None:
        """Keying begins or ends at this time."""
        self.last_key = now
        self._enough = self._enough and self.field is not None

    # --- keys -------------------------------------------------------------------------------------

    def add_digit(self, check: Check, now: float) -> list[Command]:
        """A digit that `wants_digit` had a place for."""
        field = self._note_key(now, digit=True)
        self.progress.add_digit(field)
        self._enough = check.verdict is Verdict.ENOUGH
        return self._judge(field, check, ended=False)

    def drop_digit(self, now: float) -> list[Command]:
        """A digit that nothing had a place for."""
        if self.field is None:
            return self._ignore(self._form.last, 1)
        full = self._run.full
        field = self._note_key(now, digit=True)
        if full:  # one more than the last field takes: which of the keys was too many?
            return self._refuse_misfit(field, dropped=1)
        return self._ignore(field, 1)

    def end_field(self, check: Check, now: float, *, by_key: bool) -> list[Command]:
        """The field was ended, by `#` or by a pause."""
        drains = self._run.drains(now)
        field = self._note_key(now) if by_key else self._current()
        self.last_key = now
        if drains:
            return []
        if not self.progress[field].count:
            self._run.settle()
            return []
        return self._judge(field, check, ended=True)

    def end_run(self) -> list[Command]:
        """The run of keys is over."""
        field, full = self._current(), self._run.full
        if full:
            return self._complete(field)
        if self.progress[field].count and not self._enough:
            return self._refuse_misfit(field)
        self._run.settle()
        return []

    def move_digits(self, check: Check) -> list[Command]:
        """The digits behind a number that ended before are the current field's now."""
        self._enough = check.verdict is Verdict.ENOUGH
        return self._judge(self._current(), check, ended=False)

    def clear_field(self, now: float) -> list[Command]:
        """`*`."""
        run = self._run
        if self.field is None:
            run.add_key(now, star=True)
            run.settle()
            return self.clear_from(self._form.last)
        first = self._on_trial(self._current()) if run.goes_on(now) else self._current()
        again = run.starred and not run.goes_on(now)
        at_once = run.ended is not None and run.goes_on(now)
        drains = run.drains(now)
        field = self._note_key(now, star=True)
        self._enough = False
        run.settle()
        if first != field and self.progress[field].count:
            refused = self._refuse(first, FieldReason.TOO_MANY_KEYS)
            run.settle()  # `*`: the next keys are meant
            return refused
        if self.progress[field].count or again:
            if not self.progress[field].count:
                field = self._form.before(field)
            self.progress.clear((field,))
            return [Wipe(field), Report()]
        if drains:
            return [Report()]
        if at_once:  # the next keys are meant for the field before, as likely as not
            run.drain(self._limits.refusal_pause)
        self.progress.explain(field, FieldReason.NOTHING_TO_CLEAR)
        return [Report(FIELD_REASONS[FieldReason.NOTHING_TO_CLEAR])]

    # --- what several requests need ---------------------------------------------------------------

    def clear_from(self, first: FieldName) -> list[Command]:
        """Empty `first` and all fields behind it."""
        wiped = self._form.from_field(first)
        self._clear(wiped)
        return [*(Wipe(field) for field in wiped), Report()]

    def clear_all(self) -> None:
        """Forget all counts."""
        self._clear(self._form.fields)

    # --- judgement --------------------------------------------------------------------------------

    def _judge(self, field: FieldName, check: Check, *, ended: bool) -> list[Command]:
        """`ended`: by the customer, not by itself."""
        if check.verdict is Verdict.SPLIT and check.shorter and self._can_split(field, check.shorter):
            return self._split(field, check.shorter)
        if check.verdict in (Verdict.INVALID, Verdict.SPLIT):
            assert check.reason is not None
            first = self._on_trial(field)
            is_own = first in self._form.entries(field)
            return self._refuse(first, check.reason if is_own else FieldReason.TOO_MANY_KEYS)
        if check.verdict is not Verdict.COMPLETE:
            return [Report()]
        if ended:
            return self._complete(field)
        rules = self._form.rules_of(field)
        self._run.end_field(field, is_proven=rules.has_check_digit and check.shorter is None)
        if field == self._form.last:
            self._run.full = True
        else:
            self.progress.complete(field)
        self._enough = False
        return [Report()]

    def _complete(self, field: FieldName) -> list[Command]:
        # A field that is keyed twice is there once both entries are.
        commands = self._end_asking(False) if field == self._form.last else []
        self.progress.complete(field)
        self._enough = False
        self._run.settle()
        if self.field is None:
            self._go_on()
        return [*commands, Report()]

    def _can_split(self, field: FieldName, length: int) -> bool:
        """Whether the digits behind these may be the beginning of the next field."""
        behind = self.progress[field].count - length
        if field == self._form.last or self._run.digits < behind:
            return False
        return behind <= self._form.rules_of(self._form.after(field)).max_length

    def _split(self, field: FieldName, length: int) -> list[Command]:
        """The field seems to have ended before: the digits behind it are on trial as the next."""
        behind = self.progress[field].count - length
        following = self._form.after(field)
        self.progress.set_count(field, length)
        self.progress.complete(field)
        self.progress.set_count(following, behind)
        self._run.end_field(field, is_proven=False)
        return [Split(field, length, following)]

    def _refuse_misfit(self, field: FieldName, *, dropped: int = 0) -> list[Command]:
        """The keys that followed at once on a field that had ended by itself do not end where a
        field ends."""
        proven = self._run.proven
        if proven == self._form.last:
            self._complete(proven)
            return self._ignore(proven, dropped)
        if dropped or proven is None:
            return self._refuse(self._on_trial(field), FieldReason.TOO_MANY_KEYS, dropped=dropped)
        first = self._form.after(proven)
        wiped = self._form.from_field(first)
        ignored = sum(self.progress[each].count for each in wiped)
        self._clear(wiped)
        self._run.settle()
        return [*(Wipe(each) for each in wiped), *self._ignore(first, ignored)]

    def _on_trial(self, field: FieldName) -> FieldName:
        """The first field that a key too many may be in, where keys that followed at once do not
        fit; `field` where none did."""
        proven = self._run.proven
        if proven is None:
            return self._run.ended or field
        return field if proven == self._form.last else self._form.after(proven)

    def _refuse(self, first: FieldName, reason: FieldReason, *, dropped: int = 0) -> list[Command]:
        """Wipe this field and all behind it, and drain the keys that are left over of it. A second
        entry is refused with the first: nobody knows which of them is wrong."""
        wiped = self._form.from_field(first)
        first = self._form.first_entry(first)
        # The first entry may be none of what is keyed now: it was complete when others were asked
        # for between the two.
        wiped = tuple(each for each in self._whole.fields if each in (first, *wiped))
        self._clear(wiped)
        if first not in self._form.fields:
            self._go_on()
        self.progress.refuse(first, reason, dropped)
        self._run.drain(self._limits.refusal_pause)
        return [*(Wipe(each) for each in wiped), Report(FIELD_REASONS[reason])]

    def _ignore(self, field: FieldName, keys: int) -> list[Command]:
        self.progress.ignore(field, keys)
        return [Report(FIELD_REASONS[FieldReason.KEYS_IGNORED])]

    def _clear(self, wiped: tuple[FieldName, ...]) -> None:
        self._enough = self._enough and self.field not in wiped
        self.progress.clear(wiped)

    def _note_key(self, now: float, *, digit: bool = False, star: bool = False) -> FieldName:
        self.last_key = now
        self._run.add_key(now, digit=digit, star=star)
        return self._current()

    def _current(self) -> FieldName:
        field = self.field
        assert field is not None
        return field
