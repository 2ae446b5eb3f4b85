"""Settles a charge by the runner itself against a provider that is played here, with no socket."""

from __future__ import annotations

import json
from typing import Any

import httpx

from provider_adapters.account import Account
from provider_adapters.base import Flow, Request
from provider_adapters.card import Card
from provider_adapters.local.dialect import Dialect
from provider_adapters.payer.runner import Runner
from provider_adapters.payment import Charge, Outcome

ACCOUNT = Account(
    adapter="connector",
    url="https://pay.example.com",
    api_key="k",
    journal="/nowhere",
    timeout=5.0,
    inquiry_time=5.0,
    token_type="none",
)
"""What the runner itself needs to know."""


class Played(httpx.AsyncBaseTransport):
    """The far end, at httpx's own seam. `sent`: method and path of each request."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.sent: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        path = request.url.raw_path.decode()
        self.sent.append((request.method, path))
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = await self._dialect.handle(request.method, path, headers, await request.aread())
        if answer is None or answer.cut:
            raise httpx.RemoteProtocolError("closed without a complete answer")
        return httpx.Response(answer.status, stream=httpx.ByteStream(json.dumps(answer.body).encode()))


async def settle(
    flow: Flow[Any], charge: Charge, card: Card, dialect: Dialect
) -> tuple[Outcome, list[Request], list[tuple[str, str]]]:
    """What the charge comes to in the end, what was noted on the way, and what was sent."""
    noted: list[Request] = []
    runner, wire = Runner(ACCOUNT, noted.append), Played(dialect)
    runner._client._transport = wire
    try:
        outcome = await runner.settle(flow.charge(charge, card), lambda notes: flow.inquire(charge, notes))
    finally:
        await runner.close()
    return outcome, noted, wire.sent
