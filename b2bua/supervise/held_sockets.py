"""Sockets that outlive the processes which use them: those of SIP and of the API.

Rule 1: they are bound once, before anything is started, and closed when b2bua is not to come back.
Rule 2: nothing is read of them here.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from b2bua.api.bound_socket import bind_socket
from b2bua.config.settings import SignallingSettings
from b2bua.sip.transport.bound_sockets import open_sockets, socket_name

API = "api"


@dataclass(slots=True)
class HeldSockets:
    """The sockets of one installation, by the names under which b2bua inherits them."""

    _by_name: dict[str, socket.socket]

    @classmethod
    def open(cls, settings: SignallingSettings) -> HeldSockets:
        """Bind all of them. Raises OSError that names the address; then none is bound."""
        binds = settings.general.binds
        if settings.general.engine == "pjsua2":
            binds = binds[:1]
        held = cls({})
        try:
            for bind, opened in zip(binds, open_sockets(binds), strict=True):
                held._by_name[socket_name(bind)] = opened.socket
            held._by_name[API] = bind_socket(settings.api.address, settings.api.port)
        except OSError:
            held.close()
            raise
        return held

    def descriptors(self) -> Mapping[str, int]:
        """The descriptor of each."""
        return {name: each.fileno() for name, each in self._by_name.items()}

    def close(self) -> None:
        """Close them; once more changes nothing."""
        for each in self._by_name.values():
            each.close()
        self._by_name.clear()
