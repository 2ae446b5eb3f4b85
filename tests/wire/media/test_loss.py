"""A bad network between customer and Tonewall: whatever it does to the packets, one key press is
one digit."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.wire.payments.card_calls import CODE, EXPIRY, card_number, digits_sha256, trunk
from tests.wire.peers import sipp
from tests.wire.peers.keypad import Handset

pytestmark = pytest.mark.skipif(not sipp.available(), reason="sipp (Debian: sip-tester) is not here")
CALLS = 10
EVENT_TYPE = 101
Packets = list[tuple[float, bytes]]


def bad_network(packets: Packets, seed: int) -> Packets:
    """5 % of the event packets lost, 5 % doubled, 10 % late by up to 60 ms; of every fifth press
    the start is lost, of every fifth the end. Speech passes."""
    dice = random.Random(seed)
    presses: dict[bytes, list[int]] = {}
    for index, (_, packet) in enumerate(packets):
        if packet[1] & 0x7F == EVENT_TYPE:
            presses.setdefault(packet[4:8], []).append(index)  # by rtp_timestamp
    lost: set[int] = set()
    for indices in presses.values():
        fate = dice.randrange(5)
        lost.update(indices[:3] if fate == 0 else indices[-3:] if fate == 1 else ())
    arriving: Packets = []
    events = {index for indices in presses.values() for index in indices}
    for index, (time, packet) in enumerate(packets):
        if index not in events:
            arriving.append((time, packet))
            continue
        if index in lost or dice.random() < 0.05:
            continue
        delay = dice.uniform(0, 0.06) if dice.random() < 0.1 else 0.0
        arriving.append((time + delay, packet))
        if dice.random() < 0.05:
            arriving.append((time + delay + dice.uniform(0, 0.03), packet))
    return sorted(arriving, key=lambda entry: entry[0])


async def test_every_card_arrives_digit_for_digit_over_a_network_that_loses_doubles_and_reorders(
    tmp_path: Path,
) -> None:
    (tmp_path / "carrier").mkdir()
    numbers = [card_number(call + 50) for call in range(CALLS)]
    handsets = [Handset(ssrc=3000 + call) for call in range(CALLS)]
    sent = [h.press(f"{n}#{EXPIRY}#{CODE}#", gap_ms=80) for h, n in zip(handsets, numbers, strict=True)]
    arrived = [bad_network(packets, seed) for seed, packets in enumerate(sent)]
    assert all(before != after for before, after in zip(sent, arrived, strict=True))
    card = sipp.play(tmp_path / "carrier", *arrived, name="card")
    steps = [sipp.Go("KEY"), card, sipp.Mark("keyed"), sipp.Go("LEAVE")]
    async with trunk(tmp_path, steps, [], CALLS) as line:
        calls = await line.stack.calls_up(CALLS)
        await asyncio.gather(
            *(line.stack.start_capture(call["id"], transaction=call["caller"]) for call in calls)
        )
        await line.carrier.go("KEY")
        await line.carrier.reached("keyed", within=60)
        for call in calls:
            await line.stack.stage(call["id"], "ready")
        outcomes = await asyncio.gather(*(line.stack.submit(call["id"]) for call in calls))
        charges = {charge["transaction_id"]: charge for charge in await line.stack.charges()}
        await line.carrier.go("LEAVE")
        await line.carrier.finished()
    assert [outcome["type"] for outcome in outcomes] == ["approved"] * CALLS
    for call, number in enumerate(numbers):
        assert charges[f"+3222000{call + 1}"]["digits_sha256"] == digits_sha256(number), f"seed {call}"
