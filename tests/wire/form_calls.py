"""A call that we answer: a customer who keys without an agent, and the place where it goes on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.stack import Stack, running, until
from tests.wire.handmade import Customer, MediaPair, offer, trunk
from tests.wire.paying import without_complaint
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer

FORM_NUMBER, PERSON, NEXT = "800", "600", "700"
ROUTES = {
    "route pay": {
        "callee": FORM_NUMBER, "ends_in": "form", "amount": "4995", "currency": "EUR",
        "then": f"pbx/{NEXT}", "person": f"pbx/{PERSON}",
    },
    "route in": {"source": "carrier", "to": "pbx"},
    "route out": {"source": "pbx", "to": "carrier"},
}  # fmt: skip


async def until_step(stack: Stack, call_id: str, *steps: str) -> dict[str, Any]:
    """The call, once its form is at one of these steps."""
    seen: dict[str, Any] = {}

    async def there() -> dict[str, Any] | None:
        seen.update(await stack.call(call_id))
        return seen if seen["unattended"] and seen["unattended"]["step"] in steps else None

    try:
        return await until(there, "")
    except AssertionError:
        raise AssertionError(f"{seen.get('unattended')}, never {steps}; {seen.get('capture')}") from None


@dataclass
class FormCall:
    """A call of `caller`'s that our end answered. `near`: its dialog; `next`: a phone for the place
    behind."""

    stack: Stack
    carrier: SipPeer
    pbx: SipPeer
    caller: SipPeer
    customer: Customer
    next: MediaPair
    near: Call
    answer: Heard
    call_id: str
    cseqs: dict[str, int] = field(default_factory=dict)

    async def step(self, *steps: str) -> dict[str, Any]:
        """The call, once its form is at one of these steps."""
        return await until_step(self.stack, self.call_id, *steps)

    async def keyed(self, keys: str) -> None:
        """The customer keys a whole card."""
        await self.step("keying")
        await self.customer.key(keys)
        await self.step("confirming")

    async def confirmed(self) -> None:
        """The customer says yes to the amount, not at once."""
        await self.customer.play([self.customer.speech() for _ in range(60)])
        await self.customer.key("#")

    async def goes_on(self, number: str, tag: str = "next") -> Call:
        """The next place answers; its dialog."""
        invite = await self.pbx.hear("INVITE", 30)
        assert invite.uri.startswith(f"sip:{number}@"), invite.uri
        self.pbx.reply(invite, 180, tag=tag)
        self.pbx.reply(invite, 200, tag=tag, body=offer(self.next.port, "next"))
        await self.pbx.hear("ACK")
        await self.step("done")
        return Call.taken(invite, tag)

    async def talks(self) -> None:
        """Speech of the customer comes to the next place."""
        heard = len(self.next.rtp.heard)
        await self.customer.play([self.customer.speech() for _ in range(10)])
        await until(lambda: len(self.next.rtp.heard) > heard + 3, "speech at the next place")

    async def hangs_up(self, cseq: int = 9) -> None:
        self.caller.send(self.caller.request("BYE", call=self.near, cseq=cseq))
        await self.caller.hear("200")


def conf(more: dict[str, dict[str, str]] | None = None, **route: str) -> dict[str, dict[str, str]]:
    """`route`: more keys of the route that ends in the form, or others; `more`: of other
    sections."""
    changed = {**ROUTES, "route pay": {**ROUTES["route pay"], **route}}
    return changed | (more or {})


@contextlib.asynccontextmanager
async def form_call(
    folder: Path,
    more: dict[str, dict[str, str]] | None = None,
    *,
    by_pbx: bool = False,
    headers: dict[str, str] | None = None,
    prepared: dict[str, Any] | None = None,
    late: float = 60.0,
    **route: str,
) -> AsyncIterator[FormCall]:
    """`more`, `route`: as for `conf`; `by_pbx`: the caller comes through the PBX; `headers`: of the
    INVITE; `prepared`: a payment that waits for the call; `late`: seconds that a
    late card is charged."""
    with contextlib.ExitStack() as stack_of, trunk() as pbx, trunk() as carrier:
        made = Stack(
            folder, carrier.port, pbx.port, pairs=20, extra=conf(more, **route),
            provider_arguments=["--delay", str(late)],
        )  # fmt: skip
        async with (
            running(made) as stack,
            without_complaint(stack),
        ):
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            caller = pbx if by_pbx else carrier
            customer, place = Customer(caller, obeys=False), MediaPair()
            for pair in (customer.media, place):
                await pair.open()
                stack_of.callback(pair.close)
            if prepared is not None:
                (await stack.api.post("/v1/payments", json=prepared)).raise_for_status()
            text = caller.request("INVITE", body=offer(customer.media.port), **(headers or {}))
            caller.send(text.replace("INVITE sip:bob@", f"INVITE sip:{FORM_NUMBER}@", 1))
            answer = await caller.hear("200")
            near = Call.placed(answer)
            caller.send(caller.request("ACK", call=near))
            customer.far = (HOST, int(answer.body.partition("m=audio ")[2].split()[0]))
            [call] = await stack.calls_up()
            yield FormCall(stack, carrier, pbx, caller, customer, place, near, answer, call["id"])
