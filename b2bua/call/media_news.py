"""What media reports of a call's session without being asked, and what follows."""

from __future__ import annotations

from abc import ABC, abstractmethod

from b2bua.call.bridge import Bridge
from b2bua.call.command import CallCommand, FeatureCode, NoteMask
from b2bua.call.guide import Guide
from b2bua.call.mask_note import MaskNotes
from b2bua.call.mid_call_requests import MidCallRequests
from b2bua.call.payment import Payment
from b2bua.call.report import CallReport
from b2bua.call.unattended import Unattended
from media.events import (
    AnyNews,
    CaptureChanged,
    CaptureWished,
    CodeKeyed,
    KeyingChanged,
    KeysPassed,
    LineChanged,
    MaskWentOff,
    MaskWentOn,
    PromptEnded,
    SessionSilent,
)


class MediaNews(ABC):
    """The news of one call, which has the parts below."""

    __slots__ = ()

    bridge: Bridge
    payment: Payment
    report: CallReport
    guide: Guide
    unattended: Unattended
    mid_call_requests: MidCallRequests
    mask_notes: MaskNotes

    @abstractmethod
    def _finish(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """The commands, and whatever follows from the new state."""

    def media_news(self, news: AnyNews, now: float) -> list[CallCommand]:
        """Take an event of the media session."""
        if isinstance(news, CaptureChanged):
            return self._finish(self.payment.changed(news), now)
        if isinstance(news, CaptureWished):
            return self._finish(self.unattended.wished(news.capture, news.wish, now), now)
        if isinstance(news, KeyingChanged):
            self.payment.keying_changed(news)
            return self._finish([], now)
        if isinstance(news, KeysPassed):
            self.report.keys_passed_at = now
            return self._finish([], now)
        if isinstance(news, MaskWentOn | MaskWentOff):
            return self._finish([*self._mask_notes(news)], now)
        if isinstance(news, CodeKeyed):
            return self._finish([FeatureCode(news.code)], now)
        if isinstance(news, LineChanged):
            self.report.deaf = news.deaf
            return self._finish([], now)
        if isinstance(news, PromptEnded):
            self.guide.ended(news)
            return self._finish([], now)
        if isinstance(news, SessionSilent):
            return self._finish(self.bridge.media_silent(), now)
        return self._finish(self.bridge.media_lost(), now)

    def _mask_notes(self, news: MaskWentOn | MaskWentOff) -> list[NoteMask]:
        infos = self.mid_call_requests.withheld
        if isinstance(news, MaskWentOn):
            return self.mask_notes.went_on(news, self.payment, infos)
        return [self.mask_notes.went_off(news, self.payment, infos)]
