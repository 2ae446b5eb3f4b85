"""A call between a customer and an agent, and a second agent's phone behind the same PBX."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from aiortc.rtp import RtpPacket, is_rtcp

from tests.stack import Stack, running, until
from tests.wire.handmade import EVENT_TYPE, Customer, MediaPair, offer, trunk
from tests.wire.paying import charged, digits_sha256, without_complaint
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer
from tests.wire.stream_peer import StreamCarrier


@dataclass
class Scene:
    """A call that is up between a customer and an old agent, and a new agent's phone behind the
    same PBX."""

    stack: Stack
    carrier: SipPeer
    pbx: SipPeer
    customer: Customer
    old: MediaPair
    new: MediaPair
    near: Call
    agent: Call
    call_id: str

    def refer(self, to: str = "<sip:600@pbx.example>", cseq: int = 1, **headers: str) -> None:
        self.pbx.send(self.pbx.request("REFER", call=self.agent, cseq=cseq, Refer_To=to, **headers))

    async def notified(self, code: int, state: str = "active") -> Heard:
        """The next NOTIFY, answered."""
        heard = await self.pbx.hear("NOTIFY")
        self.pbx.reply(heard, 200)
        assert heard.body.startswith(f"SIP/2.0 {code} "), heard.text
        assert heard.one("Content-Type") == "message/sipfrag;version=2.0"
        assert heard.one("Subscription-State").startswith(state)
        assert heard.one("Event") == "refer"
        return heard

    async def taken(self, body: str) -> Call:
        """The new agent answers; the carrier agrees to the re-INVITE that follows. The new agent's
        dialog."""
        invite = await self.pbx.hear("INVITE")
        self.pbx.reply(invite, 200, tag="new", body=body)
        again = await self.carrier.hear("INVITE")
        self.carrier.reply(again, 200, body=offer(self.customer.media.port))
        await self.carrier.hear("ACK")
        return Call.taken(invite, "new")

    async def paid(self, keys: str) -> None:
        """The customer keys the rest for the new agent, who hears him, submits it and has it
        charged."""
        heard = len(self.new.rtp.heard)
        await self.customer.key(keys)
        await until(lambda: len(self.new.rtp.heard) > heard, "speech at the new agent's phone")
        await self.stack.stage(self.call_id, "ready")
        assert (await self.stack.submit(self.call_id))["type"] == "approved"
        assert (await charged(self.stack, "order-1"))["digits_sha256"] == digits_sha256()

    async def end(self, new: Call) -> None:
        """The customer hangs up; until the agent's phone, whichever it is now, has heard so."""
        await self.customer_says("BYE")
        bye = await self.pbx.hear("BYE")
        assert bye.one("Call-ID") == new.call_id
        self.pbx.reply(bye, 200)

    async def customer_says(self, method: str, cseq: int = 9) -> None:
        self.carrier.send(self.carrier.request(method, call=self.near, cseq=cseq))
        await self.carrier.hear("200")


def events(pair: MediaPair) -> int:
    packets = [RtpPacket.parse(data) for data, _ in pair.rtp.heard if not is_rtcp(data)]
    return sum(packet.payload_type == EVENT_TYPE or len(packet.payload) == 4 for packet in packets)


@contextlib.asynccontextmanager
async def scene(
    folder: Path,
    describe: Callable[[int, str], str] = offer,
    media: dict[str, str] | None = None,
    general: dict[str, str] | None = None,
    *,
    pbx_keys: dict[str, str] | None = None,
    complaints: bool = True,
    over: StreamCarrier | None = None,
    more: dict[str, dict[str, str]] | None = None,
    late: float = 60.0,
    **carrier_keys: str,
) -> AsyncIterator[Scene]:
    """`describe`: the session that both ends want; `media`, `general`, `pbx_keys` and
    `carrier_keys`: more of the sections of those names; `more`: other sections. `complaints`: an
    error in the log is a fault. `late`: seconds that a late card is charged. `over`: the carrier,
    where it is not to be one by UDP."""
    extra = {"carrier": carrier_keys, "pbx": pbx_keys or {}, "media": media or {}, "general": general or {}}
    extra |= more or {}
    if over is not None:
        extra["carrier"] |= over.keys
        extra["general"] |= over.general
    with contextlib.ExitStack() as stack_of, trunk() as pbx:
        carrier: SipPeer = over or stack_of.enter_context(trunk())
        delay = ["--delay", str(late)]
        made = Stack(folder, carrier.port, pbx.port, pairs=20, extra=extra, provider_arguments=delay)
        async with (
            running(made) as stack,
            without_complaint(stack) if complaints else contextlib.nullcontext(),
        ):
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            if over is not None:
                await over.join()
            customer, old, new = Customer(carrier), MediaPair(), MediaPair()
            for pair in (customer.media, old, new):
                await pair.open()
                stack_of.callback(pair.close)
            carrier.send(carrier.request("INVITE", body=describe(customer.media.port, "customer")))
            invite = await pbx.hear("INVITE", 30)
            pbx.reply(invite, 200, body=describe(old.port, "old"))
            answer = await carrier.hear("200")
            near = Call.placed(answer)
            carrier.send(carrier.request("ACK", call=near))
            await pbx.hear("ACK")
            customer.far = (HOST, int(answer.body.partition("m=audio ")[2].split()[0]))
            [call] = await stack.calls_up()
            yield Scene(stack, carrier, pbx, customer, old, new, near, Call.taken(invite), call["id"])


def wanted(call: Call, more: str = "") -> str:
    """The Replaces that names a dialog of the PBX: our tag is its remote one."""
    to, from_ = (party.partition(";tag=")[2].partition(";")[0] for party in (call.remote, call.local))
    return f"{call.call_id};to-tag={to};from-tag={from_}{more}"
