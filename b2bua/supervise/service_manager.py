"""Tells systemd how Tonewall is (systemd.service(5), notify): ready, alive, and its line of status.

Rule 1: the watchdog is fed by the pulse of b2bua alone: where b2bua hangs, systemd starts Tonewall
        anew.
Rule 2: whoever is started by us does not learn the address: a child's environment is made anew
        (`plain_environment`).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final

from b2bua.switchboard.pulse import Pulse
from tonewall.log import get_logger

log = get_logger(__name__)
_VARIABLE = "NOTIFY_SOCKET"
_DRAINING: Final = "No new calls are accepted, those that are up go on"
# Microseconds until the next pulse, or its end: systemd's TimeoutStopSec waits for a drain.
_EXTENDED: Final = "EXTEND_TIMEOUT_USEC=60000000"


class ServiceManager:
    """What started us, where it wants to be notified."""

    def __init__(self, address: str = "") -> None:
        """`address`: of its socket, as in NOTIFY_SOCKET; "": nobody is notified."""
        # A name that begins with @ is abstract (unix(7)).
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._is_ready = self._is_draining = self._is_stopping = False
        self._is_deaf = False  # the last was not received
        self._status = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ServiceManager:
        """The one that this environment names."""
        return cls(environment.get(_VARIABLE, ""))

    def drain(self) -> None:
        """Tell it that we end once the calls that are up have."""
        self._is_draining = True
        self._send("STOPPING=1", f"STATUS={_DRAINING}", _EXTENDED)

    def keep(self, name: str, descriptor: int) -> None:
        """Have it keep a copy of this descriptor, for the next of us where we are killed."""
        self._send("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", descriptor=descriptor)

    def forget(self, name: str) -> None:
        """Have it close its copy."""
        self._send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def stop(self) -> None:
        """Tell it that we end."""
        self._is_stopping = True
        self._send("STOPPING=1", "STATUS=Ends calls and charges under way")

    def on_pulse(self, pulse: Pulse) -> None:
        """b2bua lives."""
        if self._is_stopping:
            return
        words = ["WATCHDOG=1"]
        if pulse.takes_calls and not self._is_ready:
            self._is_ready = True
            words.append("READY=1")
        status = f"{pulse.calls} calls" if pulse.takes_calls else "No calls are accepted"
        if self._is_draining:
            words.append(_EXTENDED)
            status = f"{_DRAINING}; {pulse.calls} calls left"
        elif pulse.faults:
            status += f"; faults: {', '.join(pulse.faults)}"
        if status != self._status:
            self._status = status
            words.append(f"STATUS={status}")
        self._send(*words)
        if self._is_deaf:  # all of it again with the next one
            self._is_ready, self._status = False, ""

    def _send(self, *words: str, descriptor: int | None = None) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                handed = [] if descriptor is None else [descriptor]
                sender.connect(self._address)
                socket.send_fds(sender, ["\n".join(words).encode()], handed)
        except OSError as error:
            if not self._is_deaf:
                log.warning("service_manager_not_notified", why=error.strerror or type(error).__name__)
            self._is_deaf = True
        else:
            self._is_deaf = False
