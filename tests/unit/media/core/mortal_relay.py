"""A relay in a process that can be killed, and what outlives it: sockets, peers, recovery page."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from media._core import AGENT, CALLER, RECOVERY_SLOT, RecoveryPage, Relay
from tests.unit.media.core.relay_rig import AUDIO, EVENTS, Phone, bound

STREAM, SLOT = 7, 1
# Commands come as the repr of their name, arguments and keywords, one a line; results go back as
# repr. Where the core of the tests is watched (tests/sanitize/watched.py), so is this one.
_CHILD = """
import ast, os, sys
import media
media.__path__[:0] = filter(None, [os.environ.get("TONEWALL_CORE")])
from media._core import RecoveryPage, Relay
relay, page = Relay(), RecoveryPage(int(sys.argv[1]))
relay.start()
for line in sys.stdin:
    name, arguments, keywords = ast.literal_eval(line)
    if "slot" in keywords:
        keywords["page"] = page
    try:
        result = getattr(relay, name)(*arguments, **keywords)
    except OSError as error:
        result = error.errno
    print(repr(result), flush=True)
"""


class MortalRelay:
    """A relay of another process. `call` returns what the method does, or the errno of its
    OSError; a `slot` is one of the page."""

    def __init__(self, page: int, sockets: Sequence[int]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(page)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(page, *sockets),
        )
        assert self._process.stdin
        assert self._process.stdout
        self._commands, self._results = self._process.stdin, self._process.stdout

    def call(self, name: str, *arguments: object, **keywords: object) -> object:
        self._commands.write(f"{(name, arguments, keywords)!r}\n")
        self._commands.flush()
        return ast.literal_eval(self._results.readline())

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._commands.close()
        self._results.close()


class Survivors:
    """One stream between two phones, whatever becomes of its relays."""

    def __init__(self) -> None:
        self.page = os.memfd_create("page", os.MFD_CLOEXEC)
        os.ftruncate(self.page, 4 * RECOVERY_SLOT)
        self.sockets = [bound() for _ in range(4)]
        ports = [own.getsockname()[1] for own in self.sockets]
        self.caller, self.agent = Phone(*ports[:2]), Phone(*ports[2:])
        self._relays: list[MortalRelay] = []
        self._own: list[Relay] = []

    def first(self) -> MortalRelay:
        """A relay that has opened the stream, in clear and not masked."""
        relay = self._relay()
        relay.call("open_stream", STREAM, *self._descriptors(), slot=SLOT)
        self._connect(relay)
        return relay

    def next(self) -> tuple[MortalRelay, object]:
        """A relay that has adopted the stream, and whether it has to be masked; packets are not
        read yet."""
        relay = self._relay()
        masked = relay.call("adopt_stream", STREAM, *self._descriptors(), slot=SLOT)
        self._connect(relay)
        return relay, masked

    def open(self, *, latch: bool = False) -> Relay:
        """As `first`, in this process."""
        relay = self._own_relay()
        relay.open_stream(STREAM, *self._copies(), page=RecoveryPage(self.page), slot=SLOT)
        self._set_peers(relay, latch)
        return relay

    def adopt(self, *, latch: bool = False) -> tuple[Relay, bool]:
        """As `next`, in this process."""
        relay = self._own_relay()
        masked = relay.adopt_stream(STREAM, *self._copies(), RecoveryPage(self.page), SLOT)
        self._set_peers(relay, latch)
        return relay, masked

    def abandon(self, relay: Relay) -> None:
        """End a relay of this process, with its slot left as if it had been killed."""
        slot = self.slot()
        relay.stop()
        assert not any(self.slot())
        self.write(slot)

    def slot(self) -> bytes:
        """What is in the slot."""
        return os.pread(self.page, RECOVERY_SLOT, SLOT * RECOVERY_SLOT)

    def write(self, octets: bytes, at: int = 0) -> None:
        """Change the slot."""
        os.pwrite(self.page, octets, SLOT * RECOVERY_SLOT + at)

    def close(self) -> None:
        for relay in self._relays:
            relay.kill()
        for own in self._own:
            own.stop()
        for each in (self.caller, self.agent, *self.sockets):
            each.close()
        os.close(self.page)

    def _relay(self) -> MortalRelay:
        self._relays.append(MortalRelay(self.page, self._descriptors()))
        return self._relays[-1]

    def _own_relay(self) -> Relay:
        self._own.append(Relay())
        self._own[-1].start()
        return self._own[-1]

    def _copies(self) -> list[int]:
        return [own.dup().detach() for own in self.sockets]

    def _set_peers(self, relay: Relay, latch: bool) -> None:
        for name, *arguments in self._peers(latch):
            getattr(relay, name)(*arguments)

    def _descriptors(self) -> list[int]:
        return [own.fileno() for own in self.sockets]

    def _peers(self, latch: bool = False) -> list[tuple[Any, ...]]:
        peers: list[tuple[Any, ...]] = [("set_types", STREAM, bytes([EVENTS]), b"", bytes([AUDIO]))]
        for leg, phone in ((CALLER, self.caller), (AGENT, self.agent)):
            where = (*phone.rtp.getsockname(), *phone.rtcp.getsockname())
            peers.append(("set_peer", STREAM, leg, *where, latch))
        return peers

    def _connect(self, relay: MortalRelay) -> None:
        for name, *arguments in self._peers():
            relay.call(name, *arguments)


def waiting(own: socket.socket) -> bool:
    """Whether a packet has come."""
    own.setblocking(False)
    try:
        own.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    return True
