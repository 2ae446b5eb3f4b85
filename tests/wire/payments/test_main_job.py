"""The main job, on real SIP and RTP: sipp as carrier and as PBX, twenty calls at once, each
customer with a card of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.stack import Stack, until
from tests.wire.payments.card_calls import CALLS, CODE, EXPIRY, card_number, digits_sha256, trunk
from tests.wire.peers import aiortc_view, sipp, tshark
from tests.wire.peers.keypad import Handset, key_recording

pytestmark = [
    pytest.mark.skipif(not sipp.available(), reason="sipp (Debian: sip-tester) is not here"),
    pytest.mark.skipif(not tshark.available(), reason="tshark is not here"),
]


async def test_twenty_customers_pay_at_once_and_no_agent_leg_carries_a_key(tmp_path: Path) -> None:
    (tmp_path / "carrier").mkdir()
    (tmp_path / "pbx").mkdir()
    numbers = [card_number(call) for call in range(CALLS)]
    handsets = [Handset(ssrc=1000 + call) for call in range(CALLS)]
    menu = sipp.play(
        tmp_path / "carrier", *[handset.press("12*", gap_ms=60) for handset in handsets], name="menu"
    )
    keyed = [f"{number}#{EXPIRY}#{CODE}#" for number in numbers]
    card = sipp.play(
        tmp_path / "carrier",
        *[h.press(k, gap_ms=60) for h, k in zip(handsets, keyed, strict=True)],
        name="card",
    )
    after = sipp.play(
        tmp_path / "carrier", *[handset.press("0#", gap_ms=60) for handset in handsets], name="after"
    )
    speech = sipp.play(tmp_path / "pbx", Handset(ssrc=7).speak(20_000), wait=False)
    steps = [
        sipp.Go("MENU"), menu, sipp.Mark("in-menu"),
        sipp.Go("KEY"), card, sipp.Mark("keyed"),
        sipp.Go("AFTER"), after, sipp.Mark("said-goodbye"),
        sipp.Go("LEAVE"),
    ]  # fmt: skip
    async with trunk(tmp_path, steps, [speech], CALLS) as line:
        stack, carrier, pbx = line.stack, line.carrier, line.pbx
        calls = await stack.calls_up(CALLS)
        ports = line.agent_ports + line.customer_ports
        watched = f"udp portrange {min(ports)}-{max(ports)}"

        capture = await tshark.Capture.start(tmp_path / "menu.pcap", watched)
        await carrier.go("MENU")
        await carrier.reached("in-menu")
        menu_file = await capture.stop()

        await asyncio.gather(*(stack.start_capture(call["id"], transaction=call["caller"]) for call in calls))
        capture = await tshark.Capture.start(tmp_path / "masked.pcap", watched)
        await carrier.go("KEY")
        await carrier.reached("keyed", within=60)
        outcomes = []
        for call in calls:
            await stack.stage(call["id"], "ready")
        outcomes = await asyncio.gather(*(stack.submit(call["id"]) for call in calls))
        masked_file = await capture.stop()
        await asyncio.gather(*(unmasked(stack, call["id"]) for call in calls))

        capture = await tshark.Capture.start(tmp_path / "after.pcap", watched)
        await carrier.go("AFTER")
        await carrier.reached("said-goodbye")
        after_file = await capture.stop()
        await carrier.go("LEAVE")
        await carrier.finished()
        await pbx.finished()
        charges = await stack.charges()

    assert [outcome["type"] for outcome in outcomes] == ["approved"] * CALLS
    said = {charge["transaction_id"]: charge for charge in charges}
    for call, number in enumerate(numbers):
        assert said[f"+3222000{call + 1}"]["digits_sha256"] == digits_sha256(number)
    assert sum(charge["charges"] for charge in charges) == CALLS

    masked = await tshark.count(masked_file, ports)
    assert [masked.events[port] for port in line.agent_ports] == [0] * CALLS
    # The speech between the keys.
    assert min(masked.packets[port] for port in line.agent_ports) > 40
    # Voice ran both ways all the time.
    assert min(masked.packets[port] for port in line.customer_ports) > 100
    for port in line.agent_ports:
        flow = aiortc_view.towards(masked_file, port)
        assert flow.events() == 0
        assert flow.neither == 0
        assert flow.continuity() == aiortc_view.Continuity(missing=0, again=0, late=0)
    for port in line.agent_ports:
        assert aiortc_view.towards(menu_file, port).keys() == "12*"
        assert aiortc_view.towards(menu_file, port).events() == 3 * 10
        assert aiortc_view.towards(after_file, port).keys() == "0#"


async def unmasked(stack: Stack, call_id: str) -> None:
    async def is_open() -> bool:
        return not (await stack.call(call_id))["masked"]

    await until(is_open, "the mask to open after the guard time")


async def test_debians_recordings_replayed_untouched_are_one_digit_a_press(tmp_path: Path) -> None:
    """Each recording has its own fixed sequence numbers and rtp_timestamp, so a key pressed twice
    looks the same twice.

    Each press waits for what the one before did: two recordings of one key that a busy machine
    plays within 250 ms are the same packets twice, and nothing could tell that these were two
    presses.
    """
    number = "4111111111111111"
    keys = f"{number}#{EXPIRY}#{CODE}#"
    presses = [
        step
        for at, key in enumerate(keys)
        for step in (sipp.Go(f"KEY{at}"), sipp.Play((key_recording(key),), 0.5), sipp.Mark(f"keyed{at}"))
    ]
    steps = [*presses, sipp.Go("LEAVE")]
    async with trunk(tmp_path, steps, [], 1) as line:
        [call] = await line.stack.calls_up()
        await line.stack.start_capture(call["id"])
        capture = await tshark.Capture.start(tmp_path / "masked.pcap", f"udp port {line.pbx.rtp_port(1)}")
        keyed = 0
        for at, key in enumerate(keys):
            await line.carrier.go(f"KEY{at}")
            keyed += key != "#"

            async def counted(wanted: int = keyed) -> bool:
                found = (await line.stack.call(call["id"]))["capture"]
                return sum(field["count"] for field in found["fields"]) == wanted

            await until(counted, f"{keyed} digits")
            await line.carrier.reached(f"keyed{at}")
        await line.stack.stage(call["id"], "ready")
        outcome = await line.stack.submit(call["id"])
        [charge] = await line.stack.charges()
        masked_file = await capture.stop()
        await line.carrier.go("LEAVE")
        await line.carrier.finished()
    assert outcome["type"] == "approved"
    assert charge["digits_sha256"] == digits_sha256(number)
    assert (await tshark.count(masked_file, [line.pbx.rtp_port(1)])).events.total() == 0
