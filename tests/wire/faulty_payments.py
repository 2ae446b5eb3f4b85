"""What the tests of a provider's faults share: a payment by the name of what its card does, and the
provider's own account of it."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

from provider_adapters.local.books import BEHAVIOURS
from tests.wire.line import Line

CARDS = {behaviour.name: number for number, behaviour in BEHAVIOURS.items()} | {"approved": "378282246310005"}
IN_A_HURRY = {"provider": {"inquiry_time": "1.5"}}


def keys(card: str) -> str:
    """Card number, expiry and code, for the phone. American Express: shortest to key, as its number
    needs no end."""
    return f"{CARDS[card]}11397391" if card == "approved" else f"{CARDS[card]}#1139739"


async def pay(wire: Line, call_id: str, card: str) -> dict[str, Any]:
    """Key and submit that card; the outcome, once the voice was heard to go on both ways during and
    after the charge."""
    await wire.keyed(call_id, keys(card), transaction=card)
    answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture/submit")
    assert answer.status_code == 200, answer.text
    assert answer.json()["capture"]["stage"] == "charging"
    await wire.voice()
    capture = await wire.stack.stage(call_id, "finished")
    await wire.voice()
    await wire.unmasked(call_id)
    assert capture["outcome"]
    return capture["outcome"]


async def report(wire: Line) -> dict[str, Any]:
    """The provider's own account: how many charges it was asked for, and what it charged for
    each."""
    trust = ssl.create_default_context(cafile=wire.stack.provider["ca_file"])
    async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
        return (await client.get(f"{wire.stack.provider['url']}/test/charges")).json()


async def charged(wire: Line) -> dict[str, int]:
    """How often each payment was charged; of a fault without a charge the provider keeps no
    record."""
    return {record["transaction_id"]: record["charges"] for record in (await report(wire))["records"]}
