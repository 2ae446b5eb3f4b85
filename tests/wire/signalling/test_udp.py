"""SIP over UDP from behind NAT: keep-alives that hold a hole open, and the address that peers see
instead of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.stack import Stack, free_port, running
from tests.wire import handmade
from tests.wire.paying import nothing_left, without_complaint
from tests.wire.signalling.registering_pbx import DYNAMIC, Pbx, hops
from tests.wire.signalling.stage import OFFER, Stage
from tests.wire.sip_bridge import QUICK, Bridge, until
from tests.wire.sip_peer import HOST, Call, SipPeer, next_datagram

OUTSIDE = "127.0.0.50"  # where the NAT in front of Tonewall has put it
CARRIER, PBX = "127.0.0.4", "127.0.0.5"


@contextlib.asynccontextmanager
async def between(carrier: SipPeer, pbx: SipPeer, **pbx_trunk: object) -> AsyncIterator[Stage]:
    bridge = Bridge(carrier.port, pbx.port, QUICK, **pbx_trunk)
    await bridge.engine.start()
    carrier.engine = pbx.engine = bridge.engine.address
    try:
        yield Stage(bridge, carrier, pbx)
    finally:
        await bridge.engine.stop(0.05)
        carrier.close()
        pbx.close()


async def test_a_trunk_with_keepalive_gets_two_crlf_from_our_port_again_and_again_and_no_other_trunk_does():
    carrier, pbx = SipPeer(), SipPeer()
    async with between(carrier, pbx, keepalive=0.5) as stage:
        async with asyncio.timeout(10):
            for _ in range(3):
                data, source = await next_datagram(pbx.socket)
                assert (
                    data == b"\r\n\r\n"
                    # RFC 5626 section 3.5.1; fewer NATs take it for a flood than empty datagrams.
                )
                assert source == stage.bridge.engine.address
        carrier.send(carrier.request("OPTIONS"))
        assert (await next_datagram(carrier.socket))[0].startswith(b"SIP/2.0 200 ")


async def test_a_pbx_that_registered_over_udp_is_kept_reachable_where_it_came_from():
    carrier, pbx = SipPeer(), SipPeer()
    async with between(carrier, pbx, keepalive=0.5, **DYNAMIC) as stage:
        await Pbx(stage).registered(Contact="<sip:me@192.0.2.55:5099>")
        assert hops(stage) == [(HOST, pbx.port)]
        async with asyncio.timeout(10):
            while (await next_datagram(pbx.socket))[0] != b"\r\n\r\n":
                pass


async def test_everything_of_a_call_goes_where_a_pbx_behind_nat_came_from():
    carrier, pbx = SipPeer(), SipPeer()
    async with between(carrier, pbx, **DYNAMIC) as stage:
        private = {"Contact": "<sip:me@192.0.2.55:5099>"}
        await Pbx(stage).registered(**private)
        carrier.send(carrier.request("INVITE", body=OFFER))
        pbx.reply(await pbx.hear("INVITE"), 200, body=OFFER, **private)
        near = Call.placed(await carrier.hear("200"))
        carrier.send(carrier.request("ACK", call=near))
        ack = await pbx.hear("ACK")
        assert ack.uri == "sip:me@192.0.2.55:5099"
        carrier.send(carrier.request("BYE", call=near, cseq=2))
        pbx.reply(await pbx.hear("BYE"), 200)
        await carrier.hear("200")


async def test_keepalives_of_a_peers_are_counted_and_not_answered():
    carrier, pbx = SipPeer(), SipPeer()
    async with between(carrier, pbx) as stage:
        for crlf in ("\r\n\r\n", "\r\n", "\0\0"):
            pbx.send(crlf)
        await until(lambda: stage.bridge.engine.counters().get("keepalives") == 3)
        pbx.send(pbx.request("OPTIONS"))
        assert (await pbx.hear("200")) is pbx.heard[0]


async def test_peers_are_told_the_advertised_addresses_and_reach_us_there(tmp_path: Path) -> None:
    carrier, pbx, port = SipPeer(CARRIER), SipPeer(PBX), free_port()
    extra = {
        "general": {"bind": "0.0.0.0", "port": str(port), "advertised": OUTSIDE},
        "media": {"advertised": OUTSIDE},
        "carrier": {"host": CARRIER},
        "pbx": {"host": PBX},
    }
    stack = Stack(tmp_path, carrier.port, pbx.port, extra=extra)
    with contextlib.closing(carrier.socket), contextlib.closing(pbx.socket):
        async with running(stack), without_complaint(stack):
            carrier.engine = pbx.engine = (OUTSIDE, port)
            carrier.send(carrier.request("INVITE", body=handmade.offer(4000)))
            invite = await pbx.hear("INVITE")
            assert invite.all("Via")[0].startswith(f"SIP/2.0/UDP {OUTSIDE}:{port};")
            pbx.reply(invite, 200, body=handmade.offer(5000))
            ok = await carrier.hear("200")
            near, far = Call.placed(ok), Call.taken(invite)
            assert near.target == far.target == f"sip:{OUTSIDE}:{port}"
            assert HOST not in invite.text
            for message in (invite, ok):
                assert f"c=IN IP4 {OUTSIDE}\r\n" in message.body
                assert HOST not in message.body
            carrier.send(carrier.request("ACK", call=near))
            await pbx.hear("ACK")
            await stack.calls_up()
            pbx.send(pbx.request("BYE", call=far))
            carrier.reply(await carrier.hear("BYE"), 200)
            await pbx.hear("200")
            await nothing_left(stack)
