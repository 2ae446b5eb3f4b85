"""A customer who keys into a capture, in time: what is pressed, when, and every alarm of the
capture between."""

from __future__ import annotations

import re
from datetime import date

from media._core import SecretMemory
from media.capture.capture import Capture
from media.capture.form import Form
from media.capture.form_rules import CARD
from media.capture.messages import Limits
from media.capture.vault import SIZE
from media.events import CaptureChanged, CaptureId

TODAY = date(2026, 11, 30)
_ALIGNMENT = 16  # bytes: where a field may begin in the vault


class Customer:
    """Keys into a capture of its own. `cadence`: seconds from one key to the next."""

    def __init__(self, *, cadence: float = 0.3, limits: Limits | None = None, form: Form = CARD) -> None:
        self.now = 100.0
        self.cadence = cadence
        self.memory = SecretMemory(SIZE)
        self.capture = Capture(
            CaptureId("c"), self.memory, today=TODAY, now=self.now, limits=limits, form=form
        )
        self._form = form
        self.changes: list[CaptureChanged] = []

    def keys(self, script: str) -> Customer:
        """Press what the script says: keys, spaces that mean nothing, and `(4 s)` for a pause
        before the next key."""
        for word in re.findall(r"\([\d.]+ s\)|[0-9*#]", script):
            if word.startswith("("):
                self.wait(float(word[1:-3]) - self.cadence)
                continue
            self._press(word)
            self.wait(self.cadence)
        return self

    def wait(self, seconds: float) -> Customer:
        """Let time pass, with the alarms that fall into it."""
        until = self.now + seconds
        while (due := self.capture.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.changes += self.capture.expire(self.now)
        self.now = until
        return self

    def _press(self, key: str) -> None:
        def fill(memory: SecretMemory, offset: int) -> int:
            with memoryview(memory) as view:
                view[offset] = ord(key)
            return 1

        self.changes += self.capture.keys_waiting(fill, self.now)

    @property
    def held(self) -> tuple[str, ...]:
        """What the vault holds, field by field; for tests alone, with cards that are none."""
        held, at = [], 0
        with memoryview(self.memory) as view:
            for progress, rules in zip(self.capture.changed().fields, self._form.rules, strict=True):
                held.append(bytes(view[at : at + progress.count]).decode())
                at += -(-rules.max_length // _ALIGNMENT) * _ALIGNMENT
        return tuple(held)

    @property
    def warned(self) -> bool:
        """Whether the agent could read that something keyed does not count."""
        return any(
            progress.rejected or progress.ignored for change in self.changes for progress in change.fields
        )
