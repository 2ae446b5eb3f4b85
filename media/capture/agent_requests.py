"""What the agent asks of the keying: a field once more, before its turn, alone, or not at all.

Rule 1: a second entry goes with the first: asked for, skipped, set aside and wiped together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from media.capture.check import Check
from media.capture.form import Form
from media.capture.key_run import KeyRun
from media.capture.messages import Command, DropAside, Limits, Report, SetAside, TakeBack, Wipe
from media.capture.progress import FormProgress
from media.events import FIELD_REASONS, FieldName


class AgentRequests(ABC):
    """The requests to a keying, which has the parts below. `_form`: the part of the form that is
    keyed now."""

    progress: FormProgress
    _whole: Form
    _form: Form
    _limits: Limits
    _enough: bool
    _run: KeyRun

    @property
    @abstractmethod
    def field(self) -> FieldName | None:
        """The field being keyed; None where all are complete."""

    @abstractmethod
    def _complete(self, field: FieldName) -> list[Command]:
        """The field is whole and valid."""

    @abstractmethod
    def _clear(self, wiped: tuple[FieldName, ...]) -> None:
        """Forget the counts of these fields."""

    @abstractmethod
    def _current(self) -> FieldName:
        """The field being keyed, where there is one."""

    def reset_from(self, first: FieldName | None) -> list[Command]:
        """`first` and all fields behind it are to be keyed again; all where None."""
        first = self._whole.first_entry(first) if first else self._whole.first
        wiped = self._whole.from_field(first)
        commands: list[Command] = []
        if self._run.full and self._current() not in wiped:
            commands += self._complete(self._current())
        begun = self.field
        commands += self._end_asking(not set(self.progress.aside) & set(wiped))
        self._clear(wiped)
        self._go_on()
        if begun is None or begun in wiped or begun != self.field:
            self._run.drain(self._limits.field_pause)
        else:
            self._run.settle()
        if begun is not None and begun not in (self.field, *wiped) and not self.progress[begun].complete:
            self._clear((begun,))
            wiped = (begun, *wiped)
        return [*commands, *(Wipe(field) for field in wiped), Report()]

    def ask(self, wanted: FieldName | None) -> list[Command]:
        """Only this field is keyed now, with its second entry; None: those that are missing, in
        order."""
        commands: list[Command] = []
        if self._run.full:
            commands += self._complete(self._current())
        commands += self._end_asking(True)
        begun = self.field
        if begun is not None and self.progress[begun].count:
            self._clear((begun,))
            commands.append(Wipe(begun))
        self._go_on()
        if wanted is not None:
            entries = self._whole.entries(wanted)
            for each in entries:
                if self.progress[each].skipped:
                    self._clear((each,))
                elif self.progress[each].complete:
                    self.progress.set_aside(each)
                    commands.append(SetAside(each))
            self._form = self._whole.part(entries)
        self._run.drain(self._limits.field_pause)
        self._enough = False
        return [*commands, Report()]

    def skip(self, field: FieldName) -> list[Command]:
        """The form goes on without this field."""
        commands: list[Command] = []
        entries = self._whole.entries(field)
        if self._run.full and self._current() not in entries:
            commands += self._complete(self._current())
        commands += self._end_asking(not set(self.progress.aside) & set(entries))
        begun = self.field
        wiped = entries if begun is None or begun in entries else (begun, *entries)
        self._clear(wiped)
        for each in entries:
            self.progress.skip(each)
        self._run.drain(self._limits.field_pause)
        self._go_on()
        return [*commands, *(Wipe(each) for each in wiped), Report()]

    def contradict(self, field: FieldName, check: Check) -> list[Command]:
        """A complete field does not fit what was keyed after it. Keys that follow at once are meant
        for another field than this, which is keyed next: they are drained."""
        assert check.reason is not None
        entries, begun = self._whole.entries(field), self.field
        wiped = entries if begun is None or begun in entries else (*entries, begun)
        self._clear(wiped)
        self.progress.refuse(field, check.reason, 0)
        self._run.drain(self._limits.field_pause)
        self._go_on()
        return [*(Wipe(each) for each in wiped), Report(FIELD_REASONS[check.reason])]

    def _end_asking(self, take_back: bool) -> list[Command]:
        """The field that is asked for again has its earlier digits, or none."""
        fields = self.progress.aside
        if take_back:
            self.progress.take_back()
            return [TakeBack(field) for field in fields]
        self.progress.drop_aside()
        return [DropAside(field) for field in fields]

    def _go_on(self) -> None:
        """What is missing is keyed now, in order. `*` reaches back to what is complete only where
        nothing behind it is."""
        missing = self.progress.missing
        is_end = bool(missing) and self._whole.from_field(missing[0]) == missing
        if missing:
            self._form = self._whole if is_end else self._whole.part(missing)
