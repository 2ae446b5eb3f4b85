"""The payment in a call: the mask first, then the capture, the charge, the outcome, and the mask
off again.

Rule 1: no view shows that a capture collects before the media thread has confirmed the mask.
Rule 2: when a capture is over media is asked to take the mask off, and does it when keying is over:
        after an approved payment, or when somebody says so, soon; after every other end late
        (media/service/unmasking.py). A new capture goes on under the mask.
Rule 3: once submitted, only an outcome ends it; neither the agent nor a hang-up can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from b2bua.call.cdr import CaptureRecord, capture_record
from b2bua.call.charge_defaults import ChargeDefaults, choose_form, complete
from b2bua.call.command import CallCommand, ToMedia
from b2bua.call.form_result import order_for_form, providers_for
from b2bua.call.key_notes import capture_notes
from b2bua.call.order import Order
from b2bua.call.owned_payment import FINAL, OwnedPayment
from b2bua.call.state import CAPTURE_TRANSITIONS, CaptureEvent, MaskEvent, MaskState, step
from b2bua.call.trunk_policy import USUAL_KEYS, KeyPolicy
from b2bua.call.unattended_view import UNATTENDED
from b2bua.call.view import CaptureStage, CaptureView, NotNow, refusal
from media.events import (
    AnyCommand,
    CancelCapture,
    CaptureChanged,
    CaptureForm,
    CaptureId,
    CaptureState,
    Done,
    FieldName,
    InfoKeyed,
    KeyNote,
    KeyWithheld,
    Masking,
    Refused,
    SessionClaimed,
    SetMask,
    SlowKeys,
    StartCapture,
    SubmitCapture,
)
from provider_adapters.payment import Approved, Outcome, Unknown

_STAGE_EVENTS = {
    CaptureState.COLLECTING: CaptureEvent.COLLECTING,
    CaptureState.READY: CaptureEvent.READY,
    CaptureState.FINISHED: CaptureEvent.SETTLED,
    CaptureState.ABORTED: CaptureEvent.ABORTED,
}
MAX_TAKEN_OVER = 8  # names that are kept
_RESTARTED = "Tonewall was restarted while the customer keyed; nothing was charged. Start again."
_KEYS_GONE = (
    "What the customer keyed is gone with the media process; nothing was charged. Start again, and ask the "
    "customer to key again."
)
_STILL_KEYING = "The customer is still keying; nothing reaches you. Ask for a pause, then release the mask."


@dataclass(slots=True)
class Payment(OwnedPayment):
    """Mask and captures of one call. `charging`: what the call's route says of its charges.
    `requested`: the order as an agent gave it."""

    charging: ChargeDefaults = field(default_factory=ChargeDefaults)
    requested: Order | None = None
    keys: KeyPolicy = USUAL_KEYS  # how those of the newest capture come
    form: CaptureForm = field(default_factory=CaptureForm)
    records: list[CaptureRecord] = field(default_factory=list)

    # --- what the agent asks for; raises NotNow and changes nothing -------------------------------

    def start(
        self, capture: str, order: Order, masking: Masking, scopes: Sequence[ChargeDefaults] = (), *,
        form: CaptureForm | None = None, keys: KeyPolicy = USUAL_KEYS, agent: str = "",
    ) -> list[CallCommand]:  # fmt: skip
        found = self.obstacle(agent)
        if found is not None:
            raise refusal(found)
        form = choose_form(form, scopes, order.country)
        self.requested = order = order_for_form(order, form)
        order = complete(order, scopes, form)  # what is charged is what the payment shows
        self.view = CaptureView(
            id=capture, stage=CaptureStage.STARTING, order=order, started_by=agent, agent=agent
        )
        is_masked = self._begin_under_announced(masking)
        self.form, self.masking, self.keys, self.keying = form, masking, keys, False
        self.announced_by = None
        return self._start_collecting() if is_masked else self._ask(on=True)

    def take_over(self, agent: str, scopes: Sequence[ChargeDefaults] = ()) -> None:
        """This agent drives the payment from now on, which is charged by the agent's `scopes` where
        it is not submitted yet; also one that is over, as long as its mask is on."""
        if self.announced_by is not None:
            self.announced_by = agent
            return
        if self.view is None or (self.settled and not self.masked):
            raise NotNow("There is no payment under way in this call.")
        if self.view.agent != agent:
            taken = (*self.view.taken_over_by, agent)[-MAX_TAKEN_OVER:]
            order = self.view.order
            if self.requested is not None and self.view.stage not in {*FINAL, CaptureStage.CHARGING}:
                order = complete(self.requested, scopes, self.form)
            self.view = msgspec.structs.replace(self.view, agent=agent, taken_over_by=taken, order=order)

    def collect(self, how: Callable[..., AnyCommand], wanted: FieldName | None) -> list[CallCommand]:
        view = self._under_way(CaptureStage.COLLECTING, CaptureStage.READY)
        return [ToMedia(how(session=self.session, capture=CaptureId(view.id), field=wanted))]

    @property
    def keys_come_twice(self) -> bool:
        """Whether media has said so of this payment, or the configuration of this trunk."""
        if self.view is None:
            return False
        codes = [note.code for note in self.view.notes]
        return self.keys.slow or self.view.slow or KeyNote.DOUBLED in codes

    def slow_keys(self, *, on: bool) -> list[CallCommand]:
        """Have two equal keys that come within 400 ms counted as one, or as two again."""
        view = self._under_way(CaptureStage.COLLECTING, CaptureStage.READY)
        return [ToMedia(SlowKeys(session=self.session, capture=CaptureId(view.id), on=on))]

    def check_ready(self) -> CaptureView:
        """The payment, where it may be submitted."""
        if self.view is not None and self.view.stage is CaptureStage.COLLECTING:
            raise NotNow("The customer has not keyed everything yet.")
        return self._under_way(CaptureStage.READY)

    def submit(self, now: float = 0.0, call: str = "") -> list[CallCommand]:
        """`call`: its id, of which the company's own service may be told."""
        view = self.check_ready()
        self._stage(CaptureEvent.SUBMITTED)
        # One charge a capture, whatever is retried where.
        charge = view.order.charge(view.id)
        charge = msgspec.structs.replace(charge, providers=providers_for(self.form, self.charging.providers))
        if charge.operation == "deliver":
            charge = msgspec.structs.replace(charge, form=self.form.name, call=call, submitted_at=now)
        return [ToMedia(SubmitCapture(session=self.session, capture=CaptureId(view.id), charge=charge))]

    def cancel(self) -> list[CallCommand]:
        if self.view is not None and self.view.stage is CaptureStage.CHARGING:
            raise NotNow("The charge was sent and cannot be called back. Wait for its outcome.")
        view = self._under_way(CaptureStage.STARTING, CaptureStage.COLLECTING, CaptureStage.READY)
        self._stage(CaptureEvent.CANCELLED)
        return [ToMedia(CancelCapture(session=self.session, capture=CaptureId(view.id))), *self._over()]

    def release(self) -> list[CallCommand]:
        """Somebody says that the customer's keying is over."""
        if self._open():
            raise NotNow("The payment is under way. Finish or cancel it first.")
        if not self.masked:
            raise NotNow("The line is not masked.")
        if self.keying:
            raise NotNow(_STILL_KEYING)
        if self.mask is MaskState.RELEASING:
            return []
        self._mask(MaskEvent.RELEASED)
        return self._ask(on=False, released=True)

    def stop(self, reason: str) -> list[CallCommand]:
        """The customer's keys cannot be kept from the agent any more: end what is not submitted
        yet, if there is anything."""
        if self.view is None or self._ended or self.view.stage in {*FINAL, CaptureStage.CHARGING}:
            return []
        capture = CaptureId(self.view.id)
        return [
            ToMedia(CancelCapture(session=self.session, capture=capture)),
            *self._abort(CaptureEvent.ABORTED, reason),
        ]

    def info_keyed(self, body: bytes) -> list[CallCommand]:
        """The customer's side sent a key as SIP INFO: media reads it where a capture takes keys
        from there, and gets KeyWithheld where no capture is open under the mask."""
        if self.masked and not self._open():
            return [ToMedia(KeyWithheld(session=self.session))]
        if not self.keys.by_info or not self._open():
            return []
        return [ToMedia(InfoKeyed(session=self.session, body=body))]

    # --- what media says --------------------------------------------------------------------------

    def mask_answered(self, command: SetMask, answer: Done | Refused, now: float) -> list[CallCommand]:
        if not self._is_newest_answer():
            return []  # what it says is no longer so, or soon will not be
        if isinstance(answer, Refused):
            return self._mask_refused(command, answer.reason, now)
        if not command.on:
            self._went_off()
            return []
        if self.mask is MaskState.ANNOUNCING:
            return self._announcement_answered(done=True, now=now)
        if self.mask is not MaskState.MASKING or self.view is None:
            return []
        self._mask(MaskEvent.CONFIRMED_ON)
        return self._start_collecting()

    def _start_collecting(self) -> list[CallCommand]:
        """The mask is on, and a capture may begin."""
        assert self.view is not None
        self._stage(CaptureEvent.MASKED)
        capture = CaptureId(self.view.id)
        keys, form = self.keys, self.form
        start = StartCapture(
            session=self.session, capture=capture, by_info=keys.by_info, slow=keys.slow, form=form,
            wishes=self.view.agent == UNATTENDED,
        )  # fmt: skip
        return [ToMedia(start)]

    def _mask_refused(self, command: SetMask, reason: str, now: float) -> list[CallCommand]:
        if not command.on:
            return self._off_refused(now)
        if self.mask is MaskState.ANNOUNCING:
            return self._announcement_answered(done=False, now=now)
        self._mask(MaskEvent.REFUSED)
        reason = f"the agent's side could not be masked: {reason}"
        charging = self.view is not None and self.view.stage is CaptureStage.CHARGING
        return self._abort(CaptureEvent.REFUSED, reason) if self._open() and not charging else []

    def capture_refused(self, command: StartCapture | SubmitCapture, answer: Refused) -> list[CallCommand]:
        if self.view is None or self.view.id != command.capture or not self._open():
            return []
        if isinstance(command, SubmitCapture) and not self._ended:
            self._stage(CaptureEvent.REFUSED, reason=answer.reason)
            return []
        if self.view.stage is CaptureStage.CHARGING:
            return self._abort(CaptureEvent.ABORTED, "The call ended before the payment was submitted.")
        return self._abort(CaptureEvent.REFUSED, answer.reason)

    def changed(self, news: CaptureChanged) -> list[CallCommand]:
        """Progress, outcome or abort of a capture; of an older one it is ignored."""
        if self.view is None or self.view.id != news.capture or not self._open():
            return []
        event = _STAGE_EVENTS.get(news.state)
        if event is None or event not in CAPTURE_TRANSITIONS[self.view.stage]:
            return []
        # Rule 1, whatever media says.
        if event in (CaptureEvent.COLLECTING, CaptureEvent.READY) and self.mask is not MaskState.MASKED:
            return []
        self._stage(
            event,
            field=news.field,
            fields=news.fields,
            brand=news.brand,
            last_four=news.last_four,
            shown=news.shown,
            outcome=news.outcome,
            reason=news.reason,
            unheard=news.unheard,
            notes=capture_notes(news.notes, slow=news.slow),
            slow=news.slow,
        )
        return self._over() if self.view.stage in FINAL else []

    def decide(self, capture: str, outcome: Outcome) -> None:
        """The outcome of the newest payment, which was unknown, was found after its end."""
        view = self.view
        if view is not None and view.id == capture and isinstance(view.outcome, Unknown):
            self.view = msgspec.structs.replace(view, outcome=outcome)

    def claimed(self, found: SessionClaimed) -> list[CallCommand]:
        """The call goes on in another process, and this is what media has of it."""
        commands = self._claimed(masked=found.masked, restored=found.restored)
        view = self.view
        if view is None or view.stage in {*FINAL, CaptureStage.CHARGING} or found.capturing:
            return commands
        return [*commands, *self._abort(CaptureEvent.ABORTED, _RESTARTED)]

    # --- time and the end -------------------------------------------------------------------------

    def call_ended(self) -> None:
        """The legs are gone; media wipes with the session. A charge under way still gets its
        outcome."""
        self._ended = True
        self._deadline = None
        if self._open():
            self._stage(CaptureEvent.CALL_ENDED)
            assert self.view is not None
            if self.view.stage in FINAL:
                self._close_view("The call ended before the payment was submitted.")

    def media_away(self) -> list[CallCommand]:
        """Media died with what the customer had keyed. What it had submitted is with a payer."""
        if not self._open() or self.view is None or self.view.stage is CaptureStage.CHARGING:
            return []
        return self._abort(CaptureEvent.ABORTED, _KEYS_GONE)

    def media_lost(self) -> None:
        """Media died with whatever it held. What it had submitted is with a payer, whose journal
        says what became of it."""
        if self._open() and self.view is not None and self.view.stage is not CaptureStage.CHARGING:
            self._abort(CaptureEvent.ABORTED, "The media process was lost; nothing was charged.")

    def all_records(self) -> tuple[CaptureRecord, ...]:
        """What remains of each payment of the call; of one that is not over, as it stands."""
        return (
            *self.records,
            *([capture_record(self.view)] if self.view is not None and self._open() else []),
        )

    # --- inside -----------------------------------------------------------------------------------

    def _under_way(self, *stages: CaptureStage) -> CaptureView:
        if self.view is None or self.view.stage in FINAL:
            raise NotNow("There is no payment under way in this call.")
        if self.view.stage not in stages:
            raise NotNow(f"The payment is {self.view.stage.value}; that cannot be done now.")
        return self.view

    def _abort(self, event: CaptureEvent, reason: str) -> list[CallCommand]:
        self._stage(event)
        return self._close_view(reason)

    def _close_view(self, reason: str) -> list[CallCommand]:
        assert self.view is not None
        self.view = msgspec.structs.replace(
            self.view, field=None, fields=(), brand=None, last_four=None, shown={}, outcome=None,
            reason=reason, notes=(),
        )  # fmt: skip
        return self._over()

    def _over(self) -> list[CallCommand]:
        """The capture is in a final stage: record it, and leave the mask to media."""
        assert self.view is not None
        self.records.append(capture_record(self.view))
        if self._ended or self.mask not in (MaskState.MASKING, MaskState.MASKED):
            return []
        is_paid = isinstance(self.view.outcome, Approved) and self.mask is MaskState.MASKED
        self._mask(MaskEvent.CAPTURE_PAID if is_paid else MaskEvent.CAPTURE_OVER)
        # A media process that followed a dead one has not seen the approval.
        return self._ask(on=False, released=is_paid and self._restored)

    def _stage(self, event: CaptureEvent, **changed: object) -> None:
        assert self.view is not None
        stage = step(CAPTURE_TRANSITIONS, self.view.stage, event)
        values = msgspec.structs.asdict(self.view)
        self.view = CaptureView(**values | {"reason": None} | changed | {"stage": stage})
