"""Masks that are to be opened, once no key sounds any more.

Rule 1: a mask is opened when neither an event nor a tone has been there for the command's `guard`.
Rule 2: what sounds for longer than `PATIENCE` is refused: the mask stays on, and b2bua asks again.
Rule 3: whatever else becomes of the session meanwhile, the command is answered once: refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from media.events import AnyAnswer, Refused, SessionId, SetMask

PATIENCE = 5.0  # seconds
_LOOK = 0.05  # seconds between two looks


@dataclass(slots=True)
class _Opening:
    command: SetMask
    answer: Callable[[AnyAnswer], None]
    until: float
    timer: asyncio.TimerHandle | None = None


class Openings:
    """Those that wait, one a session at most. `sounds`: whether a key does; `obey`: open the mask."""

    def __init__(self, sounds: Callable[[SetMask], bool], obey: Callable[[SetMask], AnyAnswer]) -> None:
        self._sounds, self._obey = sounds, obey
        self._waiting: dict[SessionId, _Opening] = {}

    def ask(self, command: SetMask, answer: Callable[[AnyAnswer], None]) -> None:
        """Open the mask, now or once it is quiet; `answer` is called once."""
        opening = _Opening(command, answer, asyncio.get_running_loop().time() + PATIENCE)
        self._waiting[command.session] = opening
        self._look(opening)

    def _look(self, opening: _Opening) -> None:
        loop = asyncio.get_running_loop()
        if not self._sounds(opening.command):
            del self._waiting[opening.command.session]
            opening.answer(self._obey(opening.command))
        elif loop.time() >= opening.until:
            self.give_up(opening.command.session, "a key still sounds")
        else:
            opening.timer = loop.call_later(_LOOK, self._look, opening)

    def give_up(self, session: SessionId, reason: str) -> None:
        """The mask stays on."""
        opening = self._waiting.pop(session, None)
        if opening is not None:
            if opening.timer is not None:
                opening.timer.cancel()
            opening.answer(Refused(serial=opening.command.serial, reason=reason))

    def give_up_all(self, reason: str) -> None:
        for session in tuple(self._waiting):
            self.give_up(session, reason)
