"""The supervisor asks media to leave its sessions to the next process; what media is given as it
leaves goes to the next."""

from __future__ import annotations

import asyncio
import socket

import pytest

from b2bua.supervise.child import channel_pair
from b2bua.supervise.media_channel import MediaChannel
from media.kept_streams import HAND_OVER, HandOverRefused, encode
from tests.stack import until


async def test_it_learns_what_is_in_the_way_and_that_media_has_left() -> None:
    channel = MediaChannel()
    with pytest.raises(OSError, match="away"):
        await channel.ask_to_leave()
    ours, media = channel_pair()
    media.setblocking(False)
    with ours:
        with channel.opened(ours):
            received: list[bytes] = []

            def asked() -> bool:
                try:
                    received.append(media.recv(512))
                except BlockingIOError:
                    return False
                return received[-1] == HAND_OVER

            for refused in (HandOverRefused(captures=1), HandOverRefused()):
                waiting = asyncio.create_task(channel.ask_to_leave())
                await until(asked, "the wish")
                media.send(encode(refused))
                assert await asyncio.wait_for(waiting, 30) == refused
            waiting = asyncio.create_task(channel.ask_to_leave())
            await until(asked, "the wish")
            media.shutdown(socket.SHUT_RDWR)
            media.close()
        assert await asyncio.wait_for(waiting, 30) is None


@pytest.mark.parametrize("ends", ["before", "unseen"])
async def test_a_payer_that_was_started_as_media_left_goes_to_the_next(ends: str) -> None:
    channel = MediaChannel()
    ours, left = channel_pair()
    for_media, payers = socket.socketpair()
    with for_media, payers:
        with ours, channel.opened(ours):
            left.close()
            if ends == "unseen":  # its end is not yet known where the payer's socket is sent
                handing = asyncio.create_task(channel.hand_over("payer", for_media))
                await asyncio.sleep(0)
        if ends == "before":
            handing = asyncio.create_task(channel.hand_over("payer", for_media))
        ours, media = channel_pair()
        with ours, media, channel.opened(ours):
            await asyncio.wait_for(handing, 30)
            messages: dict[bytes, list[int]] = {}
            while b"payer" not in messages:  # what the one before had open comes first
                message, handed, _, _ = socket.recv_fds(media, 512, 4)
                messages[message] = list(handed)
        with socket.socket(fileno=messages[b"payer"][0]) as end:
            end.send(b"ready")
        assert payers.recv(512) == b"ready"


async def test_nobody_waits_for_media_where_the_supervisor_stops() -> None:
    channel = MediaChannel()
    for_media, payers = socket.socketpair()
    with for_media, payers:
        handing = asyncio.create_task(channel.hand_over("decoder", for_media))
        await asyncio.sleep(0)
        channel.stop()
        await asyncio.wait_for(handing, 30)
