"""The payers that wait for a card: handed over by the supervisor, each good for one charge.

Rule 1: a payer is only what came through the supervisor's channel, an inherited socket pair;
        nothing can connect to us and call itself one.
Rule 2: a payer that has ended is dropped before it is given a card.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence

from media.events import PayerFault
from media.kept_streams import HAND_OVER, LONGEST, is_stream_message
from media.peer import NAMED, Peer
from provider_adapters.payer.pipe import PayerGone, PayerPipe
from provider_adapters.payment import Charge, Outcome
from tonewall.descriptor_sender import DescriptorSender, close_all
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_MAX_AT_ONCE = 8  # descriptors in a message
_MAX_IN_A_TURN = 64  # messages in a turn of the loop: after a death of media each stream has one
_JOURNAL_PATIENCE = 10.0  # seconds that a payer may take to look into its journal
DECODER = b"decoder"  # what the supervisor says with a socket that leads to one
# What it says, without a socket, of a payer that ended.
FAULTS = {fault.value.encode(): fault for fault in PayerFault}


class Payers:
    """The waiting payers, oldest first."""

    def __init__(self) -> None:
        self._ready: deque[PayerPipe] = deque()
        self._wanted: deque[asyncio.Future[PayerPipe]] = deque()
        self._starting = BackgroundTasks()
        self._supervisor: DescriptorSender | None = None
        self._fault: PayerFault | None = None

    @property
    def fault(self) -> PayerFault | None:
        """Why the last payer ended that never waited; None once one waits."""
        return None if len(self) else self._fault

    def __len__(self) -> int:
        """How many could charge now."""
        self._drop_dead()
        return len(self._ready)

    def _drop_dead(self) -> None:
        for pipe in [pipe for pipe in self._ready if not pipe.alive()]:
            self._ready.remove(pipe)
            pipe.close()

    async def receive(
        self,
        channel: socket.socket,
        on_decoder: Callable[[int], None] = os.close,
        peer: Peer | None = None,
        on_stream: Callable[[bytes, Sequence[int]], None] = lambda _, descriptors: close_all(descriptors),
        on_hand_over: Callable[[], None] = lambda: None,
    ) -> None:
        """Take in payers from the supervisor until it closes the channel. Owns `channel`.

        A socket to a decoder process comes the same way, and goes to `on_decoder`, which owns it
        from then on; so does the name of the process that is b2bua, which goes to `peer`. Messages
        about streams, with their sockets (media/kept_streams.py), go to `on_stream`, and the wish
        that another process goes on to `on_hand_over`."""
        if peer is not None:
            peer.anybody = False
        loop = asyncio.get_running_loop()
        channel.setblocking(False)
        self._supervisor = DescriptorSender(channel)
        ended = loop.create_future()

        def read_one() -> bool:
            """Whether there was a message."""
            try:
                message, descriptors, _, _ = socket.recv_fds(
                    channel, LONGEST, _MAX_AT_ONCE, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return False
            except OSError:
                message, descriptors = b"", []
            if not message:
                loop.remove_reader(channel)
                if not ended.done():
                    ended.set_result(None)
                return False
            take(message, descriptors)
            return True

        def read_some() -> None:
            for _ in range(_MAX_IN_A_TURN):
                if not read_one():
                    return

        def take(message: bytes, descriptors: Sequence[int]) -> None:
            if peer is not None and message.startswith(NAMED):
                peer.name(message)
            elif is_stream_message(message):
                on_stream(message, descriptors)
            elif message == HAND_OVER:
                on_hand_over()
            elif message in FAULTS:
                self._fault = FAULTS[message]
            elif message == DECODER:
                for descriptor in descriptors:
                    on_decoder(descriptor)
            else:
                for descriptor in descriptors:
                    pipe = PayerPipe(socket.socket(fileno=descriptor))
                    self._starting.start(self._take_in(pipe), "payer", pipe.close)

        with channel:
            # What waits is read before anybody may connect: the name of who may is in it.
            while read_one():
                pass
            loop.add_reader(channel, read_some)
            try:
                await ended
            finally:
                loop.remove_reader(channel)
                self._supervisor.close()
                self._supervisor = None

    async def _take_in(self, pipe: PayerPipe) -> None:
        try:
            await pipe.ready()
        except PayerGone as error:
            log.warning("payer_ended_early", exc_info=error)
            return
        self._offer(pipe)

    def _offer(self, pipe: PayerPipe) -> None:
        self._fault = None
        while self._wanted:
            wanted = self._wanted.popleft()
            if not wanted.done():
                wanted.set_result(pipe)
                return
        self._ready.append(pipe)

    async def take_payer(self, patience: float) -> PayerPipe | None:
        """A payer that waits, or the next one to come; None where none came within `patience`
        seconds."""
        pipe = await self._next(patience)
        if pipe is not None:
            await self._say_taken(pipe)
        return pipe

    async def resolve(self, charge: Charge, submitted_at: float) -> Outcome | None:
        """What the payers' journal says of a charge that no payer of ours is known to have; None
        while one may still be at it.

        Raises PayerGone where no payer can say it now."""
        self._drop_dead()
        if not self._ready:
            raise PayerGone("no payer process is ready")
        pipe = self._ready.popleft()
        outcome = await pipe.resolve(charge, submitted_at, _JOURNAL_PATIENCE)
        self._offer(pipe)
        return outcome

    async def _next(self, patience: float) -> PayerPipe | None:
        self._drop_dead()
        if self._ready:
            return self._ready.popleft()
        wanted: asyncio.Future[PayerPipe] = asyncio.get_running_loop().create_future()
        self._wanted.append(wanted)
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(wanted, patience)
        return None

    async def _say_taken(self, pipe: PayerPipe) -> None:
        """Tell the supervisor, which starts the next one while this one charges."""
        pid = (await pipe.ready()).pid
        with contextlib.suppress(OSError):
            self.tell_supervisor(pid.to_bytes(8, "big"))

    def tell_supervisor(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send a message on its channel. Raises OSError where that is closed."""
        if self._supervisor is None:
            raise ConnectionError("the supervisor has ended")
        self._supervisor.send(message, descriptors)

    @property
    def unsent(self) -> int:
        """Messages to the supervisor that wait for room."""
        return len(self._supervisor) if self._supervisor is not None else 0

    def close(self) -> None:
        """End the payers that wait."""
        for pipe in self._ready:
            pipe.close()
        self._ready.clear()
