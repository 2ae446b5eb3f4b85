"""A trunk behind NAT (`nat = yes`): SIP goes where the peer came from, whatever it believes its
address to be."""

from __future__ import annotations

import contextlib
import re

import pytest

from b2bua.call.leg import LegConfirmed
from b2bua.call.leg_command import HangUpLeg, ReinviteLeg
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Transport
from tests.wire.signalling.stage import ANSWER, HELD, OFFER, Stage, staged
from tests.wire.sip_bridge import HOST, QUICK, Bridge, until
from tests.wire.sip_peer import Call, SipPeer
from tests.wire.stream_peer import StreamPeer

PRIVATE = "<sip:gw@10.0.0.5:5070>"  # nobody ever answers there


def private(peer: SipPeer) -> None:
    """Let a peer believe that it has an address of its own."""
    peer.contact = lambda user: PRIVATE.replace("gw", user)  # type: ignore[method-assign]


async def test_what_we_send_in_a_call_goes_where_the_answer_came_from():
    async with staged(nat=True) as stage:
        private(stage.pbx)
        await stage.up()  # the ACK has come
        ack = next(each for each in stage.pbx.heard if each.what == "ACK")
        assert ack.uri == "sip:far@10.0.0.5:5070"  # the target stays its own
        stage.bridge.engine.execute_command(stage.far_leg, ReinviteLeg(HELD.encode()))
        again = await stage.pbx.hear("INVITE")
        stage.pbx.reply(again, 200, body=ANSWER)
        await stage.pbx.hear("ACK")
        stage.bridge.engine.execute_command(stage.far_leg, HangUpLeg())
        stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
        stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
        await stage.empty()


@pytest.mark.parametrize("contact", [PRIVATE, ""], ids=["private", "none"])
async def test_who_calls_from_behind_nat_is_reached_where_it_called_from(contact: str):
    async with staged(near={"nat": True}) as stage:  # type: ignore[dict-item]
        carrier, pbx = stage.carrier, stage.pbx
        carrier.send(carrier.request("INVITE", body=OFFER, Contact=contact))
        invite = await pbx.hear("INVITE")
        pbx.reply(invite, 200, body=ANSWER)
        near = Call.placed(await carrier.hear("200"))
        carrier.send(carrier.request("ACK", call=near, Contact=contact))
        await pbx.hear("ACK")
        await until(lambda: stage.bridge.kinds(LegConfirmed) != [])
        pbx.send(pbx.request("INVITE", call=Call.taken(invite), body=HELD))
        carrier.reply(await carrier.hear("INVITE"), 200, body=ANSWER, Contact=contact)
        await carrier.hear("ACK")
        await pbx.hear("200")
        pbx.send(pbx.request("ACK", call=Call.taken(invite)))
        pbx.send(pbx.request("BYE", call=Call.taken(invite), cseq=2))
        carrier.reply(await carrier.hear("BYE"), 200)
        await pbx.hear("200")
        await stage.empty()


async def test_a_peer_whose_nat_gave_it_another_port_is_reached_there_from_its_next_request_on():
    async with staged(nat=True) as stage:
        private(stage.pbx)
        near, far = await stage.up()
        moved = SipPeer()
        moved.engine = stage.pbx.engine
        private(moved)
        with contextlib.closing(moved.socket):
            moved.send(moved.request("OPTIONS", call=far))
            await moved.hear("200")
            stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
            moved.reply(await moved.hear("BYE"), 200)
            await stage.carrier.hear("200")
            await stage.empty()


async def test_a_proxy_that_asked_to_stay_on_the_way_is_kept_on_it():
    async with staged(nat=True) as stage:
        proxy = SipPeer()
        proxy.engine = stage.pbx.engine
        with contextlib.closing(proxy.socket):
            invite, _ = await stage.ring()
            route = f"<sip:127.0.0.1:{proxy.port};lr>"
            stage.pbx.reply(invite, 200, body=ANSWER, Contact=PRIVATE, Record_Route=route)
            near = Call.placed(await stage.carrier.hear("200"))
            stage.carrier.send(stage.carrier.request("ACK", call=near))
            assert (await proxy.hear("ACK")).one("Route") == route
            stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
            proxy.reply(await proxy.hear("BYE"), 200)
            await stage.carrier.hear("200")
            await stage.empty()


async def test_without_nat_the_contact_is_where_a_peer_is():
    async with staged() as stage:
        contact = SipPeer()
        with contextlib.closing(contact.socket):
            invite, _ = await stage.ring()
            stage.pbx.reply(invite, 200, body=ANSWER, Contact=contact.contact("far"))
            near = Call.placed(await stage.carrier.hear("200"))
            stage.carrier.send(stage.carrier.request("ACK", call=near))
            await contact.hear("ACK")
            stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
            contact.reply(await contact.hear("BYE"), 200)
            await stage.carrier.hear("200")


async def test_a_prack_goes_where_the_183_came_from():
    async with staged(nat=True) as stage:
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        invite = await stage.pbx.hear("INVITE")
        stage.pbx.reply(invite, 183, body=ANSWER, Contact=PRIVATE, Require="100rel", RSeq="1")
        stage.pbx.reply(await stage.pbx.hear("PRACK"), 200, Contact=PRIVATE)
        stage.pbx.reply(invite, 486)
        await stage.carrier.hear("486")


@pytest.mark.parametrize("asks", [True, False], ids=["rport", "none"])
async def test_an_answer_goes_to_the_port_that_was_sent_from_asked_to_or_not(asks: bool):
    async with staged(near={"nat": True}) as stage:  # type: ignore[dict-item]
        text = re.sub(r"(Via: \S+) [^;]*(;rport)?", r"\1 10.0.0.5:5070\2" if asks else r"\1 10.0.0.5:5070",
                      stage.carrier.request("OPTIONS"))  # fmt: skip
        stage.carrier.send(text)
        via = (await stage.carrier.hear("200")).one("Via")
        assert (f"rport={stage.carrier.port}" in via) is asks


@contextlib.asynccontextmanager
async def over_tcp():
    """A carrier by UDP, and a PBX behind NAT by TCP."""
    carrier, pbx = SipPeer("127.0.0.1"), StreamPeer("127.0.0.2")
    trunks = (
        Trunk("carrier", HOST, carrier.port),
        Trunk("pbx", "127.0.0.2", pbx.port, transport="tcp", nat=True),
    )
    bridge = Bridge.between(*trunks, [Bind(Transport.UDP, HOST, 0), Bind(Transport.TCP, HOST, 0)], QUICK)
    await bridge.engine.start()
    bound = bridge.engine._transports._bound
    carrier.engine, pbx.engine = ((bound[flow].host, bound[flow].port) for flow in (1, 2))
    try:
        yield Stage(bridge, carrier, pbx)
        assert bridge.engine.counters().get("errors", 0) == 0
    finally:
        await bridge.engine.stop(0.05)
        await pbx.stop()
        pbx.close()
        carrier.close()


async def test_over_tcp_everything_goes_down_the_connection_that_the_call_came_over():
    async with over_tcp() as stage:
        await stage.pbx.connect()
        stage.pbx.send(stage.pbx.request("INVITE", body=OFFER, Contact=PRIVATE))
        invite = await stage.carrier.hear("INVITE")
        stage.carrier.reply(invite, 200, body=ANSWER)
        call = Call.placed(await stage.pbx.hear("200"))
        stage.pbx.send(stage.pbx.request("ACK", call=call))
        await stage.carrier.hear("ACK")
        stage.carrier.send(stage.carrier.request("BYE", call=Call.taken(invite)))
        stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
        await stage.carrier.hear("200")
        assert stage.bridge.engine.counters().get("connections_out", 0) == 0
        await stage.empty()
