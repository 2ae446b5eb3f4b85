"""What outlives the processes which use it: the sockets of SIP and of the API, and the file of
calls that are up.

Rule 1: they are bound once, before anything is started, and closed when b2bua is not to come back.
Rule 2: nothing is read of them here.
Rule 3: the keeper has a copy of each, so that they outlive a supervisor that is killed, too; and
        systemd has one of each socket, for a Tonewall that is killed whole.
Rule 4: SDES keys are in the file: it is in memory alone, and b2bua alone inherits it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from b2bua.api.bound_socket import bind_socket
from b2bua.api.bound_socket import socket_name as api_name
from b2bua.config.settings import SignallingSettings
from b2bua.sip.hop import Bind
from b2bua.sip.transport.bound_sockets import open_sockets, socket_kind, socket_name
from b2bua.supervise.kept import KEPT_CALLS, Kept
from b2bua.supervise.service_manager import ServiceManager
from b2bua.switchboard.call_slots import CALLS
from tonewall.log import get_logger

log = get_logger(__name__)


@dataclass(slots=True)
class HeldSockets:
    """The sockets and the file of one installation, by the names under which b2bua inherits
    them."""

    _by_name: dict[str, socket.socket]
    _manager: ServiceManager
    _calls: int

    @classmethod
    def open(cls, settings: SignallingSettings, manager: ServiceManager, stored: Kept) -> HeldSockets:
        """Bind all of them, but those that were kept. Raises OSError that names the address; then
        none is bound."""
        binds = settings.general.binds
        if settings.general.engine == "pjsua2":
            binds = binds[:1]
        calls = stored.calls if stored.calls >= 0 else os.memfd_create("tonewall-calls", os.MFD_CLOEXEC)
        held = cls({}, manager, calls)
        address, port = settings.api.address, settings.api.port
        kinds = {socket_name(bind): socket_kind(bind) for bind in binds}
        kinds[api_name(address, port)] = socket.SOCK_STREAM
        kept = _adopt(stored.sockets, kinds, manager)
        try:
            held._open_all(binds, address, port, kept)
        except OSError:
            held.close()
            raise
        for name, each in held._by_name.items():
            manager.keep(name, each.fileno())
        if stored.calls < 0:
            manager.keep(KEPT_CALLS, calls, note=b"")
        return held

    def _open_all(
        self, binds: list[Bind], address: str, port: int, kept: Mapping[str, socket.socket]
    ) -> None:
        for bind, opened in zip(binds, open_sockets(binds, kept), strict=True):
            self._by_name[socket_name(bind)] = opened.socket
        name = api_name(address, port)
        self._by_name[name] = kept[name] if name in kept else bind_socket(address, port)

    def descriptors(self) -> Mapping[str, int]:
        """The descriptor of each."""
        return {CALLS: self._calls} | {name: each.fileno() for name, each in self._by_name.items()}

    def close(self) -> None:
        """Close them, all copies included; once more changes nothing."""
        for name, each in self._by_name.items():
            self._manager.forget(name)
            each.close()
        self._by_name.clear()
        if self._calls >= 0:
            self._manager.forget(KEPT_CALLS, here=True)
            os.close(self._calls)
        self._calls = -1


def _adopt(
    stored: Mapping[str, int], kinds: Mapping[str, socket.SocketKind], manager: ServiceManager
) -> dict[str, socket.socket]:
    """Those that are still asked for; the others are closed."""
    kept: dict[str, socket.socket] = {}
    for name, number in stored.items():
        found = _socket_of(number, kinds.get(name))
        if found is not None:
            kept[name] = found
        else:
            manager.forget(name)
    if kept:
        log.info("sockets_taken_back", count=len(kept))
    return kept


def _socket_of(number: int, kind: socket.SocketKind | None) -> socket.socket | None:
    try:
        found = socket.socket(fileno=number)
    except OSError:  # it is no socket
        os.close(number)
        return None
    if found.type is kind and found.family in (socket.AF_INET, socket.AF_INET6):
        return found
    found.close()
    return None
