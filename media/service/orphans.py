"""Sessions whose b2bua is gone: what is relayed goes on until one of its sides falls silent.

Rule 1: a session that cannot be looked at keeps no other from its end, and is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from media.events import SessionId, Side
from media.service.relayed_session import RelayedSession
from media.service.session_protocol import SessionProtocol
from tonewall.log import get_logger

log = get_logger(__name__)


class Orphans:
    """Those that nobody commands any more, and how many packets each of their legs had sent at the
    last look."""

    def __init__(self) -> None:
        self._left: dict[SessionId, dict[Side, int]] = {}

    def add(self, sessions: Iterable[SessionProtocol]) -> None:
        """Their b2bua was lost."""
        for session in sessions:
            self._left.setdefault(session.id, _packets_by_leg(session) or {})

    def silent(self, find: Callable[[SessionId], SessionProtocol | None]) -> list[SessionId]:
        """Of which a leg that spoke has sent nothing since the last look, or neither ever did; they
        are forgotten."""
        quiet = []
        for session_id, before in tuple(self._left.items()):
            session = find(session_id)
            if session is None:
                del self._left[session_id]
                continue
            received = _packets_by_leg(session)
            if received is None or received.keys() != before.keys():
                self._left[session_id] = received or before
                continue
            spoke = [side for side, count in before.items() if count] or list(before)
            if any(received[side] == before[side] for side in spoke):
                del self._left[session_id]
                quiet.append(session_id)
            else:
                self._left[session_id] = received
        return quiet


def _packets_by_leg(session: SessionProtocol) -> dict[Side, int] | None:
    """Packets of each leg; of all in one where they are not counted apart. None where the engine
    does not say."""
    try:
        return (
            session.received_by_leg()
            if isinstance(session, RelayedSession)
            else {Side.CALLER: session.count_packets()}
        )
    except Exception as error:
        log.error("orphan_check_failed", session=session.id, exc_info=error)
        return None
