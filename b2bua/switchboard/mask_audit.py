"""Writes into the audit log when masks went on and off, and which entry had asked for it."""

from __future__ import annotations

from b2bua.audit.entry import Result
from b2bua.audit.masks import OFF, ON
from b2bua.audit.recorder import Recorder
from b2bua.audit.request import Request, current_request
from b2bua.call.command import NoteMask
from b2bua.call.mask_note import MEDIA, begin_details, mask_off_details
from media.events import MaskWentOff, MaskWentOn, SetMask


class MaskAudit:
    """The log, where there is one."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        # What asked for a call's mask last, and for the end of it.
        self._asked: dict[tuple[str, bool], Request | None] = {}

    def asked(self, command: SetMask) -> None:
        """Media is asked for it now."""
        if self._recorder is not None:
            self._asked[command.session, command.on] = current_request()

    def note(self, call: str, note: NoteMask) -> None:
        """Write what became of the mask of a call."""
        asked = self._asked.get((call, note.on))
        details = note.details | ({"by": asked.by} if asked is not None and asked.by else {})
        result = Result.FAILED if note.failed else Result.NOTED
        self._write(note.who, ON if note.on else OFF, result, call, note.payment, asked, details)

    def note_orphan(self, news: MaskWentOn | MaskWentOff) -> None:
        """Write what became of a mask whose call is not here any more."""
        is_on = isinstance(news, MaskWentOn)
        details = begin_details(news) if isinstance(news, MaskWentOn) else mask_off_details(news)
        self._write(MEDIA, ON if is_on else OFF, Result.NOTED, news.session, "", None, details)

    def forget(self, call: str) -> None:
        """The call is gone."""
        for on in (True, False):
            self._asked.pop((call, on), None)

    def _write(
        self,
        who: str,
        what: str,
        result: Result,
        call: str,
        payment: str,
        asked: Request | None,
        details: dict[str, str | int],
    ) -> None:
        recorder = self._recorder
        if recorder is not None:
            of = asked.number if asked is not None else 0
            recorder.note(
                recorder.entry(who, what, result, of=of, call=call, payment=payment, details=details)
            )
