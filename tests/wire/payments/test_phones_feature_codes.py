"""Feature codes from telephones that are not ours: pjsua2 and baresip as the agent's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.stack import PATIENCE, Stack, running, until
from tests.wire.conftest import Peers
from tests.wire.paying import NUMBER, PHONE_EVENTS, Addresses, between, without_complaint

ORDER = {"transaction_id": "order-1", "amount": 4995, "currency": "EUR"}


async def told(stack: Stack, call_id: str, count: int) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        code = (await stack.call(call_id))["feature_code"]
        return code if code and code["count"] >= count else None

    return await until(there, f"code {count} to be carried out; see {stack.log}")


@pytest.mark.parametrize("kind", ["pjsua2", "baresip"])
async def test_codes_of_a_real_telephone_drive_the_payment_and_stay_with_us(peers: Peers, kind: str) -> None:
    at = Addresses(agent="127.0.0.1") if kind == "baresip" else Addresses()
    customer = await peers.phone("customer", address=at.customer)
    key: Callable[[str], Awaitable[Any]]
    if kind == "baresip":
        baresip = await peers.baresip(user=NUMBER)
        port = baresip.port

        async def key(keys: str) -> None:
            for each in keys:
                await baresip.command("sndcode", each)
    else:
        phone = await peers.phone("agent", address=at.agent, ring_ms=100)
        port, key = phone.port, phone.keys
    extra = at.conf()
    extra["pbx"] |= {"feature_codes": "yes"}
    async with (
        running(Stack(peers.directory, customer.port, port, pairs=20, extra=extra)) as stack,
        without_complaint(stack),
    ):
        await customer.call(at.number(stack))
        await customer.wait("media", PATIENCE)
        [call] = await stack.calls_up()
        async with peers.capture("codes", at.media(stack)) as codes:
            claim = (await stack.api.post("/v1/claims", json={"order": ORDER})).json()
            await key(f"*{claim['code']}#")
            assert (await told(stack, call["id"], 1))["feature"] == "link"
            await key("*1#")
            assert (await told(stack, call["id"], 2))["done"]
            await stack.stage(call["id"], "collecting")
            await key("*0#")
            assert (await told(stack, call["id"], 3))["done"]
            await stack.stage(call["id"], "cancelled")
        await stack.unmasked(call["id"])
        async with peers.capture("menu", at.media(stack)) as menu:
            await key("12")
            await until(
                lambda: between(menu, at.tonewall, at.customer).keys(PHONE_EVENTS) == "12",
                "the customer to get what is no code",
            )
        await customer.hangup()
    from_agent, to_customer = between(codes, at.agent, at.tonewall), between(codes, at.tonewall, at.customer)
    assert from_agent.keys(PHONE_EVENTS) == f"*{claim['code']}#*1#*0#"
    assert to_customer.events(PHONE_EVENTS) == 0
    assert to_customer.rtp
