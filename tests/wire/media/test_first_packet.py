"""The first packet after an answer: media knows by then where the other leg is, so there is
somewhere to send it to."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.stack import Stack, free_port, running, until
from tests.wire.conftest import Peers
from tests.wire.handmade import Customer, Desk, passed, trunk
from tests.wire.paying import without_complaint
from tests.wire.peers.rtpengine import GENERAL, engine


async def first_packets(directory: Path, calls: int, extra: dict[str, dict[str, str]]) -> None:
    """One call after another; in each the customer sends one packet, as soon as the 200 is
    there."""
    desk = Desk()
    await desk.open()
    with trunk() as carrier, contextlib.closing(desk):
        async with running(Stack(directory, carrier.port, desk.port, pairs=20, extra=extra)) as stack:
            carrier.engine = ("127.0.0.1", stack.sip_port)
            async with without_complaint(stack):
                for number in range(calls):
                    customer = Customer(carrier)
                    await customer.dial()
                    first = customer.speech(bytes([number]) * 160).serialize()
                    await passed(first, customer.media.rtp, customer.far, desk.media.rtp)
                    await customer.hang_up()
                    customer.media.close()
                await until(lambda: len(stack.records()) == calls, "every call's record")
                assert len(desk.media.rtp.heard) == calls


async def test_the_first_packet_after_the_200_arrives_in_each_of_two_hundred_calls(tmp_path: Path) -> None:
    await first_packets(tmp_path, 200, {})


async def test_over_rtpengine_too(peers: Peers) -> None:
    digits = free_port()
    media = engine(digits, await peers.rtpengine(digits))
    await first_packets(
        peers.directory, 30, {"media": media, "general": GENERAL, "carrier": {"mask": "mute"}}
    )
