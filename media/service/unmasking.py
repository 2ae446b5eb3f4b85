"""When a mask goes off: decided here, where keys are seen, whatever b2bua says.

Rule 1: a mask goes off when its capture was approved, or somebody says that keying is over, and no
        key has come for `guard_time`.
Rule 2: after every other end it goes off when no key has come for `release_time`.
Rule 3: a key takes back what was said: who says that keying is over while the customer keys, or
        before the next key, is refused.
Rule 4: while a capture runs no mask goes off.
Rule 5: a command is answered once. What comes between, or a lost b2bua, refuses it, and the mask
        stays on.
Rule 6: keys by SIP INFO are not known while b2bua is away. Once the next one has claimed the
        session, the mask waits anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from media.events import AnyAnswer, KeyingChanged, MaskEnd, Refused, SessionId, SetMask
from media.service.session_protocol import KeyFigures, SessionProtocol
from media.settings import MaskTimes

# Seconds after a key for which the customer counts as keying; pauses between groups are shorter.
KEYING_TIME = 2.0
_LOOK = 0.1  # seconds between two looks
_KEYING = "The customer is still keying; nothing reaches you. Ask the customer to stop."
_LONG_AGO = float("-inf")

Answer = Callable[[AnyAnswer], None]


@dataclass(slots=True)
class _Mask:
    """One mask that is on. `since`: when it went on, its capture ended, or its session was
    claimed."""

    session: SessionId
    since: float
    approved: bool = False
    last_key: float = _LONG_AGO
    keying: bool = False  # as last reported
    keys: int = 0  # so many, as well
    before: KeyFigures = field(default_factory=KeyFigures)  # when the count began
    info_keys: int = 0  # since then
    command: SetMask | None = None  # to take it off
    answer: Answer | None = None
    asked_at: float = _LONG_AGO
    timer: asyncio.TimerHandle | None = None


class Unmasking:
    """The masks that are on. `find`: the session; `runs`: whether a capture runs in it; `take_off`:
    carry the command out."""

    def __init__(
        self,
        times: MaskTimes,
        *,
        find: Callable[[SessionId], SessionProtocol | None],
        runs: Callable[[SessionId], bool],
        take_off: Callable[[SetMask, Answer], None],
        tell: Callable[[KeyingChanged], None],
    ) -> None:
        self._times = times
        self._find, self._runs, self._take_off, self._tell = find, runs, take_off, tell
        self._masks: dict[SessionId, _Mask] = {}
        self._keying_time = max(KEYING_TIME, times.guard_time)

    # --- what happens to a mask -------------------------------------------------------------------

    def went_on(self, session: SessionId, *, announced: bool = False) -> None:
        """The mask went on, or stays on for another capture. `announced`: before there is one, so
        its keys are reported."""
        mask = self._of(session)
        mask.since, mask.approved = _now(), False
        if announced:
            self._count_from_now(mask)
            self._look_at_mask(mask)

    def capture_over(self, session: SessionId, approved: bool) -> None:
        """A capture has ended: from now on the mask waits as long as its end asks."""
        if self._find(session) is None:
            return
        mask = self._of(session)
        mask.since, mask.approved = _now(), approved
        self._count_from_now(mask)
        if not _is_quiet(self._find(session), self._keying_time):
            mask.last_key = mask.since
        self._look_at_mask(mask)

    def key_came(self, session: SessionId) -> None:
        """A key came where the media thread does not see it."""
        mask = self._masks.get(session)
        if mask is not None:
            mask.last_key = _now()
            mask.info_keys += 1

    def claimed(self, session: SessionId) -> None:
        """Another b2bua goes on with the session."""
        mask = self._masks.get(session)
        if mask is not None:
            mask.since = _now()

    def unmasked(self, command: SetMask) -> MaskEnd:
        """The mask went off by this command; why."""
        mask = self._masks.get(command.session)
        self.went_off(command.session)
        if command.released:
            return MaskEnd.RELEASED
        return MaskEnd.APPROVED if mask is not None and mask.approved else MaskEnd.QUIET

    def went_off(self, session: SessionId) -> None:
        """The mask is off, or its session is gone."""
        self.give_up(session, "the session is over")
        mask = self._masks.pop(session, None)
        if mask is not None and mask.timer is not None:
            mask.timer.cancel()

    # --- commands ---------------------------------------------------------------------------------

    def ask_to_unmask(self, command: SetMask, answer: Answer) -> None:
        """Take the mask off as soon as the rules allow it; `answer` is called once."""
        if self._runs(command.session):
            answer(Refused(serial=command.serial, reason="a capture is under way in this session"))
            return
        if self._find(command.session) is None:
            self._take_off(command, answer)
            return
        mask = self._of(command.session)
        mask.command, mask.answer, mask.asked_at = command, answer, _now()
        self._look_at_mask(mask)

    def give_up(self, session: SessionId, reason: str) -> None:
        """The mask stays on."""
        mask = self._masks.get(session)
        if mask is not None and mask.command is not None and mask.answer is not None:
            command, answer = mask.command, mask.answer
            mask.command = mask.answer = None
            answer(Refused(serial=command.serial, reason=reason))

    def give_up_all(self, reason: str) -> None:
        """Refuse every request that waits, for this reason."""
        for session in tuple(self._masks):
            self.give_up(session, reason)

    # --- inside -----------------------------------------------------------------------------------

    def _of(self, session: SessionId) -> _Mask:
        return self._masks.setdefault(session, _Mask(session, _now()))

    def _look_at_mask(self, mask: _Mask) -> None:
        if mask.timer is not None:
            mask.timer.cancel()
            mask.timer = None
        session = self._find(mask.session)
        if self._runs(mask.session):
            self._report_keys(mask, False, mask.keys)  # from now on they are the capture's
            return
        now = _now()
        if not _is_quiet(session, 2 * _LOOK):
            mask.last_key = now
        self._report_keys(mask, now - mask.last_key < self._keying_time, self._count_keys(mask))
        mask.timer = asyncio.get_running_loop().call_later(_LOOK, self._look_at_mask, mask)
        if mask.command is None or mask.answer is None:
            return
        if mask.command.released and (mask.keying or not _is_quiet(session, now - mask.asked_at)):
            self.give_up(mask.session, _KEYING)
        elif self._may_go_off(mask, session, now):
            command, answer = mask.command, mask.answer
            mask.command = mask.answer = None
            self._take_off(command, answer)

    def _may_go_off(self, mask: _Mask, session: SessionProtocol | None, now: float) -> bool:
        released = mask.command is not None and mask.command.released
        wait = self._times.guard_time if released or mask.approved else self._times.release_time
        last = max(mask.since, mask.last_key, mask.asked_at if released else mask.since)
        return now - last >= wait and _is_quiet(session, wait)

    def _count_from_now(self, mask: _Mask) -> None:
        session = self._find(mask.session)
        mask.before = KeyFigures() if session is None else session.key_figures()
        mask.info_keys = 0

    def _count_keys(self, mask: _Mask) -> int:
        session = self._find(mask.session)
        presses = mask.before.presses if session is None else session.key_figures().presses
        return presses - mask.before.presses + mask.info_keys

    def _report_keys(self, mask: _Mask, keying: bool, keys: int) -> None:
        if (keying, keys) != (mask.keying, mask.keys):
            mask.keying, mask.keys = keying, keys
            self._tell(KeyingChanged(session=mask.session, keying=keying, keys=keys))


def _is_quiet(session: SessionProtocol | None, seconds: float) -> bool:
    return session is None or session.is_quiet(seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
