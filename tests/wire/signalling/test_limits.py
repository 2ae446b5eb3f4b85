"""What one peer may take: m-lines and ports of a call, places of guests; and who it is by the
address that it came in on."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path

import pytest

from b2bua.call.leg import LegInvited
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Transport
from b2bua.sip.transport.admission import _MAX_GUESTS_PER_SOURCE
from tests.stack import Stack, running
from tests.wire.paying import nothing_left
from tests.wire.signalling.registering_pbx import DYNAMIC
from tests.wire.signalling.stage import OFFER
from tests.wire.sip_bridge import HOST, QUICK, Bridge, until
from tests.wire.sip_peer import Call, SipPeer

AUDIO = "m=audio {0} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"


def described(lines: int, port: int = 4000) -> str:
    head = f"v=0\r\no=peer 1 {lines} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    return head + "".join(AUDIO.format(port + 2 * each) for each in range(lines))


def used(body: str) -> list[bool]:
    return [port != "0" for port in re.findall(r"m=audio (\d+) ", body)]


async def test_a_call_has_ports_for_so_many_m_lines_and_refuses_the_rest_in_place(tmp_path: Path):
    carrier, pbx = SipPeer(), SipPeer()
    stack = Stack(tmp_path, carrier.port, pbx.port, pairs=8, extra={"general": {"max_media": "2"}})
    with contextlib.closing(carrier.socket), contextlib.closing(pbx.socket):
        async with running(stack):
            carrier.engine = pbx.engine = ("127.0.0.1", stack.sip_port)
            for _ in range(
                3
                # Eight pairs of ports: two calls of two m-lines each at a time, were it not for the
                # limit.
            ):
                carrier.send(carrier.request("INVITE", body=described(5)))
                invite = await pbx.hear("INVITE")
                assert used(invite.body) == [True, True, False, False, False]
                pbx.reply(invite, 200, body=described(5, 5000))
                ok = await carrier.hear("200")
                assert used(ok.body) == [True, True, False, False, False]
                call = Call.placed(ok)
                carrier.send(carrier.request("ACK", call=call))
                await pbx.hear("ACK")
                carrier.send(carrier.request("INVITE", call=call, cseq=2, body=described(6)))
                again = await pbx.hear("INVITE")
                assert used(again.body) == [True, True, False, False, False, False]
                pbx.reply(again, 200, body=described(6, 5000))
                assert used((await carrier.hear("200")).body) == [True, True, False, False, False, False]
                carrier.send(carrier.request("ACK", call=call, cseq=2))
                await pbx.hear("ACK")
                carrier.send(carrier.request("BYE", call=call, cseq=3))
                pbx.reply(await pbx.hear("BYE"), 200)
                await carrier.hear("200")
                await nothing_left(stack)


async def test_no_source_takes_the_places_of_all_who_may_be_about_to_register():
    carrier = SipPeer()
    trunks = Trunk("carrier", HOST, carrier.port), Trunk("pbx", **DYNAMIC)  # type: ignore[arg-type]
    bridge = Bridge.between(*trunks, [Bind(Transport.UDP, HOST, 0), Bind(Transport.TCP, HOST, 0)], QUICK)
    await bridge.engine.start()
    where = bridge.engine._transports._bound[2]
    writers = []

    async def guest(host: str) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection(where.host, where.port, local_addr=(host, 0))
        writers.append(writer)
        return reader

    try:
        for _ in range(_MAX_GUESTS_PER_SOURCE):
            await guest("127.0.0.66")
        await until(lambda: bridge.engine.counters().get("connections_in", 0) == _MAX_GUESTS_PER_SOURCE)
        with pytest.raises(ConnectionResetError):
            await (await guest("127.0.0.66")).read(1)
        assert bridge.engine.counters()["connections_refused_strangers"] == 1
        await guest("127.0.0.67")
        await until(lambda: bridge.engine.counters().get("connections_in", 0) == _MAX_GUESTS_PER_SOURCE + 1)
    finally:
        for writer in writers:
            writer.close()
        await bridge.engine.stop(0.05)
        carrier.close()


async def test_a_trunk_that_is_tied_to_an_address_of_ours_is_no_other():
    """Two trunks at one address, told apart by where they send; whoever writes to a third is a
    stranger."""
    peer, other = SipPeer(), SipPeer("127.0.0.9")
    binds = [Bind(Transport.UDP, host, 0) for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3")]
    near = Trunk("carrier", HOST, 9, bind="127.0.0.1")
    far = Trunk("pbx", HOST, 9, bind="127.0.0.2", networks=("127.0.0.9/32",))
    bridge = Bridge.between(near, far, binds, QUICK)
    await bridge.engine.start()
    try:
        bound = list(bridge.engine._transports._bound.values())
        for sender, place, trunk in (
            (peer, 0, "carrier"), (peer, 1, "pbx"), (other, 1, "pbx"), (peer, 2, None), (other, 0, None),
            (other, 2, None),
        ):  # fmt: skip
            sender.engine = bound[place].host, bound[place].port
            before = len(bridge.kinds(LegInvited))
            sender.send(sender.request("INVITE", body=OFFER))
            if trunk is None:
                await sender.hear("403")
                assert len(bridge.kinds(LegInvited)) == before
            else:
                await sender.hear("100")
                assert bridge.kinds(LegInvited)[-1].trunk == trunk
    finally:
        await bridge.engine.stop(0.05)
        peer.close()
        other.close()
