"""The mask of a call as b2bua knows it: asked for, confirmed, and asked to go off.

Rule 1: a mask whose answer is outstanding counts as on.
Rule 2: only the answer to the newest command counts.
Rule 3: what media refuses is asked for again after `guard_time`.
Rule 4: a mask that is announced goes on before a payment. What is keyed meanwhile is thrown away
        and counted. Without a payment it ends as other masks do: released, or after `announce_time`
        as after a capture that was not approved.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from b2bua.call.command import CallCommand, ToMedia
from b2bua.call.state import MASK_TRANSITIONS, MaskEvent, MaskState, step
from b2bua.call.view import MaskStage
from media.events import KeyingChanged, Masking, SessionId, SetMask

_MASK_STAGES = {
    MaskState.OPEN: MaskStage.OFF,
    MaskState.HELD: MaskStage.HELD,
    MaskState.RELEASING: MaskStage.RELEASING,
}


@dataclass(slots=True)
class LineMask:
    """The mask of one call. `guard_time`: seconds after which media is asked again where it
    refused. `masking`: of the newest capture, or announcement. `keying`: the customer keys under a
    mask without a capture. `dropped`: keys that were thrown away before the newest capture, or
    since it. `announced_by`: the agent who announced a payment that has not begun; "": nobody
    did, the call was answered; None: none is announced. `answered`: so it was."""

    session: SessionId
    guard_time: float = 1.0
    masking: Masking = field(default_factory=Masking)
    mask: MaskState = MaskState.OPEN
    keying: bool = False
    dropped: int = 0
    announced_by: str | None = None
    announce_time: float = 300.0
    answered: bool = False
    _ended: bool = False  # the mask went with the session, and nothing can be keyed any more
    # How many SetMask media has not answered; only the answer to the newest says what is.
    _unanswered: int = 0
    _deadline: float | None = None
    _restored: bool = False  # media does not know which capture the mask is for

    @property
    def masked(self) -> bool:
        """Whether the agent's side is kept from the digits, or may be: an unknown mask counts as
        one."""
        return self.mask is not MaskState.OPEN

    @property
    def mask_stage(self) -> MaskStage:
        """The mask as its agent sees it."""
        return _MASK_STAGES.get(self.mask, MaskStage.ON)

    def deadline(self) -> float | None:
        """When `expire` is due."""
        return self._deadline

    def expire(self, now: float) -> list[CallCommand]:
        """Ask again for what media refused; end a mask whose payment has not come."""
        if self._deadline is None or now < self._deadline:
            return []
        if self.mask is MaskState.ANNOUNCED:
            self._mask(MaskEvent.TIMED_OUT)
        return self._ask(on=False) if self.mask is MaskState.HELD else []

    def announce(self, masking: Masking, agent: str, at_most: float, now: float) -> list[CallCommand]:
        """A payment is to come: mask now. `at_most`: seconds without one."""
        self.announced_by, self.announce_time = agent, at_most
        if self.mask is MaskState.ANNOUNCED:
            self._deadline = now + at_most
        if self.mask in (MaskState.ANNOUNCING, MaskState.ANNOUNCED):
            return []
        self.masking, self.keying, self.dropped = masking, False, 0
        self._mask(MaskEvent.ANNOUNCED)
        return self._ask(on=True)

    def keying_changed(self, news: KeyingChanged) -> None:
        """The customer keys under a mask whose capture is over, or keys no longer."""
        self.keying, self.dropped = news.keying and self.masked, news.keys if self.masked else 0

    def _claimed(self, *, masked: bool, restored: bool = False) -> list[CallCommand]:
        """The call goes on in another process: what was asked for is asked for again, and what only
        media knows of stays on. `restored`: media does not know what its mask is for."""
        self._unanswered, self._restored = 0, restored or self._restored
        match self.mask:
            case MaskState.OPEN if masked:
                self._mask(MaskEvent.FOUND)
                return self._ask(on=False)
            case MaskState.OPEN:
                return []
            case MaskState.HELD | MaskState.RELEASING:
                return self._ask(on=False, released=self.mask is MaskState.RELEASING)
            case MaskState.ANNOUNCED if masked and restored:
                due, asked = self._deadline, self._ask(on=True)
                self._deadline = due
                return asked
            case MaskState.ANNOUNCED | MaskState.MASKED if masked:
                return []
            case _:
                return self._ask(on=True)

    def _is_newest_answer(self) -> bool:
        """Whether the answer that has come says what is."""
        self._unanswered -= 1
        return not self._ended and not self._unanswered

    def _announcement_answered(self, *, done: bool, now: float) -> list[CallCommand]:
        """Media has masked because of an announcement, or has not: then nobody knows."""
        self._mask(MaskEvent.CONFIRMED_ON if done else MaskEvent.REFUSED)
        if not done:
            return self._ask(on=False)
        self._deadline = now + self.announce_time
        return []

    def _begin_under_announced(self, masking: Masking) -> bool:
        """A capture begins; whether it may at once, under the mask that is on."""
        if self.mask is not MaskState.ANNOUNCED or masking != self.masking:
            self._mask(MaskEvent.WANTED)
            return False
        self._mask(MaskEvent.STARTED)
        self._deadline = None
        return True

    def _went_off(self) -> None:
        self._mask(MaskEvent.CONFIRMED_OFF)
        self.keying, self.dropped, self.announced_by = False, 0, None

    def _off_refused(self, now: float) -> list[CallCommand]:
        """Media did not take the mask off."""
        before = self.mask
        self._mask(MaskEvent.REFUSED)
        if before is MaskState.RELEASING:
            return self._ask(on=False)
        self._deadline = now + self.guard_time
        return []

    def _ask(self, *, on: bool, released: bool = False) -> list[CallCommand]:
        self._unanswered += 1
        self._deadline = None
        self._restored &= not on
        announced = self.mask in (MaskState.ANNOUNCING, MaskState.ANNOUNCED)
        return [
            ToMedia(
                SetMask(
                    session=self.session, on=on, masking=self.masking, released=released, announced=announced
                )
            )
        ]

    def _mask(self, event: MaskEvent) -> None:
        self.mask = step(MASK_TRANSITIONS, self.mask, event)
