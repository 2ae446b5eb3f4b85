"""A customer who keys a year of four digits, with a digit too many, in a real call: what is charged
is what was meant."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.canary import Card
from tests.stack import until
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, scene

CARD = Card(number="5555555555554444", expiry="1139", code="993")


async def _field(at: Scene, place: int) -> dict[str, object]:
    found: dict[str, object] = (await at.stack.call(at.call_id))["capture"]["fields"][place]
    return found


async def test_keys_left_over_are_told_and_never_charged(tmp_path: Path) -> None:
    pauses = {"refusal_pause": "1", "field_pause": "0.5"}
    async with scene(tmp_path, media=pauses) as at:
        await at.stack.start_capture(at.call_id)

        async def ignored(place: int, keys: int) -> bool:
            return (await _field(at, place))["ignored"] == keys

        await at.customer.key(f"{CARD.number}1")  # a digit bounces
        await until(lambda: ignored(1, 1), "the digit to be reported")
        await asyncio.sleep(float(pauses["refusal_pause"]))
        await at.customer.key("112039")
        await until(lambda: ignored(1, 3), "the two digits left over to be reported")
        assert (await _field(at, 1))["reason"] == "expiry_long_year"
        # What a customer waits, whom the agent asks to key it anew.
        await asyncio.sleep(float(pauses["refusal_pause"]) + 0.5)
        await at.customer.key(f"{CARD.expiry}#{CARD.code}")
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256(CARD)
        await at.end(at.agent)
