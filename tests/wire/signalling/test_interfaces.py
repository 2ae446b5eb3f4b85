"""The two sides on addresses of their own: another network of ours, or IPv4 on one leg and IPv6 on
the other."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.canary import CANARY
from tests.stack import Stack, running, until
from tests.wire.handmade import Customer, Desk, trunk
from tests.wire.paying import charged, digits_sha256, nothing_left
from tests.wire.sip_peer import SipPeer


@dataclass
class Scene:
    stack: Stack
    customer: Customer
    desk: Desk


@contextlib.asynccontextmanager
async def scene(
    directory: Path, desk_host: str, extra: dict[str, dict[str, str]], **more: Any
) -> AsyncIterator[Scene]:
    """A customer at 127.0.0.1 and a desk, not yet in a call."""
    async with contextlib.AsyncExitStack() as undo:
        carrier = undo.enter_context(trunk())
        desk, customer = Desk(desk_host), Customer(carrier)
        await desk.open()
        undo.callback(desk.close)
        undo.callback(customer.media.close)
        given = {"general": {"listen": "udp:127.0.0.1:0, udp:[::1]:0"}, **extra}
        for keys in given.values():
            if keys.get("host") == desk_host:
                keys.setdefault("port", str(desk.port))
        stack = await undo.enter_async_context(
            running(Stack(directory, carrier.port, desk.port, pairs=20, extra=given, **more))
        )
        carrier.engine = ("127.0.0.1", stack.sip_port)
        yield Scene(stack, customer, desk)


def connection_address(body: str) -> tuple[str, str]:
    """Family and address in a description, which names them in o= and c= alike."""
    named = set(re.findall(r"IN (IP[46]) (\S+)", body))
    assert len(named) == 1, named
    return named.pop()


@pytest.mark.parametrize(
    ("desk_host", "media", "expected"),
    [
        ("::1", {"media_address": "::1"}, ("IP6", "::1")),
        ("127.0.0.1", {"media_address": "127.0.0.2"}, ("IP4", "127.0.0.2")),
    ],
    ids=["IPv6", "another network"],
)
async def test_a_card_is_paid_between_two_interfaces_and_each_side_is_told_its_own(
    tmp_path: Path, desk_host: str, media: dict[str, str], expected: tuple[str, str]
) -> None:
    async with scene(tmp_path, desk_host, {"pbx": {"host": desk_host, **media}}) as at:
        await at.customer.dial()
        [call] = await at.stack.calls_up()
        assert at.customer.far[0] == "127.0.0.1"
        [offered] = at.desk.invites.values()
        assert connection_address(offered) == expected
        await at.customer.play([at.customer.speech() for _ in range(5)])
        await until(lambda: len(at.desk.media.rtp.heard) == 5, "the customer's voice at the desk")
        assert at.desk.far[0] == expected[1]
        for _ in range(5):  # and the other way, from that family to this
            at.desk.media.rtp.send(at.customer.speech().serialize(), at.desk.far)
        await until(
            lambda: len(at.customer.media.rtp.heard) == 5, "the agent's voice at the customer's phone"
        )
        assert {origin[0] for _, origin in at.customer.media.rtp.heard} == {"127.0.0.1"}
        await at.stack.start_capture(call["id"])
        before = len(at.desk.media.rtp.heard)
        await at.customer.key(CANARY.keys)
        await at.stack.stage(call["id"], "ready")
        assert (await at.stack.submit(call["id"]))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        assert not [packet for packet in at.desk.packets()[before:] if packet.payload_type != 0]
        await at.customer.hang_up()
        await until(at.stack.records, "the call's record")
        [record] = at.stack.records()
        assert record["caller_foreign_source"] == record["agent_foreign_source"] == 0


async def test_a_call_that_goes_on_to_another_trunk_is_received_on_that_trunk_s_address(
    tmp_path: Path,
) -> None:
    with contextlib.closing(SipPeer()) as busy:
        extra = {
            "pbx one": {"host": "127.0.0.1", "port": str(busy.port), "media_address": "127.0.0.2"},
            "pbx two": {"host": "::1", "media_address": "::1"},
            "route": {"to": "one, two"},
        }
        async with scene(tmp_path, "::1", extra, without=("pbx",)) as at:
            calling = asyncio.create_task(at.customer.dial())
            refused = await busy.hear("INVITE")
            assert connection_address(refused.body) == ("IP4", "127.0.0.2")
            busy.reply(refused, 503)
            await calling
            [offered] = at.desk.invites.values()
            assert connection_address(offered) == ("IP6", "::1")
            await at.customer.play([at.customer.speech() for _ in range(5)])
            await until(lambda: len(at.desk.media.rtp.heard) == 5, "the customer's voice at the desk")
            assert at.desk.far[0] == "::1"

            async def one_session() -> bool:
                return (await at.stack.api.get("/healthz")).json()["sessions"] == 1

            await until(one_session, "one session, since the first was given up")
            await at.customer.hang_up()
            await nothing_left(at.stack)
