"""Raises an alarm while many wrong tries to sign in come.

Rule 1: lines of the log and of the audit log are bounded: of each name the 1st, 2nd, 4th, 8th … try
        of an hour has one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from b2bua.call.service_view import Fault
from tonewall.log import get_logger

log = get_logger(__name__)
MANY: Final = 20  # wrong tries in WINDOW
WINDOW: Final = 60.0  # seconds
_HOUR: Final = 3600.0
_MOST_NAMES: Final = 1000


class SignInAlarm:
    """Wrong tries of late. `now`: seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._late: deque[float] = deque(maxlen=MANY)  # the last ones
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()  # and when the first one came
        self._to_note: deque[tuple[str, str, int]] = deque(maxlen=_MOST_NAMES)

    def count(self, name: str, source: str) -> None:
        """A wrong try came. `name`: as it may stand in logs."""
        now = self._now()
        self._late.append(now)
        count, since = self._counts.pop(name, (0, now))
        count, since = (1, now) if now - since > _HOUR else (count + 1, since)
        self._counts[name] = count, since
        if len(self._counts) > _MOST_NAMES:
            self._counts.popitem(last=False)
        if count & (count - 1) == 0:
            log.warning("sign_in_refused", agent=name, peer=source, count=count)
            self._to_note.append((name, source, count))

    def take_notes(self) -> list[tuple[str, str, int]]:
        """Name, source and count of tries that the audit log has not got yet."""
        notes = list(self._to_note)
        self._to_note.clear()
        return notes

    def fault(self) -> Fault | None:
        """That many come now, where it is so."""
        if len(self._late) < MANY or self._now() - self._late[0] > WINDOW:
            return None
        says = (
            f"{MANY} or more wrong tries to sign in came within a minute. The log says for whom, from where."
        )
        return Fault(what="sign_ins", says=says, stops=None)
