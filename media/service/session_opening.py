"""Opens sessions on our own media threads."""

from __future__ import annotations

import itertools

from media.messages.commands import OpenSession
from media.service.kept_sockets import KeptSockets
from media.service.ports import OwnInterfaces
from media.service.relayed_session import RelayedSession
from media.service.threads import MediaThreads
from media.settings import MediaSettings
from media.stream_description import Interface


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
        relay = self._threads.least_busy()
        return RelayedSession(
            command.session, relay, interfaces, self.next_number, command.streams, self._kept
        )
