"""A call whose session goes on in another media process, or which goes on in another b2bua: what
media has of it meets what the call knows.

Rule 1: fail closed: a mask that one of the two knows of is on. A mask that was to go off is asked
        for again.
Rule 2: what a leg waits for from media is asked for again: nobody knows whether it was.
Rule 3: what the customer had keyed is wiped where either process is lost. The payment ends with a
        sentence, unless it is being charged: then its outcome is asked for.
Rule 4: a command whose answer was lost has an end: it is refused to whoever waits, or what it asked
        for is part of the claim, or asked for again after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from b2bua.call.bridge import Bridge
from b2bua.call.call_session import CallSession
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.guide import Guide
from b2bua.call.mask_note import MaskNotes
from b2bua.call.media_gate import MediaGate
from b2bua.call.payment import Payment
from b2bua.call.report import CallReport
from b2bua.call.state import BridgeState
from media.events import CloseSession, SessionClaimed

_OPENS = (BridgeState.OPENING, BridgeState.OFFERED)


class TakenUp(ABC):
    """The part of a call that concerns its next process, and media's."""

    __slots__ = ()

    bridge: Bridge
    payment: Payment
    report: CallReport
    guide: Guide
    media_gate: MediaGate
    mask_notes: MaskNotes
    session: CallSession

    @abstractmethod
    def _finish(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """The commands, and whatever follows from the new state."""

    @abstractmethod
    def _finish_exchange(
        self, commands: list[CallCommand], now: float, released: Sequence[ToLeg] = ()
    ) -> list[CallCommand]:
        """As `_finish`, after an event that may have ended an offer/answer exchange."""

    @abstractmethod
    def _released(self, commands: list[ToLeg], now: float) -> list[ToLeg]:
        """Note that these commands, which waited for media, are sent now."""

    def await_media(self, now: float) -> list[CallCommand]:
        """The call is another b2bua's from now on: its session is to be claimed."""
        if self.session.closed or not self.bridge.opened:
            return []
        self.session.lose(now)
        return self._finish([], now)

    def media_away(self, now: float) -> list[CallCommand]:
        """The connection to media broke: the call goes on without, until its session is claimed. A
        call whose session was being opened ends."""
        if self.session.closed or not self.bridge.opened:
            return []
        if self.bridge.state in _OPENS:
            return self.media_lost(now)
        self.session.lose(now)
        self.report.deaf = None
        return self._finish(self.payment.media_away(), now)

    def claim(self) -> list[CallCommand]:
        """Claim the session from media, where it is to be claimed."""
        if not self.session.away:
            return []
        self.session.claim_sent()
        masking = self.payment.masking if self.payment.masked else None
        return [ToMedia(self.bridge.claim_session(masking))]

    def claimed(self, found: SessionClaimed, now: float) -> list[CallCommand]:
        """Media has its session, as it says."""
        stale = self.session.settle()
        if self.bridge.state is BridgeState.ENDED:
            return self._finish([ToMedia(CloseSession(session=self.bridge.session))], now)
        # Media's word on more m-lines was lost with a b2bua.
        opened = self.bridge.renegotiation.streams_not_opened()
        asked = [*self.payment.claimed(found), *opened]
        if found.restored and not found.masked:  # one that was on went off as media was lost
            asked += self.mask_notes.media_lost(self.payment)
        if found.restored and not stale:
            waited = self.media_gate.remote_set(self.media_gate.newest)
            return self._finish_exchange(asked, now, self._released(waited, now))
        remotes: list[CallCommand] = []
        if stale or self.media_gate.waiting:
            mark = self.media_gate.waiting[-1].mark if self.media_gate.waiting else 0
            remotes = [ToMedia(msgspec.structs.replace(each, mark=mark)) for each in self.bridge.remotes()]
        return self._finish_exchange([*remotes, *asked], now)

    def media_lost(self, now: float) -> list[CallCommand]:
        """End the call: no media process has its session any more."""
        self.session.settle()
        self.payment.media_lost()
        self.session.closed = True
        lost = self.mask_notes.media_lost(self.payment)
        return self._finish([*self.bridge.media_lost(), *lost], now)

    def give_up(self, now: float) -> list[CallCommand]:
        """End the call, which waits for what media was asked for by a process that is gone."""
        return self._finish(self.bridge.give_up(), now)
