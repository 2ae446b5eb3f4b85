"""Takes a payment in a call without an agent: the steps from our answer to the place where the call
goes on.

Rule 1: every transition is in STEP_TRANSITIONS. This drives the same payment as an agent would, by
        the same requests, and sees of it what an agent sees.
Rule 2: a step in which the customer is to do something has a time limit of its own; none depends
        on a prompt that plays.
Rule 3: whatever goes wrong leads to a person, with what is known (`why`); once the card may have
        been handed over only the outcome does. What is unknown is never charged again.
Rule 4: the next place is invited by a transfer, so that mask, media and caller go on as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from b2bua.call.command import CallCommand, StartPayment, SubmitPayment, ToDesk, ToMedia
from b2bua.call.next_places import LONGEST_PROMPT, NextPlaces
from b2bua.call.order import Order
from b2bua.call.owed import find_order
from b2bua.call.owned_payment import FINAL
from b2bua.call.payment import MAX_TAKEN_OVER
from b2bua.call.routing.form_end import FormEnd
from b2bua.call.state import BridgeState, MaskState
from b2bua.call.unattended_states import STEP_TRANSITIONS, Step, StepEvent
from b2bua.call.unattended_view import UNATTENDED, WHY, UnattendedView, Why
from b2bua.call.view import CaptureStage, CaptureView, NotNow
from media.events import CaptureId, FieldProgress, WatchWishes, Wish
from provider_adapters.payment import Approved, Declined, Failed

# Seconds until our own parts have done their work: a payment written down, a mask put on.
_OWN_TIME = 20.0
# Seconds after the last field in which its end key, pressed from habit, confirms no amount.
_HABIT = 1.0
_PATIENCE = 15.0  # seconds after which a customer is told again that the card is being charged
_KEYED_BY_CUSTOMER = frozenset({Step.STARTING, Step.KEYING, Step.CONFIRMING})
_ACTIVE = frozenset(Step) - {Step.NONE, Step.DONE, Step.OVER}


@dataclass(slots=True)
class Unattended(NextPlaces):
    """The forms of one call, one after another. `why`: why the newest did not come to a payment.
    `capture`: the payment that is driven; `cards`: how many were tried."""

    why: Why | None = None
    capture: str = ""
    cards: int = 0
    _awaited: FormEnd | None = None
    _takes_over: bool = False  # what is awaited takes a payment over
    _before: str = ""  # the payment before
    _seen: tuple[FieldProgress, ...] = ()
    _since: float = 0.0  # when this step began
    _limit: float | None = None  # when the customer has had time enough in all
    _silences: int = 0
    _listens: bool = False  # a prompt is being waited for, once

    @property
    def active(self) -> bool:
        """Whether our end is one of the call's two."""
        return self.step in _ACTIVE

    @property
    def starts(self) -> bool:
        """Whether a payment is awaited that was asked for."""
        return self.step is Step.STARTING

    def deadline(self) -> float | None:
        """When `expire` is due."""
        limit = self._limit if self.step in _KEYED_BY_CUSTOMER else None
        return min((due for due in (self._deadline, limit) if due is not None), default=None)

    def view(self) -> UnattendedView | None:
        """What agents see of it; None for a call that never had such a form."""
        if self.ends is None:
            return None
        detail = None if self.why is None else WHY[self.why]
        return UnattendedView(
            route=self.ends.rule, step=self.step.value, cards=self.cards, why=self.why, detail=detail
        )

    @property
    def speaks(self) -> bool:
        """Whether prompts say what an agent would: not where another one is called to go on."""
        return self.active and (self.step is not Step.GOING_ON or self.payment.settled)

    def await_our_end(self, ends: FormEnd, *, takes_over: bool = False) -> None:
        """A transfer is to bring our end into the call. `takes_over`: for an agent who is gone."""
        self._awaited, self._takes_over = ends, takes_over

    def begin(self, ends: FormEnd, now: float, *, takes_over: bool = False) -> None:
        """Begin a form: our end is one of the call's two, or about to be. `takes_over`: with the
        payment that is under way."""
        self._move(StepEvent.LEFT if takes_over else StepEvent.BEGUN)
        self.ends, self.why, self.capture, self.cards = ends, None, "", 0
        self._limit = now + ends.time_limit
        self._forget_places()

    def call_ended(self) -> None:
        """End with the call. A charge under way goes on to its outcome (`Payment`)."""
        self._move(StepEvent.CALL_ENDED)
        self._deadline = None

    # --- what happens -----------------------------------------------------------------------------

    def wished(self, capture: str, wish: Wish, now: float) -> list[CallCommand]:
        """The customer keyed what means no digit: a confirmation, or a person."""
        if capture != self.capture or self.step not in _KEYED_BY_CUSTOMER:
            return []
        if wish is Wish.PERSON:
            return self._to_person(StepEvent.PERSON_WANTED, Why.PERSON_WANTED)
        if self.step is Step.CONFIRMING and now >= self._since + _HABIT:
            return self._submit(now)
        return []

    def refused(self, capture: str, now: float, why: Why | None = None) -> list[CallCommand]:
        """A payment could not be started, or not be submitted: nothing was charged."""
        if self.step is Step.STARTING and not capture:
            return self._to_person(StepEvent.REFUSED, why or Why.NOT_STARTED)
        if self.step is Step.SUBMITTING and capture == self.capture:
            view = self.payment.view
            if view is not None and view.stage is CaptureStage.COLLECTING:
                return []  # it is keyed again
            return self._to_person(StepEvent.REFUSED, why or Why.NOT_SUBMITTED)
        return []

    def expire(self, now: float) -> list[CallCommand]:
        """Ask a silent customer again, then give the call to a person."""
        if self.step in _KEYED_BY_CUSTOMER and self._limit is not None and now >= self._limit:
            return self._to_person(StepEvent.TOO_LONG, Why.TOO_LONG)
        if self._deadline is None or now < self._deadline or self.ends is None:
            return []
        self._deadline = None
        match self.step:
            case Step.KEYING | Step.CONFIRMING if self.guide.playing and not self._listens:
                self._listens = True  # the silence begins once the customer has heard what is wanted
                self._deadline = now + self.ends.silence
                return []
            case Step.KEYING | Step.CONFIRMING if self._silences < self.ends.silences:
                self._silences, self._listens = self._silences + 1, False
                self._deadline = now + self.ends.silence
                view = self.payment.view
                return [] if view is None else self.guide.repeat(view, self.payment.form)
            case Step.CHARGING:
                self._deadline = now + _PATIENCE
                return self._say("charging")
            case Step.KEYING | Step.CONFIRMING:
                return self._to_person(StepEvent.SILENT, Why.SILENT)
            case Step.STARTING | Step.TAKING_OVER:
                return self._to_person(StepEvent.REFUSED, Why.NOT_STARTED)
            case Step.SUBMITTING:
                return self._to_person(StepEvent.REFUSED, Why.NOT_SUBMITTED)
            case _:
                return []

    def follow(self, now: float) -> list[CallCommand]:
        """What follows from the state of the call's other parts. To be called after every event."""
        commands: list[CallCommand] = []
        if self._awaited is not None and not self.transfer.active:
            awaited, self._awaited = self._awaited, None
            if self.transfer.result == 200 and self.bridge.state is BridgeState.UP:
                self.begin(awaited, now, takes_over=self._takes_over)
        while self.active and (more := self._advance(now)) is not None:
            commands += more
        return commands

    # --- the steps --------------------------------------------------------------------------------

    def _advance(self, now: float) -> list[CallCommand] | None:
        """One step further; None where nothing follows."""
        match self.step:
            case Step.ANSWERING:
                return self._answered(now) if self.bridge.settled and not self.transfer.active else None
            case Step.TAKING_OVER if not self.capture:
                return self._take_over(now)
            case Step.TELLING:
                if self._is_speaking(now):
                    return None
                self._move(StepEvent.TOLD)
                self._deadline = None
                return []
            case Step.GOING_ON:
                return self._go_on(now)
            case _:
                return self._follow_payment(now)

    def _answered(self, now: float) -> list[CallCommand]:
        assert self.ends is not None
        order = find_order(self.ends.owed, self.bridge.carried, self.bridge.session)
        self._move(StepEvent.ANSWERED)
        return self._start(order, now)

    def _take_over(self, now: float) -> list[CallCommand]:
        """Go on with an agent's payment where it stands, or call another agent."""
        assert self.ends is not None
        view = self.payment.view
        if view is None or not self.ends.drives:
            self._move(StepEvent.PASSED_ON)
            self._choose_places(self.ends.person)
            return []
        self.capture, self.cards, self._seen = view.id, 1, view.fields
        self._wait(_OWN_TIME, now)
        asks = self.guide.repeat(view, self.payment.form, unheard=False)
        return [*self._drive(view), *asks]

    def _drive(self, view: CaptureView) -> list[CallCommand]:
        """Nobody else drives the payment from now on."""
        if self.payment.settled:
            return []
        taken = (*view.taken_over_by, UNATTENDED)[-MAX_TAKEN_OVER:]
        self.payment.view = msgspec.structs.replace(view, agent=UNATTENDED, taken_over_by=taken)
        if self.payment.mask is not MaskState.MASKED:
            return []  # StartCapture will say so
        return [ToMedia(WatchWishes(session=self.payment.session, capture=CaptureId(view.id)))]

    def _start(self, order: Order | None, now: float) -> list[CallCommand]:
        self.cards += 1
        self._before = self.payment.view.id if self.payment.view is not None else ""
        self._seen = ()
        self._wait(_OWN_TIME, now)
        return [ToDesk(StartPayment(order, again=self.cards > 1))]

    def _follow_payment(self, now: float) -> list[CallCommand] | None:
        view = self.payment.view
        if view is None or (self.step is Step.STARTING and view.id == self._before):
            return None
        if view.agent != UNATTENDED and self.step is not Step.WATCHING:
            if StepEvent.TAKEN_OVER not in STEP_TRANSITIONS[self.step]:
                return self._follow_stage(view, now)
            self._move(StepEvent.TAKEN_OVER)
            self.capture, self._deadline = view.id, None
            return []
        if self.step is Step.WATCHING:
            self.capture = view.id
        if self.step is not Step.STARTING and view.id != self.capture:
            return None
        return self._follow_stage(view, now)

    def _follow_stage(self, view: CaptureView, now: float) -> list[CallCommand] | None:
        assert self.ends is not None
        match view.stage:
            case CaptureStage.COLLECTING if self.step in (Step.WATCHING, Step.KEYING):
                self._note_progress(view, now)
                return None
            case CaptureStage.COLLECTING:
                self._move(StepEvent.COLLECTING)
                self.capture, self._silences = view.id, 0
                self._wait(self.ends.silence, now)
                return []
            case CaptureStage.READY if self.step in (Step.TAKING_OVER, Step.KEYING):
                self._move(StepEvent.READY)
                self._silences = 0
                self._wait(self.ends.silence, now)
                return [] if self.ends.confirm else self._submit(now)
            case CaptureStage.CHARGING if self.step in (Step.TAKING_OVER, Step.SUBMITTING):
                self._move(StepEvent.CHARGING)
                self._deadline = now + _PATIENCE
                return []
            case CaptureStage.FINISHED:
                return self._settled(view, now)
            case CaptureStage.CANCELLED | CaptureStage.ABORTED:
                return self._to_person(StepEvent.STOPPED, Why.STOPPED)
            case _:
                return None

    def _note_progress(self, view: CaptureView, now: float) -> None:
        """The customer keyed something: the silence begins anew."""
        if self.ends is not None and self.step is Step.KEYING and view.fields != self._seen:
            self._seen, self._silences = view.fields, 0
            self._wait(self.ends.silence, now)

    def _submit(self, now: float) -> list[CallCommand]:
        self._move(StepEvent.CONFIRMED)
        self._wait(_OWN_TIME, now)
        return [ToDesk(SubmitPayment(self.capture))]

    def _settled(self, view: CaptureView, now: float) -> list[CallCommand]:
        assert self.ends is not None
        outcome, order = view.outcome, view.order
        if isinstance(outcome, Approved):
            self._move(StepEvent.APPROVED)
            self._deadline = now + LONGEST_PROMPT
            self._choose_places(self.ends.then or self.ends.person)
            return []
        if isinstance(outcome, Declined) and self.step is not Step.WATCHING and self.cards < self.ends.cards:
            self._move(StepEvent.ANOTHER_CARD)
            return self._start(order, now)
        self._move(StepEvent.NOT_PAID)
        self.why, self._deadline = Why.UNKNOWN, now + LONGEST_PROMPT
        if isinstance(outcome, Declined | Failed):
            self.why = Why.DECLINED if isinstance(outcome, Declined) else Why.FAILED
        self._choose_places(self.ends.person or self.ends.then)
        return []

    def _to_person(self, event: StepEvent, why: Why) -> list[CallCommand]:
        """Give the call to a person; what was keyed is wiped."""
        assert self.ends is not None
        self._move(event)
        self.why, self._deadline = why, None
        self._choose_places(self.ends.person or self.ends.then)
        view = self.payment.view
        if view is None or view.stage in (*FINAL, CaptureStage.CHARGING) or view.agent != UNATTENDED:
            return []
        try:
            return self.payment.cancel()
        except NotNow:
            return []

    def _wait(self, seconds: float, now: float) -> None:
        """A step begins, which takes so many seconds at most."""
        self._since, self._deadline, self._listens = now, now + seconds, False
