"""A run of keys: those between which no pause was. What follows at once on a field may be a slip, a
bounce or the next field.

Rule 1: a run ends when `field_pause` has passed without a key.
Rule 2: after a refused field, keys are drained until `refusal_pause` has passed without one, or `*`
        is keyed.
Rule 3: time is a parameter, in seconds of any steady clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.capture.messages import Limits
from media.events import FieldName


@dataclass(slots=True)
class KeyRun:
    """The run of the newest key.

    `ended`: the first field that ended by itself in it; what came behind is on trial until the run
    ends. `proven`: the last of the fields, `ended` and those behind it, that a check digit proves
    one and all. `full`: the last field has all its digits.
    """

    limits: Limits
    digits: int = 0  # keyed one after the other in this run
    ended: FieldName | None = None
    proven: FieldName | None = None
    full: bool = False
    starred: bool = False  # the newest key was `*`
    _last_key: float | None = None
    _drains: float | None = None  # the pause that ends the draining

    def goes_on(self, now: float) -> bool:
        """Whether a key now would follow at once on the newest."""
        return self._within(self.limits.field_pause, now)

    def drains(self, now: float) -> bool:
        """Whether a digit now is left over from what was refused."""
        return self._drains is not None and self._within(self._drains, now)

    def deadline(self) -> float | None:
        """When the run ends, where something waits for that."""
        if self._last_key is None or not (self.ended or self.full):
            return None
        return self._last_key + self.limits.field_pause

    def add_key(self, now: float, *, digit: bool = False, star: bool = False) -> None:
        """A key was pressed. Call it once for each, behind all questions about it."""
        follows = self.goes_on(now)
        if self._drains is not None and not self.drains(now):
            self._drains = None
        self.digits = (self.digits if follows else 0) + 1 if digit else 0
        self.starred = star
        self._last_key = now

    def drain(self, pause: float) -> None:
        """Let keys that follow at once be left over, until `pause` passes without one."""
        self.settle()
        self._drains = pause

    def end_field(self, field: FieldName, *, is_proven: bool) -> None:
        """A field ended by itself. `is_proven`: its check digit says that no digit is too many."""
        if is_proven and (self.ended is None or self.proven is not None):
            self.proven = field
        self.ended = self.ended or field

    def settle(self) -> None:
        """Nothing of this run is on trial any more, and nothing drains."""
        self.ended, self.proven, self.full = None, None, False
        self._drains = None

    def _within(self, pause: float, now: float) -> bool:
        return self._last_key is not None and now < self._last_key + pause
