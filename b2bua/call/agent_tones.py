"""Plays short tones to the agent alone: a field is complete, a field was refused, the payment is
approved.

Rule 1: a tone follows from what the agent is shown (`CaptureView`), as it is shown. It stands for a
        state, never for a key.
Rule 2: tones go to the agent's leg alone, over the talk. The customer's keys do not end them.
Rule 3: one tone for one view. A refusal goes before a complete field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from b2bua.call.command import CallCommand, ToMedia
from b2bua.call.view import CaptureStage, CaptureView
from media.events import CaptureForm, Over, PlayPrompt, SessionId, Side
from provider_adapters.payment import Approved

# Plays of a call's guide are below, those of feature codes between.
_FIRST_PLAY: Final = 2_000_000
# Of tones without prompts beside them: they are in no language.
_USUAL_LANGUAGE: Final = "en"
COMPLETE: Final = "tone-complete"
WRONG: Final = "tone-wrong"
DONE: Final = "tone-done"


@dataclass(slots=True)
class AgentTones:
    """The tones of one call."""

    session: SessionId
    _play: int = _FIRST_PLAY  # of the next tone
    _before: CaptureView | None = None

    def follow(self, view: CaptureView | None, form: CaptureForm) -> list[CallCommand]:
        """Play what follows from the payment as it is now, where the form has tones."""
        before, self._before = self._before, view
        if not form.agent_tones or view is None or before is None or view.id != before.id:
            return []
        name = _tone(before, view)
        if not name:
            return []
        self._play += 1
        return [
            ToMedia(
                PlayPrompt(
                    session=self.session,
                    play=self._play - 1,
                    side=Side.AGENT,
                    prompts=(name,),
                    over=Over.DUCK,
                    barge_in=False,
                    language=form.language if form.prompts else _USUAL_LANGUAGE,
                    prompt_set=form.agent_tones,
                )
            )
        ]


def _tone(before: CaptureView, view: CaptureView) -> str:
    """The tone for the step from one view to the next; empty: none."""
    if view.stage is CaptureStage.FINISHED:
        is_new = before.stage is not CaptureStage.FINISHED
        return DONE if is_new and isinstance(view.outcome, Approved) else ""
    if _rejected(view) > _rejected(before):
        return WRONG
    return COMPLETE if _complete(view) - _complete(before) else ""


def _rejected(view: CaptureView) -> int:
    return sum(each.rejected for each in view.fields)


def _complete(view: CaptureView) -> set[str]:
    """The fields that are keyed; one that was skipped is none."""
    return {each.field for each in view.fields if each.complete and not each.skipped}
