"""A key that is held down when its capture ends: the mask stays on until it has been released for
the guard time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiortc.rtp import RtpPacket

from media.formats.coding import Coding
from media.formats.g711 import decode_sample
from tests.leak.codec import encoded
from tests.leak.presses import dual_tone
from tests.stack import Stack, running, until
from tests.wire.handmade import Customer, Desk, trunk

LOUD = 2000  # of 32768; the key is at some 10000, what stands in its place below 200
HELD = 150  # packets of 20 ms: three guard times


def held(customer: Customer, how: str) -> Iterator[RtpPacket]:
    if how == "tone":
        for payload in encoded(dual_tone("5", HELD * 160, (-10.0, -10.0)), 0):
            yield customer.speech(payload)
        return
    for step in range(HELD):
        event = bytes([5, 10]) + (160 * (step + 1)).to_bytes(2, "big")
        yield customer._packet(101, event, customer._clock, marker=int(step == 0))
    for _ in range(3):
        yield customer._packet(101, bytes([5, 0x8A]) + (160 * HELD).to_bytes(2, "big"), customer._clock)
    customer._clock += 160 * HELD


def heard(packets: list[RtpPacket]) -> list[RtpPacket]:
    """Those in which a key is, as an event or as a sound."""
    return [
        packet
        for packet in packets
        if packet.payload_type == 101
        or max(abs(decode_sample(Coding.MU, code)) for code in packet.payload) > LOUD
    ]


@pytest.mark.parametrize("how", ["event", "tone"])
async def test_nothing_of_it_reaches_the_agent_and_then_the_mask_opens(tmp_path: Path, how: str) -> None:
    desk = Desk()
    await desk.open()
    with trunk() as carrier, contextlib.closing(desk):
        async with running(Stack(tmp_path, carrier.port, desk.port, pairs=20)) as stack:
            carrier.engine = ("127.0.0.1", stack.sip_port)
            customer = Customer(carrier)
            await customer.dial()
            [call] = await stack.calls_up()
            await stack.start_capture(call["id"])
            quiet = bytes([0xFF]) * 160
            await customer.play([customer.speech(quiet) for _ in range(20)])
            packets = list(held(customer, how))
            await customer.play(packets[:5])
            await stack.api.delete(f"/v1/calls/{call['id']}/capture")
            await customer.play(packets[5:])
            assert (await stack.call(call["id"]))["masked"], "opened while the key was held"

            async def opened() -> bool:
                await customer.play([customer.speech(quiet)])
                # Refused while the key sounds.
                await stack.api.post(f"/v1/calls/{call['id']}/mask/release")
                return not (await stack.call(call["id"]))["masked"]

            await until(opened, "the mask to open")
            assert heard(desk.packets()) == []
            await customer.play(list(held(customer, how))[:50])  # the control: now it is heard
            await until(lambda: heard(desk.packets()), "a key at the desk")
            await customer.hang_up()
            customer.media.close()
