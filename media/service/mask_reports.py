"""Tells b2bua of each mask that goes on and off, with what it has kept from the agent.

Rule 1: each mask that is told to have gone on is told to have gone off, once, whatever ends it.
Rule 2: what happens while there is no b2bua is told to the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from media.events import MaskEnd, MaskWentOff, MaskWentOn, SessionId
from media.service.session_protocol import SessionProtocol
from tonewall.log import get_logger

log = get_logger(__name__)
_MAX_WAITING: Final = 10_000  # without a b2bua; then the oldest goes

Report = MaskWentOn | MaskWentOff


class MaskReports:
    """The masks that are on. `hears`: whether there is a b2bua."""

    def __init__(self, tell: Callable[[Report], None], hears: Callable[[], bool]) -> None:
        self._tell, self._hears = tell, hears
        self._since: dict[SessionId, int] = {}  # milliseconds since the epoch
        self._doubtful: set[SessionId] = set()
        self._waiting: deque[Report] = deque(maxlen=_MAX_WAITING)

    def went_on(self, session: SessionProtocol) -> None:
        """The session is masked, or still is."""
        if session.id not in self._since:
            self._since[session.id] = since = session.mask_span().since
            self._say(MaskWentOn(session=session.id, since=since))

    def doubt(self, session: SessionProtocol) -> None:
        """The mask is not confirmed at present."""
        if session.id in self._since:
            self._doubtful.add(session.id)

    def went_off(self, session: SessionProtocol, why: MaskEnd) -> None:
        """The mask is off, or goes with its session, which is still open."""
        since = self._since.pop(session.id, None)
        doubtful = session.id in self._doubtful
        self._doubtful.discard(session.id)
        if since is None:
            return
        try:
            span = session.mask_span()
        except (KeyError, RuntimeError) as error:  # else it could not be closed
            log.error("mask_not_counted", call=session.id, exc_info=error)
            return
        self._say(
            MaskWentOff(
                session=session.id,
                since=since,
                until=span.until,
                why=why,
                tally=span.tally,
                doubtful=doubtful,
            )
        )

    def tell_waiting(self) -> None:
        """There is a b2bua again."""
        while self._waiting and self._hears():
            self._tell(self._waiting.popleft())

    def _say(self, report: Report) -> None:
        if self._hears():
            self._tell(report)
        else:
            self._waiting.append(report)
