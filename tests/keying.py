"""A customer who keys into a capture, in time: what is pressed, when, and every alarm of the
capture between."""

from __future__ import annotations

import re

from media._core import SecretMemory
from media.capture.capture import Capture
from media.capture.messages import Limits
from media.capture.vault import SIZE
from media.events import CaptureChanged, CaptureId, Field

TODAY = (2026, 11)
_AREAS = {Field.CARD_NUMBER: 0, Field.EXPIRY: 32, Field.SECURITY_CODE: 48}


class Customer:
    """Keys into a capture of its own. `cadence`: seconds from one key to the next."""

    def __init__(self, *, cadence: float = 0.3, limits: Limits | None = None) -> None:
        self.now = 100.0
        self.cadence = cadence
        self.memory = SecretMemory(SIZE)
        self.capture = Capture(CaptureId("c"), self.memory, today=TODAY, now=self.now, limits=limits)
        self.told: list[CaptureChanged] = []

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
            self.told += self.capture.expire(self.now)
        self.now = until
        return self

    def _press(self, key: str) -> None:
        def fill(memory: SecretMemory, offset: int) -> int:
            with memoryview(memory) as view:
                view[offset] = ord(key)
            return 1

        self.told += self.capture.keys_waiting(fill, self.now)

    @property
    def held(self) -> tuple[str, str, str]:
        """What the vault holds; for tests alone, with cards that are none."""
        with memoryview(self.memory) as view:
            number, expiry, code = (
                bytes(view[_AREAS[progress.field] : _AREAS[progress.field] + progress.count]).decode()
                for progress in self.capture.changed().fields
            )
        return number, expiry, code

    @property
    def warned(self) -> bool:
        """Whether the agent was told that something keyed does not count."""
        return any(
            progress.rejected or progress.ignored for change in self.told for progress in change.fields
        )
