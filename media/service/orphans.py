"""Sessions whose b2bua is gone: what is relayed goes on until one of its sides falls silent.

Rule 1: a session that cannot be looked at keeps no other from its end, and is looked at again.
Rule 2: looks are counted, and no time: the first comes at any moment after the loss, and a process
        that was kept from running finds at its next look what waited for it in the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from media.events import SessionId, Side
from media.service.relayed_session import RelayedSession
from media.service.session_protocol import SessionProtocol
from tonewall.log import get_logger

log = get_logger(__name__)
LOOKS: Final = 4  # evenly within the quiet time


@dataclass
class _Orphan:
    """Packets that each leg had sent at the last look, and at how many looks in a row there was
    none more."""

    received: dict[Side, int]
    idle: dict[Side, int] = field(default_factory=dict)


class Orphans:
    """Those that nobody commands any more."""

    def __init__(self) -> None:
        self._left: dict[SessionId, _Orphan] = {}

    def add(self, sessions: Iterable[SessionProtocol]) -> None:
        """Their b2bua was lost."""
        for session in sessions:
            self._left.setdefault(session.id, _Orphan(_packets_by_leg(session) or {}))

    def forget(self, session: SessionId) -> None:
        """A b2bua commands it again."""
        self._left.pop(session, None)

    def silent(self, find: Callable[[SessionId], SessionProtocol | None]) -> list[SessionId]:
        """Of which a leg that spoke has sent nothing for more than `LOOKS` looks, or neither ever
        did; they are forgotten."""
        quiet = []
        for session_id, orphan in tuple(self._left.items()):
            session = find(session_id)
            if session is None:
                del self._left[session_id]
                continue
            received, before = _packets_by_leg(session), orphan.received
            if received is None or received.keys() != before.keys():
                self._left[session_id] = _Orphan(received or before)
                continue
            spoke = [side for side, count in received.items() if count] or list(received)
            idle = {
                side: orphan.idle.get(side, 0) + 1 if received[side] == before[side] else 0 for side in spoke
            }
            if any(looks > LOOKS for looks in idle.values()):
                del self._left[session_id]
                quiet.append(session_id)
            else:
                self._left[session_id] = _Orphan(received, idle)
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
        log.error("orphan_check_failed", call=session.id, exc_info=error)
        return None
