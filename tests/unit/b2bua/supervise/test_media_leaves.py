"""The supervisor asks media to leave its sessions to the next process."""

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
