"""Says for the audit log when a mask went on and off, why, at whose request, and what it kept from
the agent.

Rule 1: times and counts are media's; what media cannot say is said to be unknown.
Rule 2: nothing in it depends on which keys they were.
Rule 3: a mask that goes on in another media process is one mask; of its keys those are known that
        the newest process counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from b2bua.call.command import NoteMask
from b2bua.call.payment import Payment
from b2bua.call.state import MaskState
from b2bua.call.unattended_view import UNATTENDED
from media.events import Done, MaskEnd, MaskTally, MaskWentOff, MaskWentOn, Refused, SetMask

Details = dict[str, str | int]
TONEWALL: Final = "tonewall"  # nobody has asked
MEDIA: Final = "media"  # where it is decided when a mask goes off
_UNKNOWN: Final = "unknown: the media process was lost, or did not answer"
_NOT_COUNTED: Final = "not counted by the media engine"
_KEYS_SINCE: Final = "since a media process was lost; those before are unknown"


class MaskBegin(StrEnum):
    """Why a mask went on."""

    PAYMENT = "payment"  # an agent has started one
    FORM = "form"  # so has a form without an agent
    ANNOUNCED = "announced"  # an agent is to start one
    ANSWERED = "answered"  # the call was answered, and its trunk wants that
    RECOVERED = "recovered"  # media knows of one that nobody asks for, or cannot know that it is off


@dataclass(slots=True)
class MaskNotes:
    """What is noted of the masks of one call. `since`: of the one that is on, in milliseconds since
    the epoch. `before`: the payment that was over when it was asked for; `infos`: how many SIP
    INFOs had been withheld; `outlived`: a media process was lost under it."""

    begin: MaskBegin = MaskBegin.PAYMENT
    who: str = TONEWALL
    released_by: str = ""
    since: int | None = None
    before: str = ""
    infos: int = 0
    outlived: bool = False

    def asked(self, command: SetMask, payment: Payment) -> None:
        """Media is asked to mask, or no longer to."""
        if not command.on:
            return
        self.released_by = ""
        view = payment.view
        if payment.mask is MaskState.ANNOUNCING:
            self.who = payment.announced_by or TONEWALL
            self.begin = MaskBegin.ANNOUNCED if payment.announced_by else MaskBegin.ANSWERED
            self.before = view.id if view is not None else ""
        elif view is not None:
            self.who = view.agent or TONEWALL
            self.begin = MaskBegin.FORM if view.agent == UNATTENDED else MaskBegin.PAYMENT
            self.before = ""

    def refused(self, command: SetMask, answer: Done | Refused, payment: Payment) -> list[NoteMask]:
        """Media's answer, where it did not mask."""
        if not command.on or not isinstance(answer, Refused):
            return []
        details: Details = {"reason": self.begin.value, "why": answer.reason[:200]}
        paid = self._payment(payment)
        return [NoteMask(on=True, who=self.who, payment=paid, failed=True, details=details)]

    def went_on(self, news: MaskWentOn, payment: Payment, infos: int) -> list[NoteMask]:
        """`infos`: how many SIP INFOs are withheld by now."""
        if news.since == self.since:
            self.outlived = True
            return []
        lost = self.media_lost(payment)  # another mask, of which this process knows nothing
        self.since, self.infos, self.outlived = news.since, infos, False
        if payment.mask is MaskState.OPEN:
            self.who, self.begin, self.released_by = TONEWALL, MaskBegin.RECOVERED, ""
            self.before = payment.view.id if payment.view is not None else ""
        details = begin_details(news) | {"reason": self.begin.value}
        begun = NoteMask(on=True, who=self.who, payment=self._payment(payment), details=details)
        return [*lost, begun]

    def went_off(self, news: MaskWentOff, payment: Payment, infos: int) -> NoteMask:
        """`infos`: as for `went_on`."""
        self.since = None
        who = self.released_by or self.who if news.why is MaskEnd.RELEASED else MEDIA
        details = mask_off_details(news) | {"infos": infos - self.infos}
        if self.outlived and news.tally is not None:
            details["keys_counted"] = _KEYS_SINCE
        return NoteMask(on=False, who=who, payment=self._payment(payment), details=details)

    def media_lost(self, payment: Payment) -> list[NoteMask]:
        """The mask that was on is gone with whatever it counted."""
        if self.since is None:
            return []
        details: Details = {
            "reason": "media_lost",
            "since": wall_time(self.since),
            "counts": _UNKNOWN,
        }
        self.since = None
        return [NoteMask(on=False, who=TONEWALL, payment=self._payment(payment), details=details)]

    def _payment(self, payment: Payment) -> str:
        view = payment.view
        return view.id if view is not None and view.id != self.before else ""


def begin_details(news: MaskWentOn) -> Details:
    """What media says of a mask that is on."""
    return {"since": wall_time(news.since)}


def mask_off_details(news: MaskWentOff) -> Details:
    """What media says of a mask that is off."""
    details: Details = {
        "reason": news.why.value,
        "since": wall_time(news.since),
        "until": wall_time(news.until),
    }
    if news.doubtful:
        details["confirmed"] = "not all the time"
    if news.tally is None:
        return details | {"counts": _NOT_COUNTED}
    return details | _counts(news.tally)


def _counts(tally: MaskTally) -> Details:
    return {"keys": tally.keys, **msgspec.structs.asdict(tally)}


def wall_time(milliseconds: int) -> str:
    """RFC 3339, UTC, in milliseconds."""
    text = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
