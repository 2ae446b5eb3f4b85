"""kamailio stays in the path between Tonewall and the PBX: everything within a dialog goes through
it, both ways."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack import Stack, free_port, running
from tests.wire.paying import without_complaint
from tests.wire.peers import kamailio
from tests.wire.signalling.stage import ack_of
from tests.wire.sip_peer import HOST, SDP, Call, Heard, SipPeer

pytestmark = pytest.mark.skipif(not kamailio.available(), reason="kamailio is not here")
OFFER, ANSWER, HELD = SDP.format("near"), SDP.format("far"), SDP.format("held") + "a=sendonly\r\n"
CARRIER = "127.0.0.4"


@dataclass
class Path3:
    """carrier, Tonewall, kamailio, PBX."""

    stack: Stack
    carrier: SipPeer
    pbx: SipPeer
    proxy: int

    def through(self, *messages: Heard) -> None:
        """All of these came from kamailio."""
        assert {message.source[1] for message in messages} == {self.proxy}

    def send(self, method: str, call: Call, cseq: int, invite: Heard, body: str = "", **headers: str) -> None:
        """A request of the PBX's within its call, along the route that the INVITE recorded."""
        route = ", ".join(invite.all("Record-Route"))
        text = self.pbx.request(method, call=call, cseq=cseq, body=body, Route=route, **headers)
        self.pbx.send(text, (HOST, self.proxy))

    async def up(self, **headers: str) -> tuple[Call, Call, Heard]:
        """As the carrier and as the PBX have the call, and the INVITE at the PBX."""
        self.carrier.send(self.carrier.request("INVITE", body=OFFER))
        invite = await self.pbx.hear("INVITE")
        assert len(invite.all("Record-Route")) == 1
        recorded = {"Record_Route": invite.one("Record-Route")}
        self.pbx.reply(invite, 183, body=ANSWER, RSeq="5", Require="100rel", **recorded, **headers)
        prack = await self.pbx.hear("PRACK")
        self.pbx.reply(prack, 200)
        self.pbx.reply(invite, 200, body=ANSWER, **recorded)
        ok = await self.carrier.hear("200")
        assert "Record-Route" not in ok.text
        near = Call.placed(ok)
        self.carrier.send(self.carrier.request("ACK", call=near))
        self.through(invite, prack, await self.pbx.hear("ACK"))
        return near, Call.taken(invite), invite


@contextlib.asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Path3]:
    carrier, pbx, port = SipPeer(CARRIER), SipPeer(), free_port()
    extra = {"carrier": {"host": CARRIER}, "pbx": {"refer": "yes"}}
    stack = Stack(folder, carrier.port, port, extra=extra)
    with contextlib.closing(carrier.socket), contextlib.closing(pbx.socket):
        async with running(stack), without_complaint(stack):
            proxy = await kamailio.Kamailio.start(folder, stack.sip_port, pbx.port, port)
            try:
                carrier.engine = (HOST, stack.sip_port)
                pbx.engine = (HOST, port)
                yield Path3(stack, carrier, pbx, port)
            finally:
                await proxy.stop()


async def test_a_call_with_everything_in_it_goes_through_the_proxy(tmp_path: Path) -> None:
    async with staged(tmp_path) as path:
        near, far, invite = await path.up()
        carrier, pbx = path.carrier, path.pbx
        carrier.send(carrier.request("INVITE", call=near, cseq=2, body=HELD))
        held = await pbx.hear("INVITE")
        assert "a=sendonly" in held.body
        pbx.reply(held, 200, body=ANSWER)
        assert (await carrier.hear("200")).one("CSeq") == "2 INVITE"
        carrier.send(carrier.request("ACK", call=near, cseq=2))
        path.through(held, await pbx.hear("ACK"))
        path.send("INVITE", far, 1, invite, body=HELD)
        carrier.reply(await carrier.hear("INVITE"), 200, body=OFFER)
        await carrier.hear("ACK")
        path.through(await pbx.hear("200"))
        path.send("ACK", far, 1, invite)
        path.send("INFO", far, 2, invite, body="hello", Content_Type="text/plain")
        asked = await carrier.hear("INFO")
        assert "Record-Route" not in asked.text
        assert "Route:" not in asked.text
        carrier.reply(asked, 200)
        path.through(await pbx.hear("200"))
        carrier.send(carrier.request("BYE", call=near, cseq=3))
        bye = await pbx.hear("BYE")
        path.through(bye)
        pbx.reply(bye, 200)
        await carrier.hear("200")


async def test_the_pbx_hangs_up_through_the_proxy(tmp_path: Path) -> None:
    async with staged(tmp_path) as path:
        _, far, invite = await path.up()
        path.send("BYE", far, 1, invite)
        path.carrier.reply(await path.carrier.hear("BYE"), 200)
        path.through(await path.pbx.hear("200"))


async def test_a_call_of_the_pbx_comes_through_the_proxy_and_is_cancelled_through_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as path:
        carrier, pbx = path.carrier, path.pbx
        text = pbx.request("INVITE", body=OFFER)
        pbx.send(text)
        invite = await carrier.hear("INVITE")
        assert "Record-Route" not in invite.text
        carrier.reply(invite, 180)
        ringing = await pbx.hear("180")
        assert len(ringing.all("Record-Route")) == 1
        path.through(ringing)
        pbx.send(text.replace("INVITE sip", "CANCEL sip", 1).replace("1 INVITE", "1 CANCEL"))
        carrier.reply(await carrier.hear("CANCEL"), 200)
        carrier.reply(invite, 487)
        await carrier.hear("ACK")
        final = await pbx.hear("487")
        pbx.send(ack_of(pbx, final))
