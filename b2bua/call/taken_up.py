"""A call that goes on in another process: what media has of it meets what the call knows.

Rule 1: fail closed: a mask that one of the two knows of is on. A mask that was to go off is asked
        for again.
Rule 2: what a leg waits for from media is asked for again: nobody knows whether it was.
Rule 3: what the customer had keyed is wiped where b2bua is lost. The payment ends with a sentence,
        unless it is being charged: then its outcome is asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from b2bua.call.bridge import Bridge
from b2bua.call.command import CallCommand, ToMedia
from b2bua.call.media_gate import MediaGate
from b2bua.call.payment import Payment
from b2bua.call.state import BridgeState
from media.events import CloseSession, SessionClaimed


class TakenUp(ABC):
    """The part of a call that concerns its next process."""

    __slots__ = ()

    bridge: Bridge
    payment: Payment
    media_gate: MediaGate

    @abstractmethod
    def _finish(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """The commands, and whatever follows from the new state."""

    def claimed(self, found: SessionClaimed, now: float) -> list[CallCommand]:
        """Media has its session, as it says."""
        if self.bridge.state is BridgeState.ENDED:
            return self._finish([ToMedia(CloseSession(session=self.bridge.session))], now)
        commands: list[CallCommand] = []
        if self.media_gate.waiting:
            mark = self.media_gate.waiting[-1].mark
            commands = [ToMedia(msgspec.structs.replace(each, mark=mark)) for each in self.bridge.remotes()]
        return self._finish([*commands, *self.payment.claimed(found)], now)

    def give_up(self, now: float) -> list[CallCommand]:
        """End the call, which waits for what media was asked for by a process that is gone."""
        return self._finish(self.bridge.give_up(), now)
