"""A voice bot takes a payment: its tools by the protocol's own client, the customer's keys by a
phone, and on the bot's own telephone none of them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.canary import CANARY, find_in_text
from tests.stack import PATIENCE, TOKEN, Stack, free_port
from tests.wire.conftest import Peers
from tests.wire.line import line
from tests.wire.paying import charged, digits_sha256, without_complaint

ROOT = Path(__file__).parents[3]


class Bot:
    """A bot that asks by its tools alone, and keeps what they said."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.heard: list[str] = []

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self._client.call_tool(tool, arguments)
        self.heard.append(result.model_dump_json())
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return result.structured_content

    async def until(self, call: str, **wanted: Any) -> dict[str, Any]:
        """The payment, once it is so."""
        async with asyncio.timeout(PATIENCE):
            while True:
                status = await self.ask("payment_status", call=call, wait=5)
                if wanted.items() <= status.items():
                    return status


@asynccontextmanager
async def bot_of(stack: Stack) -> AsyncIterator[Bot]:
    port = free_port()
    command = [sys.executable, "-m", "b2bua.cli", "mcp", "--api", stack.api_url, "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                break
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=40, trust_env=False) as http,
            Client(streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)) as client,
        ):
            yield Bot(client)
    finally:
        process.terminate()
        await process.wait()


async def test_a_bot_takes_a_payment_and_receives_no_digit(peers: Peers) -> None:
    async with line(peers) as wire, without_complaint(wire.stack), bot_of(wire.stack) as bot:
        await wire.dial()
        (found,) = (await bot.ask("find_call"))["calls"]
        call = found["call"]
        await bot.ask("take_payment", call=call, amount="19.99", currency="EUR", reference="bot-1")
        asking = await bot.until(call, stage="collecting")
        assert asking["protected"]
        assert asking["say"].startswith("Please key your card number")
        await wire.key(f"{CANARY.number[:-1]}{(int(CANARY.number[-1]) + 1) % 10}#")
        again = await bot.until(call, reason="card_number_check_digit")
        assert "once more" in again["say"]
        await wire.key(f"*{CANARY.keys}")
        assert (await bot.until(call, stage="ready"))["missing"] == []
        await bot.ask("ask_again", call=call, field="expiry")
        await bot.until(call, stage="collecting", field="expiry")
        await wire.key(f"*{CANARY.expiry}#")
        await bot.until(call, stage="ready")
        await bot.ask("charge", call=call)
        done = await bot.until(call, outcome="approved")
        assert done["over"]
        record = await charged(wire.stack, "bot-1")
        assert (record["charges"], record["digits_sha256"]) == (1, digits_sha256())
        assert wire.agent.seen("dtmf") == 0
        assert find_in_text(json.dumps(bot.heard)) == []
        await wire.hang_up()


async def test_a_bot_gives_up_and_nothing_is_charged(peers: Peers) -> None:
    async with line(peers) as wire, without_complaint(wire.stack), bot_of(wire.stack) as bot:
        call = await wire.dial()
        await bot.ask("take_payment", call=call, amount="19.99", currency="EUR", reference="bot-2")
        await bot.until(call, stage="collecting")
        await wire.key(CANARY.number[:6])
        await bot.until(call, keyed=6)
        assert (await bot.ask("cancel", call=call))["over"]
        assert await wire.stack.charges() == []
        assert wire.agent.seen("dtmf") == 0
        await wire.hang_up()
