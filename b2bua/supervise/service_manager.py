"""What the keeper is notified of, and has kept (tonewall/keeper.py): in systemd's words, of which
it hands on those that are systemd's (systemd.service(5), notify).

Rule 1: the watchdog is fed by the pulse of b2bua alone: where b2bua hangs, systemd starts Tonewall
        anew.
Rule 2: whoever is started by us does not have the socket: a child inherits what it is handed alone.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from typing import Final

from b2bua.switchboard.pulse import Pulse
from tonewall import keeper
from tonewall.descriptor_sender import DescriptorSender
from tonewall.log import get_logger

log = get_logger(__name__)
_DRAINING: Final = "No new calls are accepted, those that are up go on"
# Microseconds until the next pulse, or its end: systemd's TimeoutStopSec waits for a drain.
_EXTENDED: Final = "EXTEND_TIMEOUT_USEC=60000000"
_MOST: Final = 64  # messages that wait, while nobody reads: behind them no pulse is sent
NOTE: Final = "X_TONEWALL_NOTE="
"""The line of a message with what the next supervisor has to know of its descriptors."""


class ServiceManager:
    """The keeper, where there is one. `end`: of the socket to it, which is ours to close."""

    def __init__(self, end: socket.socket | None = None) -> None:
        self._end = end
        self._sender = None if end is None else DescriptorSender(end)
        self._is_ready = self._is_draining = self._is_stopping = False
        self._is_deaf = False  # something was not received
        self._status = ""

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> ServiceManager:
        """The one that this environment names, which loses the name. Raises OSError, and ValueError
        for what is no number."""
        number = environment.pop(keeper.VARIABLE, "")
        if not number:
            return cls()
        end = socket.socket(fileno=int(number))
        end.set_inheritable(False)
        return cls(end)

    @property
    def keeps(self) -> bool:
        """Whether what is kept gets to the next supervisor."""
        return self._end is not None

    @property
    def end(self) -> socket.socket | None:
        """Of the socket to it."""
        return self._end

    def follow(self, gone: Callable[[], None]) -> None:
        """Call `gone` where the keeper has ended."""
        if self._end is not None:
            self._end.setblocking(False)
            asyncio.get_running_loop().add_reader(self._end, self._read, gone)

    def close(self) -> None:
        """Notify nobody any more."""
        if self._end is not None and self._sender is not None:
            self._sender.close()
            asyncio.get_running_loop().remove_reader(self._end)
            self._end.close()
        self._end = self._sender = None

    def drain(self) -> None:
        """Tell it that we end once the calls that are up have."""
        self._is_draining = True
        self._send("STOPPING=1", f"STATUS={_DRAINING}", _EXTENDED)

    def keep(self, name: str, *descriptors: int, note: bytes | None = None) -> None:
        """Have it keep copies of these descriptors for the next of us where we are killed; systemd,
        too, but for those with a note."""
        words = ["FDSTORE=1", f"FDNAME={name}", "FDPOLL=0"]
        if note is not None:
            words += [keeper.HERE.decode(), NOTE + note.decode()]
        self._send(*words, descriptors=descriptors)

    def forget(self, name: str, *, here: bool = False) -> None:
        """Have it close its copies. `here`: systemd has none."""
        self._send("FDSTOREREMOVE=1", f"FDNAME={name}", *([keeper.HERE.decode()] if here else []))

    def stop(self) -> None:
        """Tell it that we end."""
        self._is_stopping = True
        self._send("STOPPING=1", "STATUS=Ends calls and charges under way")

    def on_pulse(self, pulse: Pulse) -> None:
        """b2bua lives."""
        if self._is_stopping or self._sender is None or len(self._sender) > _MOST:
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

    def _send(self, *words: str, descriptors: Sequence[int] = ()) -> None:
        if self._sender is None:
            return
        try:
            self._sender.send("\n".join(words).encode(), descriptors)
        except OSError as error:
            self._note_deaf(error.strerror or type(error).__name__)

    def _note_deaf(self, why: str) -> None:
        if not self._is_deaf:
            log.warning("service_manager_not_notified", why=why)
        self._is_deaf = True
        self._is_ready, self._status = False, ""  # all of it again with the next pulse

    def _read(self, gone: Callable[[], None]) -> None:
        assert self._end is not None
        try:
            message = self._end.recv(keeper.LONGEST)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            asyncio.get_running_loop().remove_reader(self._end)
            log.error("keeper_lost", why="it has ended: nobody would start us again")
            gone()
        elif message.startswith(keeper.DEAF):
            number = message.removeprefix(keeper.DEAF)
            self._note_deaf(os.strerror(int(number)) if number.isdigit() else "")
