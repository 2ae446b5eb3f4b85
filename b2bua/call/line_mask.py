"""The mask of a call as b2bua knows it: asked for, confirmed, and asked to go off.

Rule 1: a mask whose answer is outstanding counts as on.
Rule 2: only the answer to the newest command counts.
Rule 3: what media refuses is asked for again after `guard_time`.
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
    refused. `masking`: of the newest capture. `keying`: the customer keys under a mask whose
    capture is over."""

    session: SessionId
    guard_time: float = 1.0
    masking: Masking = field(default_factory=Masking)
    mask: MaskState = MaskState.OPEN
    keying: bool = False
    _ended: bool = False  # the mask went with the session, and nothing can be keyed any more
    # How many SetMask media has not answered; only the answer to the newest says what is.
    _unanswered: int = 0
    _deadline: float | None = None

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
        """Ask again for what media refused."""
        if self._deadline is None or now < self._deadline or self.mask is not MaskState.HELD:
            return []
        return self._ask(on=False)

    def keying_changed(self, news: KeyingChanged) -> None:
        """The customer keys under a mask whose capture is over, or keys no longer."""
        self.keying = news.keying and self.masked

    def _is_newest_answer(self) -> bool:
        """Whether the answer that has come says what is."""
        self._unanswered -= 1
        return not self._ended and not self._unanswered

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
        return [ToMedia(SetMask(session=self.session, on=on, masking=self.masking, released=released))]

    def _mask(self, event: MaskEvent) -> None:
        self.mask = step(MASK_TRANSITIONS, self.mask, event)
