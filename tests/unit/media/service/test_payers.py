"""Media's store of waiting payers: only those that are still there count, and are given a card."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from media.peer import Peer, naming
from media.service.payers import Payers
from provider_adapters.payer.messages import Ready
from tests.stack import until
from tonewall.frames import pack


@asynccontextmanager
async def two_waiting() -> AsyncIterator[tuple[Payers, list[socket.socket]]]:
    """Media's store with two payers in it, and the payers' ends of their sockets, the elder
    first."""
    supervisor, media = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    payers, ends = Payers(), []
    receiving = asyncio.create_task(payers.receive(media))
    for pid in (1, 2):
        for_media, for_payer = socket.socketpair()
        with for_media:
            socket.send_fds(supervisor, [b"payer"], [for_media.fileno()])
        for_payer.sendall(pack(Ready(pid=pid, patience=5.0)))
        ends.append(for_payer)
        await until(lambda count=pid: len(payers) == count, "the payer to be taken in")
    try:
        yield payers, ends
    finally:
        payers.close()
        receiving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await receiving
        for sock in (supervisor, *ends):
            sock.close()


async def test_a_payer_that_has_ended_is_not_counted_and_its_socket_is_let_go() -> None:
    async with two_waiting() as (payers, [elder, younger]):
        younger.close()
        assert len(payers) == 1
        elder.close()
        assert len(payers) == 0


async def test_a_payer_that_has_ended_is_not_given_a_card() -> None:
    async with two_waiting() as (payers, [elder, _]):
        elder.close()
        pipe = await payers.take_payer(5.0)
        assert pipe is not None
        assert (await pipe.ready()).pid == 2
        pipe.close()
        assert await payers.take_payer(0.01) is None


async def test_who_may_command_is_known_before_anybody_can_connect():
    """A b2bua that connects again at once is not refused by a media process that has just
    begun."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer = Peer()
    with theirs:
        theirs.send(naming(os.getpid()))
        receiving = asyncio.create_task(Payers().receive(ours, peer=peer))
        near, far = socket.socketpair()
        with near, far:
            await asyncio.sleep(0)  # its first step, and no look at any socket
            assert peer.admits(far)
    await receiving
