"""The sockets of our streams that outlive us: the supervisor keeps copies, and hands them to the
media process that follows; and each stream's slot of the recovery page.

Rule 1: a stream is kept before anybody learns of its ports.
Rule 2: what the media process before us had open is ours to restore or to let go; until then its
        ports stay bound, and its slots are not used again.
Rule 3: what was in the slot of a stream that is let go is wiped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from media._core import RecoveryPage
from media.kept_streams import (
    SLOT_OCTETS,
    SLOTS,
    SOCKETS,
    AllKept,
    ForgetStream,
    KeepStream,
    decode,
    encode,
)
from media.messages.base import SessionId
from tonewall.descriptor_sender import close_all
from tonewall.log import get_logger

log = get_logger(__name__)
NO_SLOT: Final = -1
# Seconds that b2bua has to claim the sessions of its calls. It does so as soon as it is connected;
# while it is away there is no limit: nobody else could have the ports, or relay.
PATIENCE: Final = 30.0
_WIPED: Final = bytes(SLOT_OCTETS)


class Restorable(NamedTuple):
    """A stream that is open and relayed by nobody: its slot, and its four sockets, which belong to
    whoever has this."""

    slot: int
    sockets: Sequence[int]


class KeptSockets:
    """Those of one media process. `send`: to the supervisor; None: there is none, and nothing is
    kept. It raises OSError. `page`: the descriptor of the recovery page; -1: there is none, and
    what another process had open is let go."""

    def __init__(self, send: Callable[[bytes, Sequence[int]], None] | None = None, page: int = -1) -> None:
        """Raises OSError, ValueError for a page of another size."""
        self._send, self._descriptor = send, page
        self._page = None if page < 0 else RecoveryPage(page)
        # In order, as a set: the one that was freed last is used first, and its memory is there.
        self._free = dict.fromkeys(range(SLOTS - 1, -1, -1) if send is not None else ())
        self._left: dict[SessionId, dict[int, Restorable]] = {}
        self._failed = False
        self._patience: asyncio.TimerHandle | None = None
        self.all_came = asyncio.Event()

    def __len__(self) -> int:
        """Sessions that nobody has restored or let go."""
        return len(self._left)

    # --- our own ----------------------------------------------------------------------------------

    def take_slot(self) -> int:
        """A slot for a stream that is about to be opened; NO_SLOT: it will not be kept."""
        return self._free.popitem()[0] if self._free else NO_SLOT

    def page_of(self, slot: int) -> RecoveryPage | None:
        """Where the stream of this slot keeps what another process has to know of it."""
        return None if slot == NO_SLOT else self._page

    def give_back(self, slot: int) -> None:
        """The stream was not opened."""
        if slot != NO_SLOT:
            self._free[slot] = None

    def keep(self, session: SessionId, stream: int, slot: int, sockets: Sequence[int]) -> None:
        """The stream is open. Where its copies cannot be sent, it ends with us."""
        if self._send is None or slot == NO_SLOT:
            return
        try:
            self._send(encode(KeepStream(session=session, stream=stream, slot=slot)), sockets)
        except (OSError, ValueError) as error:
            if not self._failed:
                log.warning("stream_not_kept", call=session, exc_info=error)
            self._failed = True

    def forget(self, slot: int) -> None:
        """The stream of this slot is closed."""
        if self._send is None or slot == NO_SLOT:
            return
        self._free[slot] = None
        try:
            self._send(encode(ForgetStream(slot=slot)), ())
        except OSError:  # the supervisor has ended, and its copies with it
            return

    # --- those of the process before us -----------------------------------------------------------

    def receive(self, message: bytes, descriptors: Sequence[int]) -> None:
        """Take in what the supervisor says. Owns the descriptors."""
        said = decode(message)
        if isinstance(said, KeepStream) and len(descriptors) == SOCKETS and said.slot in self._free:
            del self._free[said.slot]
            self._left.setdefault(said.session, {})[said.stream] = Restorable(said.slot, descriptors)
            return
        if isinstance(said, AllKept):
            self.all_came.set()
            if self._left:
                log.info("streams_handed_over", sessions=len(self._left))
        close_all(descriptors)

    def take(self, session: SessionId, count: int) -> list[Restorable]:
        """All streams of a session, in the order of its m-lines: `count` or more; [] where one of
        them is missing, or there is no page. What is returned is the caller's, the rest is let
        go."""
        found = self._left.get(session, {})
        if self._page is None or not count or set(found) != set(range(max(count, len(found)))):
            self.let_go(session)
            return []
        del self._left[session]
        return [found[index] for index in sorted(found)]

    def let_go(self, session: SessionId) -> None:
        """Close what is left of a session."""
        for each in self._left.pop(session, {}).values():
            self.abandon(each)

    def abandon(self, stream: Restorable) -> None:
        """Close a stream that nobody relays."""
        close_all(stream.sockets)
        self._wipe(stream.slot)
        self.forget(stream.slot)

    def expect_claims(self) -> None:
        """A b2bua has come: what it does not claim in good time nobody will."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._left:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE, self.let_all_go)

    def let_all_go(self) -> None:
        """Close what is left of all."""
        if self._left:
            log.warning("streams_let_go", sessions=len(self._left), why="b2bua has no call of theirs")
        for session in tuple(self._left):
            self.let_go(session)

    def _wipe(self, slot: int) -> None:
        if self._page is None:
            return
        try:
            os.lseek(self._descriptor, slot * SLOT_OCTETS, os.SEEK_SET)
            os.write(self._descriptor, _WIPED)
        except OSError as error:  # whoever has the slot next begins by wiping it
            log.warning("slot_not_wiped", exc_info=error)


def port_of(number: int) -> int:
    """The port that a socket is bound to. Raises OSError."""
    with _borrowed(number) as each:
        return int(each.getsockname()[1])


@contextlib.contextmanager
def _borrowed(number: int) -> Iterator[socket.socket]:
    found = socket.socket(fileno=number)
    try:
        yield found
    finally:
        found.detach()
