"""Calls with telephone numbers of their own, and the search for traces of a number."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.canary import CANARY
from tests.stack import Stack, running, until
from tests.wire.handmade import Customer, MediaPair, offer, trunk
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer

# Of ranges that nobody has (Ofcom's and the Bundesnetzagentur's numbers for films).
CALLER, CALLEE, MOBILE = "+441632960147", "+4930230558391", "+4915735980321"


def forms(number: str, country: str) -> list[str]:
    """How a number may be written: international, national, escaped, in groups, reversed."""
    digits = number.removeprefix("+")
    national = digits.removeprefix(country)
    plain = [digits, national, national[-7:]]
    grouped = [f"{national[:4]}{gap}{national[4:]}" for gap in (" ", "-", "%20", ".")]
    return [*plain, *grouped, *(each[::-1] for each in plain), digits.encode().hex()]


def traces(folder: Path, number: str, country: str) -> list[str]:
    """The files below a folder in which a number stands, in any form."""
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        octets = path.read_bytes()
        for encoding in ("ascii", "utf-16-le", "utf-16-be"):
            for form in forms(number, country):
                if form.encode(encoding) in octets:
                    found.append(f"{path.name}: {form!r} in {encoding}")
    return found


@dataclass
class Numbered:
    """A Tonewall between a carrier, whose customers have numbers, and a PBX."""

    stack: Stack
    carrier: SipPeer
    pbx: SipPeer
    agent: MediaPair

    def invite(self, *, caller: str = CALLER, callee: str = CALLEE, body: str = "", **headers: str) -> str:
        """The carrier's INVITE, with the numbers wherever SIP has one."""
        given = {
            "From": f'"{caller}" <sip:{caller}@{HOST};user=phone>;tag=near',
            "To": f"<sip:{callee}@{HOST};user=phone>",
            "Contact": self.carrier.contact(caller),
            "P_Asserted_Identity": f"<tel:{caller}>",
        }
        text = self.carrier.request("INVITE", body=body, **(given | headers))
        return text.replace("sip:bob@", f"sip:{callee}@", 1)

    async def refused(self, code: int = 486) -> None:
        """A call that the PBX refuses, with the caller's number in its words."""
        self.carrier.send(self.invite(body=offer(self.agent.port), Call_ID=f"{CALLER}.{code}@{CALLEE}"))
        heard = await self.pbx.hear("INVITE", 30)
        self.pbx.reply(heard, code, Reason=f'Q.850;cause=17;text="{CALLER} is busy"')
        await self.carrier.hear(str(code), 30)

    async def call(self, customer: Customer, **headers: str) -> tuple[str, Heard]:
        """A call that is answered at a mobile number: its id, and the INVITE that the PBX got."""
        await customer.media.open()
        self.carrier.send(self.invite(body=offer(customer.media.port), **headers))
        heard = await self.pbx.hear("INVITE", 30)
        asserted = f'"{MOBILE}" <sip:{MOBILE}@{HOST}>'
        answer = offer(self.agent.port, "desk")
        self.pbx.reply(
            heard, 200, body=answer, Contact=self.pbx.contact(MOBILE), P_Asserted_Identity=asserted
        )
        answered = await self.carrier.hear("200", 30)
        customer._call = placed = Call.placed(answered)
        self.carrier.send(self.carrier.request("ACK", call=placed))
        await self.pbx.hear("ACK")
        customer.far = (HOST, int(re.findall(r"m=audio (\d+) ", answered.body)[0]))
        [view] = await self.stack.calls_up()
        return str(view["id"]), heard

    async def paid(self, call: str, customer: Customer) -> None:
        """The customer pays order-1 in that call."""
        await self.stack.start_capture(call)
        await customer.key(f"{CANARY.number}{CANARY.expiry}{CANARY.code}")
        await self.stack.stage(call, "ready")
        assert (await self.stack.submit(call))["type"] == "approved"

    async def hang_up(self, customer: Customer) -> None:
        """The customer hangs up; until the PBX and the records know it."""
        before = len(self.stack.records())
        await customer.hang_up()
        self.pbx.reply(await self.pbx.hear("BYE", 30), 200)
        await until(lambda: len(self.stack.records()) > before, "the call's record")


@contextlib.asynccontextmanager
async def numbered(
    folder: Path, extra: dict[str, dict[str, str]] | None = None, **carrier_keys: str
) -> AsyncIterator[Numbered]:
    """`extra`: more of the settings, by section; `carrier_keys`: of the carrier's."""
    more = {"carrier": carrier_keys, "pbx": {"feature_codes": "yes", "trust": "yes"}} | (extra or {})
    with trunk() as near, trunk() as pbx:
        agent = MediaPair()
        await agent.open()
        try:
            async with running(Stack(folder, near.port, pbx.port, pairs=20, extra=more)) as stack:
                near.engine = pbx.engine = (HOST, stack.sip_port)
                yield Numbered(stack, near, pbx, agent)
        finally:
            agent.close()
