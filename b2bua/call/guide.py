"""Guides the customer through a form by prompts: turns what a payment shows into what is played.

Rule 1: what is played follows from what the agent is shown (`CaptureView`): counts, fields, reasons
        and the brand, never a digit.
Rule 2: prompts go to the customer's leg alone.
Rule 3: one prompt at a time: what is newer ends what plays. Any key ends it, whichever it is.

Rule 4: the second entry of a field is asked for by the name of its first. A difference is a refusal
        of the first.

Names are made of a field, what is said of it, and how often that was said before
(docs/prompts.md); media plays the most special one that there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from b2bua.call.command import CallCommand, ToMedia
from b2bua.call.spoken_amount import speak_amount
from b2bua.call.view import CaptureStage, CaptureView
from media.events import (
    CaptureForm,
    Field,
    FieldName,
    FieldProgress,
    FieldReason,
    Over,
    PlayPrompt,
    PromptEnded,
    SessionId,
    Side,
    StopPrompt,
)
from media.form_description import AGAIN
from provider_adapters.payment import Approved, Declined, Failed

# With which reasons of fields begin that a company has named.
_KINDS = ("date_", "sort_code_", "account_number_", "iban_", "nrb_", "routing_number_", "digits_")
_OVER_KEYING = frozenset({CaptureStage.CANCELLED, CaptureStage.ABORTED})


@dataclass(slots=True)
class Guide:
    """The prompts of one call. `alone`: no agent is there, so that prompts say the amount and the
    outcome, too, and stand in the place of the other side. `playing`: the names of what plays."""

    session: SessionId
    alone: bool = False
    playing: tuple[str, ...] = ()
    _number: int = 0  # of the newest play
    _capture: str = ""  # of which the next four are
    _stage: CaptureStage | None = None
    _field: FieldName | None = None
    _rejected: int = 0  # of that field
    _kept: bool = False
    _unheard: bool = False
    _asked: dict[str, int] = field(default_factory=dict)  # how often each field was asked for

    def follow(self, view: CaptureView | None, form: CaptureForm) -> list[CallCommand]:
        """Play what follows from the payment as it is now, where the form has prompts."""
        if view is None or (not form.prompts and not self.playing):
            return []
        if view.id != self._capture:
            self._capture, self._stage, self._asked = view.id, None, {}
            self._field, self._rejected, self._kept, self._unheard = None, 0, False, False
        names = self._names(view, form) if form.prompts else ()
        is_over = view.stage in _OVER_KEYING and view.stage is not self._stage
        self._stage, self._field, self._unheard = view.stage, view.field, view.unheard
        progress = _progress(view)
        self._rejected, self._kept = (progress.rejected, progress.kept) if progress else (0, False)
        if names:
            return self.say(names, form)
        return self.stop() if is_over else []

    def say(self, names: tuple[str, ...], form: CaptureForm, *, barge_in: bool = True) -> list[CallCommand]:
        """Play these, in the form's language."""
        self._number += 1
        self.playing = names
        return [
            ToMedia(
                PlayPrompt(
                    session=self.session,
                    play=self._number,
                    side=Side.CALLER,
                    prompts=names,
                    over=Over.REPLACE if self.alone else Over.DUCK,
                    barge_in=barge_in,
                    language=form.language,
                    prompt_set=form.prompts,
                )
            )
        ]

    def repeat(self, view: CaptureView, form: CaptureForm, *, unheard: bool = True) -> list[CallCommand]:
        """Ask again for what is to be keyed now. `unheard`: because the customer is silent."""
        names = self._of_amount(view, form) if view.stage is CaptureStage.READY else ()
        if unheard and view.stage is not CaptureStage.READY:
            names = ("unheard",)
        if view.stage is CaptureStage.COLLECTING and view.field is not None:
            names = (*names, self._ask(view.field, view))
        return self.say(names, form) if form.prompts and names else []

    def stop(self) -> list[CallCommand]:
        """End what plays."""
        if not self.playing:
            return []
        self.playing = ()
        return [ToMedia(StopPrompt(session=self.session, play=self._number))]

    def lost(self) -> None:
        """Nothing plays, and nothing will be said of it: media is away."""
        self.playing = ()

    def ended(self, news: PromptEnded) -> None:
        """A play is over."""
        if news.play == self._number:
            self.playing = ()

    # --- what is said -----------------------------------------------------------------------------

    def _names(self, view: CaptureView, form: CaptureForm) -> tuple[str, ...]:
        entered = view.stage is not self._stage
        match view.stage:
            case CaptureStage.COLLECTING:
                return self._of_field(view)
            case CaptureStage.READY if entered:
                return self._of_amount(view, form) if self.alone else ("complete",)
            case CaptureStage.CHARGING if entered and self.alone:
                return ("charging",)
            case CaptureStage.FINISHED if entered and self.alone:
                return (_outcome(view),)
        return ()

    def _of_field(self, view: CaptureView) -> tuple[str, ...]:
        progress = _progress(view)
        if view.field is None or progress is None:
            return ()
        name = view.field
        is_same = view.field == self._field and self._stage is CaptureStage.COLLECTING
        if is_same and progress.rejected > self._rejected:
            return (_error(progress),)
        if self._field == f"{name}{AGAIN}" and progress.reason is FieldReason.ENTRIES_DIFFER:
            return (_error(progress),)  # the first entry counts the refusal of both
        asked_again = progress.kept and not self._kept
        if is_same and not asked_again:
            return ("unheard", self._ask(name, view)) if view.unheard and not self._unheard else ()
        self._asked[name] = self._asked.get(name, 0) + 1
        first = self._stage is None or self._stage is CaptureStage.STARTING
        # The outcome of the card before, where it is still being said.
        before = self.playing if self.playing[:1] == ("declined",) else ("welcome",)
        opening = before if self.alone and first else ()
        return (*opening, self._ask(name, view))

    def _ask(self, name: str, view: CaptureView) -> str:
        first = _first_entry(name)
        parts = [name] if first == name else [first, "confirm"]
        if view.brand is not None and first != Field.CARD_NUMBER:
            parts.append(view.brand)
        if self._asked.get(name, 0) > 1:
            parts.append(str(self._asked[name]))
        return ".".join(parts)

    def _of_amount(self, view: CaptureView, form: CaptureForm) -> tuple[str, ...]:
        order = view.order
        spoken = speak_amount(order.amount, order.currency, form.language) if order.moves_money else ()
        return ("amount", *spoken, "confirm") if spoken else ("confirm",)


def _progress(view: CaptureView) -> FieldProgress | None:
    """Of the field that is keyed now."""
    return next((each for each in view.fields if each.field == view.field), None)


def _first_entry(name: FieldName) -> FieldName:
    """The field that this one confirms; itself, where it is no second entry: no field that a
    company names ends so."""
    return name.removesuffix(AGAIN)


def _error(progress: FieldProgress) -> str:
    """The name of a refusal: its reason, without the field's own name or kind, and which one it
    is."""
    name = progress.field
    reason = "" if progress.reason is None else progress.reason.value
    own = next((each for each in (f"{name}_", *_KINDS) if reason.startswith(each)), "")
    reason = reason.removeprefix(own)
    number = str(progress.rejected) if progress.rejected > 1 else ""
    return ".".join(part for part in (name, "error", reason, number) if part)


def _outcome(view: CaptureView) -> str:
    match view.outcome:
        case Approved():
            return "approved"
        case Declined():
            return "declined"
        case Failed():
            return "failed"
    return "unknown"  # partly approved, or nobody knows: a person says what it is
