"""Calls between sipp and a phone in which a card is keyed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stack import Stack, free_port, running
from tests.wire.peers import sipp

CALLS = 20
EXPIRY, CODE = "1139", "739"


def card_number(call: int) -> str:
    """A Visa number of its own for each call, with its check digit (ISO/IEC 7812-1)."""
    body = f"492958017{call:02}{(call * 7919) % 10000:04}"
    total = sum(
        int(digit) if index % 2 else sum(divmod(2 * int(digit), 10)) for index, digit in enumerate(body)
    )
    return f"{body}{-total % 10}"


def digits_sha256(number: str) -> str:
    """What the provider says that it was sent, in order: number, MMYY, code."""
    return hashlib.sha256(f"{number}{EXPIRY}{CODE}".encode()).hexdigest()


@dataclass(slots=True)
class Trunk:
    """A running Tonewall between two sipps."""

    stack: Stack
    carrier: sipp.Sipp
    pbx: sipp.Sipp

    @property
    def agent_ports(self) -> list[int]:
        return [self.pbx.rtp_port(call) for call in range(1, CALLS + 1)]

    @property
    def customer_ports(self) -> list[int]:
        return [self.carrier.rtp_port(call) for call in range(1, CALLS + 1)]


@asynccontextmanager
async def trunk(
    folder: Path, carrier_steps: list[sipp.Step], pbx_steps: list[sipp.Step], calls: int
) -> AsyncIterator[Trunk]:
    """sipp on both sides of a Tonewall that knows them as carrier and PBX; the calls are placed at
    once."""
    (folder / "carrier").mkdir(exist_ok=True)
    (folder / "pbx").mkdir(exist_ok=True)
    answers = sipp.scenario("pbx", folder / "pbx", pbx_steps, sipp.AWAIT_BYE)
    pbx = await sipp.Sipp.start(answers, folder / "pbx", calls=calls)
    try:
        carrier_port = free_port()
        async with running(Stack(folder, carrier_port, pbx.port)) as stack:
            pays = sipp.scenario("carrier", folder / "carrier", carrier_steps, sipp.HANG_UP)
            carrier = await sipp.Sipp.start(
                pays, folder / "carrier", remote=("127.0.0.1", stack.sip_port), calls=calls, port=carrier_port
            )
            try:
                yield Trunk(stack, carrier, pbx)
            finally:
                await carrier.stop()
    finally:
        await pbx.stop()
