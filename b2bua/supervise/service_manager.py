"""Tells systemd how Tonewall is (systemd.service(5), notify): ready, alive, and its line of status.

Rule 1: the watchdog is fed by the pulse of b2bua alone: where b2bua hangs, systemd starts Tonewall
        anew.
Rule 2: whoever is started by us does not learn the address: a child's environment is made anew
        (`plain_environment`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping

import msgspec

from b2bua.switchboard.pulse import Pulse
from tonewall.log import get_logger

log = get_logger(__name__)
_VARIABLE = "NOTIFY_SOCKET"
_MAX_PULSE = 4096


class ServiceManager:
    """What started us, where it wants to be notified."""

    def __init__(self, address: str = "") -> None:
        """`address`: of its socket, as in NOTIFY_SOCKET; "": nobody is notified."""
        # A name that begins with @ is abstract (unix(7)).
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._is_ready = self._is_stopping = False
        self._is_deaf = False  # the last was not received
        self._status = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ServiceManager:
        """The one that this environment names."""
        return cls(environment.get(_VARIABLE, ""))

    @contextlib.contextmanager
    def following(self) -> Iterator[socket.socket | None]:
        """A socket for the pulse of b2bua, which is followed meanwhile; None where nobody is
        notified."""
        if not self._address:
            yield None
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        with ours:
            loop.add_reader(ours, self._receive, ours)
            try:
                yield theirs
            finally:
                loop.remove_reader(ours)

    def stop(self) -> None:
        """Tell it that we end."""
        self._is_stopping = True
        self._send("STOPPING=1", "STATUS=Ends calls and charges under way")

    def _receive(self, ours: socket.socket) -> None:
        try:
            packet = ours.recv(_MAX_PULSE)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:  # b2bua has ended; the next one has a socket of its own
            asyncio.get_running_loop().remove_reader(ours)
            return
        self.on_pulse(msgspec.json.decode(packet, type=Pulse))

    def on_pulse(self, pulse: Pulse) -> None:
        """b2bua lives."""
        if self._is_stopping:
            return
        words = ["WATCHDOG=1"]
        if pulse.takes_calls and not self._is_ready:
            self._is_ready = True
            words.append("READY=1")
        status = f"{pulse.calls} calls" if pulse.takes_calls else "No calls are accepted"
        if pulse.faults:
            status += f"; faults: {', '.join(pulse.faults)}"
        if status != self._status:
            self._status = status
            words.append(f"STATUS={status}")
        self._send(*words)
        if self._is_deaf:  # all of it again with the next one
            self._is_ready, self._status = False, ""

    def _send(self, *words: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto("\n".join(words).encode(), self._address)
        except OSError as error:
            if not self._is_deaf:
                log.warning("service_manager_not_notified", why=error.strerror or type(error).__name__)
            self._is_deaf = True
        else:
            self._is_deaf = False
