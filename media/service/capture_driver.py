"""Driving captures: keys from the core, time from the loop, a payer when the agent submits. It
never sees a digit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from media._core import SecretMemory, info_key
from media.capture.capture import Capture, CaptureNews
from media.capture.form_rules import make_form
from media.capture.messages import Limits
from media.capture.transitions import IllegalEvent
from media.capture.vault import SIZE
from media.events import (
    AnyAnswer,
    AskField,
    CancelCapture,
    CaptureForm,
    CaptureId,
    CaptureRequest,
    CaptureState,
    CaptureWished,
    ChargeResolved,
    FieldName,
    Refused,
    ResetCapture,
    ResolveCharge,
    SessionId,
    SkipField,
    SlowKeys,
    SubmitCapture,
    WatchWishes,
)
from media.form_description import BadForm
from media.service.capture_limits import limits_of
from media.service.key_notes import KeyWatch
from media.service.payers import Payers
from media.service.session_protocol import SessionProtocol
from provider_adapters.payer.pipe import PayerGone
from provider_adapters.payment import Approved, Charge, Failed, Outcome, Unknown, outcome_type
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_PAYER_PATIENCE = 20.0  # seconds that a submitted charge waits for a payer process
_LEAKED = (
    "A key was about to be heard by the agent, so the customer's audio was cut off. Tell your administrator."
)
_UNMASKED = "The customer's audio is no longer certain to be kept from the agent. Try again."
_FAILED = Unknown(reason="payer_failed")
_NO_PAYER = (
    "No payer process is ready, so nothing was sent. Check the provider's settings with `tonewall doctor`."
)


@dataclass(slots=True)
class _Running:
    capture: Capture[SecretMemory]
    session: SessionProtocol
    keys: KeyWatch
    by_info: bool = False  # keys come as SIP INFO
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class CaptureDriver:
    """All captures that are not over, one a session at most. `tell` is given every change, before
    `over` hears of the end."""

    payers: Payers
    limits: Limits
    tell: Callable[[CaptureNews], None]
    # Called when a capture is over, with whether it was approved.
    over: Callable[[SessionId, bool], None]
    _running: dict[SessionId, _Running] = field(default_factory=dict)
    _charging: BackgroundTasks = field(default_factory=BackgroundTasks)

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self,
        session: SessionProtocol,
        capture_id: CaptureId,
        form: CaptureForm,
        *,
        by_info: bool = False,
        slow: bool = False,
        wishes: bool = False,
    ) -> str | None:
        """Begin to collect, as StartCapture says; why not, where it cannot be."""
        if not session.mask_confirmed:
            return "the session is not masked"
        if session.id in self._running:
            return "another capture is under way in this session"
        try:
            fields = make_form(form)
        except BadForm as error:
            log.error("form_refused", call=session.id, exc_info=error)
            return f"the form cannot be keyed: {error}"
        try:
            memory = SecretMemory(SIZE)
            session.capture(not by_info)
            keys = KeyWatch.begin(session, by_info=by_info, slow=slow)
        except OSError as error:
            log.error("capture_not_started", call=session.id, exc_info=error)
            return "no locked memory could be had for the digits; run `tonewall doctor`"
        capture = Capture(
            capture_id,
            memory,
            today=datetime.now(UTC).date(),
            now=_now(),
            limits=limits_of(form, self.limits),
            form=fields,
            wishes=wishes,
        )
        self._running[session.id] = running = _Running(capture, session, keys, by_info)
        self._after(running, [capture.changed()])
        return None

    def runs(self, session: SessionId) -> bool:
        """Whether a card is being keyed or charged in this session: its mask must not go off."""
        return session in self._running

    def keying(self) -> list[SessionProtocol]:
        """The sessions in which a card is being keyed from what media itself receives."""
        return [
            running.session
            for running in self._running.values()
            if running.capture.state is CaptureState.COLLECTING and not running.by_info
        ]

    def find_capture(self, session: SessionId, capture_id: CaptureId) -> Capture[SecretMemory] | None:
        """The capture of the session, if it has that id."""
        running = self._running.get(session)
        return running.capture if running and running.capture.id == capture_id else None

    def obey(self, command: CaptureRequest) -> str | None:
        """Why it is not done, where it is not."""
        if (capture := self.find_capture(command.session, command.capture)) is None:
            return "no such capture"
        try:
            match command:
                case ResetCapture(field=field):
                    self.reset(command.session, field)
                case AskField(field=field):
                    self.ask(command.session, field)
                case SkipField(field=field):
                    self.skip(command.session, field)
                case SlowKeys(on=on):
                    return self._set_slow(command.session, on)
                case WatchWishes():
                    capture.watch_wishes()
                case SubmitCapture(charge=charge):
                    self.submit(command.session, charge)
                case CancelCapture():
                    self.cancel(command.session)
        except IllegalEvent as error:
            return str(error)
        return None

    def _set_slow(self, session: SessionId, on: bool) -> str | None:
        running = self._running[session]
        refusal = running.keys.set_slow(on)
        self._after(running, [] if refusal else [running.capture.changed()])
        return refusal

    def look_at_keys(self) -> None:
        """Tell of each capture how its keys come, where that has changed."""
        for running in tuple(self._running.values()):
            try:
                changed = running.keys.look_at_keys(running.capture.state)
            except Exception as error:  # the others are still to be looked at
                log.error("keys_not_watched", call=running.session.id, exc_info=error)
                continue
            self._after(running, [running.capture.changed()] if changed else [])

    # The five below raise IllegalEvent, and change nothing, where the capture's state forbids it.

    def reset(self, session: SessionId, wanted: FieldName | None) -> None:
        """Clear a field, or all of them (None)."""
        running = self._running[session]
        self._after(running, running.capture.reset(wanted, _now()))

    def ask(self, session: SessionId, wanted: FieldName | None) -> None:
        """Have one field keyed alone, or those that are missing (None)."""
        running = self._running[session]
        self._after(running, running.capture.ask(wanted, _now()))

    def skip(self, session: SessionId, wanted: FieldName) -> None:
        """Go on without a field."""
        running = self._running[session]
        self._after(running, running.capture.skip(wanted, _now()))

    def cancel(self, session: SessionId) -> None:
        """End the capture."""
        running = self._running[session]
        self._after(running, running.capture.cancel(_now()))

    def submit(self, session: SessionId, charge: Charge) -> None:
        """Have the card charged."""
        running = self._running[session]
        changes = running.capture.submit(_now())
        running.session.capture(False)
        self._charging.start(self._charge(running, charge), "charge", lambda: self._settle(running, _FAILED))
        self._after(running, changes)

    def keys_waiting(self, session: SessionId, stream: int) -> None:
        """The core keeps keys of this stream."""
        running = self._running.get(session)
        if running is None:
            return
        capture = running.capture
        try:
            changes = capture.keys_waiting(
                lambda memory, at: running.session.take_digits(stream, memory, at), _now()
            )
        except Exception as error:
            log.error("keys_not_taken", call=session, exc_info=error)
            changes = [capture.changed()]
        self._after(running, changes)

    def info_keyed(self, session: SessionId, body: bytes) -> str | None:
        """A key came as SIP INFO; why it is not taken, where it is not. What is not understood ends
        the capture."""
        running = self._running.get(session)
        if running is None or not running.by_info:
            return "no capture takes keys from SIP INFO in this session"
        capture = running.capture
        running.keys.info_keys += 1
        try:
            changes = capture.keys_waiting(lambda memory, at: info_key(body, memory, at), _now())
        except ValueError:
            log.warning("sip_info_not_understood", call=session)
            changes = [capture.changed()]
        self._after(running, changes)
        return None

    def key_lost(self, session: SessionId) -> None:
        """The core could not keep a key: a digit is never skipped, the capture ends."""
        running = self._running.get(session)
        if running is not None:
            self._after(running, running.capture.lose_key(_now()))

    def key_leaked(self, session: SessionId) -> None:
        """The canary heard a key on its way to the agent, and stopped it: whatever is wrong, nobody
        goes on keying."""
        running = self._running.get(session)
        if running is not None:
            self._after(running, running.capture.lose_key(_now(), _LEAKED))

    def unmasked(self, session: SessionId) -> None:
        """The mask is no longer certain: nobody goes on keying behind it."""
        running = self._running.get(session)
        if running is not None:
            self._after(running, running.capture.lose_key(_now(), _UNMASKED))

    def call_gone(self, session: SessionId) -> None:
        """The session closes, or lost its b2bua: what was not submitted is wiped."""
        running = self._running.get(session)
        if running is not None:
            self._after(running, running.capture.call_gone(_now()))

    def b2bua_gone(self) -> None:
        """Nobody is there to submit any more; what was submitted goes on to its outcome."""
        for session in tuple(self._running):
            self.call_gone(session)

    def resolve_charge(self, command: ResolveCharge, answer: Callable[[AnyAnswer], None]) -> None:
        """Answer what became of a charge: it is under way here, or the payers' journal knows."""
        key = command.charge.idempotency_key
        if any(running.capture.id == key for running in self._running.values()):
            answer(ChargeResolved(serial=command.serial))
            return
        refused = Refused(
            serial=command.serial, reason="no payer process could say what became of the charge"
        )
        self._charging.start(self._resolve(command, answer), "journal", lambda: answer(refused))

    async def _resolve(self, command: ResolveCharge, answer: Callable[[AnyAnswer], None]) -> None:
        try:
            outcome = await self.payers.resolve(command.charge, command.submitted_at)
        except PayerGone as error:
            answer(Refused(serial=command.serial, reason=str(error)))
        else:
            answer(ChargeResolved(serial=command.serial, outcome=outcome))

    # --- inside -----------------------------------------------------------------------------------

    async def _charge(self, running: _Running, charge: Charge) -> None:
        capture = running.capture
        outcome: Outcome = Failed(reason=_NO_PAYER)
        try:
            pipe = await self.payers.take_payer(_PAYER_PATIENCE)
            if pipe is not None:
                log.info("charging", call=running.session.id, payment=charge.idempotency_key)
                outcome = _FAILED
                outcome = await capture.spend(pipe, charge)
        except Exception as error:
            log.error("charge_failed", payment=charge.idempotency_key, exc_info=error)
        log.info("charged", payment=charge.idempotency_key, outcome=outcome_type(outcome))
        self._settle(running, outcome)

    def _settle(self, running: _Running, outcome: Outcome) -> None:
        if not running.capture.over:
            self._after(running, running.capture.settle(outcome, _now()))

    def _expire(self, running: _Running) -> None:
        running.timer = None
        try:
            changes = running.capture.expire(_now())
        except Exception as error:
            log.error("capture_timeout_failed", call=running.session.id, exc_info=error)
            changes = running.capture.lose_key(_now())
        self._after(running, changes)

    def _after(self, running: _Running, changes: Sequence[CaptureNews]) -> None:
        """Tell what changed, stop collecting where it is over, and set the next alarm."""
        capture, session = running.capture, running.session
        for change in changes:
            if isinstance(change, CaptureWished):
                self.tell(msgspec.structs.replace(change, session=session.id))
            else:
                self.tell(running.keys.with_notes(change))
        if capture.over and self._running.get(session.id) is running:
            del self._running[session.id]
            self._stop_keeping(session)
            self.over(session.id, isinstance(capture.changed().outcome, Approved))
        if running.timer is not None:
            running.timer.cancel()
            running.timer = None
        if (due := capture.deadline()) is not None:
            running.timer = asyncio.get_running_loop().call_at(due, self._expire, running)

    def _stop_keeping(self, session: SessionProtocol) -> None:
        try:
            session.capture(False)
        except (OSError, ValueError) as error:
            log.error("keys_not_wiped", why="the core may still keep them", call=session.id, exc_info=error)


def _now() -> float:
    return asyncio.get_running_loop().time()
