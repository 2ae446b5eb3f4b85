"""Calls the places where a call goes on from a form, one after another.

Rule 1: a place is invited by a transfer, so that mask, media and caller go on as they are.
Rule 2: the customer hears the outcome before a place is invited, and goodbye where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from b2bua.call.bridge import Bridge
from b2bua.call.command import CallCommand
from b2bua.call.guide import Guide
from b2bua.call.payment import Payment
from b2bua.call.routing.form_end import Destination, FormEnd
from b2bua.call.state import BridgeState, step
from b2bua.call.transfer.transfer import Transfer
from b2bua.call.unattended_states import STEP_TRANSITIONS, Step, StepEvent
from media.events import Side

LONGEST_PROMPT = 15.0  # seconds that the end of a prompt is waited for


class _Place(StrEnum):
    """Which place is invited."""

    NONE = "none"
    INVITED = "invited"


@dataclass(slots=True)
class NextPlaces:
    """Those of one call, which has the parts below. `ends`: of the newest form."""

    bridge: Bridge
    payment: Payment
    transfer: Transfer
    guide: Guide
    ends: FormEnd | None = None
    step: Step = Step.NONE
    _said_goodbye: bool = False
    _places: list[Destination] = field(default_factory=list)
    _place: _Place = _Place.NONE
    _deadline: float | None = None

    def _forget_places(self) -> None:
        """A form begins."""
        self._places, self._place, self._deadline = [], _Place.NONE, None
        self._said_goodbye = False

    def _choose_places(self, first: Destination | None) -> None:
        assert self.ends is not None
        self._places = [each for each in (first, self.ends.otherwise) if each is not None]

    def _go_on(self, now: float) -> list[CallCommand] | None:
        if self.transfer.active or self.bridge.state is not BridgeState.UP:
            return None
        if self._place is _Place.INVITED:
            self._place = _Place.NONE
            if self.transfer.result == 200:
                self._move(StepEvent.SEATED)
                return self.guide.stop()
            self._move(StepEvent.PLACE_FAILED)
            return []
        if not self._places:
            if not self._said_goodbye:
                self._said_goodbye, self._deadline = True, now + LONGEST_PROMPT
                return self._say("goodbye")
            if self._is_speaking(now):
                return None
            self._move(StepEvent.NO_PLACE)
            return self.bridge.leg_gone(Side.AGENT, "form over")
        self._place = _Place.INVITED
        invite = self.transfer.go_on(Side.AGENT, self._places.pop(0), now)
        return [*self._say("transfer"), *invite]

    # --- inside -----------------------------------------------------------------------------------

    def _say(self, name: str) -> list[CallCommand]:
        form = self.payment.form
        return self.guide.say((name,), form) if form.prompts else []

    def _is_speaking(self, now: float) -> bool:
        """Whether the customer still hears what was said last."""
        return bool(self.guide.playing) and self._deadline is not None and now < self._deadline

    def _move(self, event: StepEvent) -> None:
        self.step = step(STEP_TRANSITIONS, self.step, event)
