"""Opens sessions on our own media threads, and restores those of a media process that has died.

Rule 1: a session is masked before anything of it can pass, where its claim or the recovery page
        says so, or the page cannot say.
Rule 2: SRTP goes on above the indices that its packets were sealed with (RFC 3711 section 9.1).
        Where they are not known the core refuses the keys, and the session is not restored.
"""

from __future__ import annotations

import itertools

from media.events import AnyCommand, ClaimSession, CloseSession, Masking, OpenSession, Side
from media.service.kept_sockets import KeptSockets
from media.service.ports import OwnInterfaces, PortPairs
from media.service.relayed_session import RelayedSession
from media.service.threads import MediaThreads
from media.settings import MediaSettings
from media.stream_description import Interface
from tonewall.log import get_logger

log = get_logger(__name__)


class SessionOpening:
    """What every session of ours is made of: threads, addresses, numbers. `kept`: where copies of
    its sockets go."""

    def __init__(self, settings: MediaSettings, threads: MediaThreads, kept: KeptSockets) -> None:
        own = Interface(address=settings.address, advertised=settings.advertised or settings.address)
        self._interfaces = OwnInterfaces(own, (*settings.port_range(), settings.dscp))
        self._threads, self._kept = threads, kept
        self.next_number = itertools.count(1).__next__

    def open(self, command: OpenSession) -> RelayedSession:
        """A session on ports that were free. Raises NoPorts, OSError."""
        interfaces = self._interfaces.of_sides(command.caller, command.agent)
        return self._make(command, interfaces, command.streams)

    def restore(self, command: AnyCommand) -> RelayedSession | None:
        """The session of a claim, on the sockets that another media process had opened for it; None
        where it cannot be restored, and for other commands. Raises OSError, ValueError."""
        if not isinstance(command, ClaimSession):
            if isinstance(command, CloseSession):
                self._kept.let_go(command.session)
            return None
        sides = {Side.CALLER: command.caller, Side.AGENT: command.agent}
        found = self._kept.take(command.session, command.streams)
        if not found:
            return None
        interfaces = self._interfaces.of_sides(command.caller.interface, command.agent.interface)
        session = self._make(command, interfaces, 0)
        try:
            must_mask = session.adopt(found)
            if command.masking is not None or must_mask:
                _mask(session, command.masking or command.usual_masking)
            for side, leg in sides.items():
                session.set_remote(side, leg.streams, codes=command.codes and side is Side.AGENT)
            session.resume()
        except Exception:
            self._threads.remove_session(session.relay)
            session.close()
            raise
        if command.masking is None and must_mask:
            log.warning("mask_recovered", call=session.id, why="it was on, or nobody knows that it was off")
        state = "masked" if session.masked else "open"
        log.debug("session_restored", call=session.id, state=state)
        return session

    def _make(
        self, command: AnyCommand, interfaces: dict[Side, tuple[PortPairs, str]], count: int
    ) -> RelayedSession:
        relay = self._threads.least_busy()
        session = RelayedSession(command.session, relay, interfaces, self.next_number, count, self._kept)
        self._threads.add_session(relay)
        return session


def _mask(session: RelayedSession, masking: Masking) -> None:
    try:
        session.set_mask(True, masking)
    except OSError as error:  # masked all the same: nothing leaves
        log.error("mask_incomplete", call=session.id, exc_info=error)
