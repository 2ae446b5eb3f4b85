"""Whether another media process could go on now, and what is in its way.

Rule 1: nobody's keying is interrupted: digits are in this process alone.
Rule 2: a session that the next process could not restore keeps this one.
"""

from __future__ import annotations

import os

from media.events import SessionId
from media.kept_streams import HandOverRefused, encode
from media.service.capture_driver import CaptureDriver
from media.service.payers import Payers
from media.service.relayed_session import RelayedSession
from media.service.session_protocol import SessionProtocol
from tonewall.log import get_logger
from tonewall.turn import HANDED_OVER

log = get_logger(__name__)


class HandingOver:
    """The part of the service that concerns the next process."""

    _captures: CaptureDriver
    _payers: Payers
    _sessions: dict[SessionId, SessionProtocol]

    def hand_over(self) -> None:
        """End this process as it is: its sockets are kept, and what it knows of them. Where
        something is in the way, say so to the supervisor. Raises OSError where it has ended."""
        left = sum(
            not isinstance(each, RelayedSession) or not each.is_kept for each in self._sessions.values()
        )
        if self._captures or left or self._payers.unsent:
            refused = HandOverRefused(captures=len(self._captures), sessions=left)
            self._payers.tell_supervisor(encode(refused))
            return
        log.info("sessions_handed_over", sessions=len(self._sessions))
        # In order it would close every stream, and the copies of its sockets with it.
        os._exit(HANDED_OVER)
