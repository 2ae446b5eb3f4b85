"""The engine between peers that speak TCP or TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Transport
from b2bua.sip.transport.stream import Limits
from tests.wire.signalling.stage import ANSWER, OFFER
from tests.wire.sip_bridge import QUICK, Bridge
from tests.wire.sip_peer import Call, SipPeer
from tests.wire.stream_peer import StreamPeer

HERE, FAR = "127.0.0.1", "127.0.0.2"


@asynccontextmanager
async def line(
    carrier: SipPeer, pbx: SipPeer, *, limits: Limits | None = None, bound=(HERE,), **pbx_trunk
) -> AsyncIterator[Bridge]:
    """The engine between two peers, with UDP and TCP on every address of `bound`."""
    trunks = [
        Trunk(name, peer.host.strip("[]"), peer.port, transport=peer.transport.lower(), **more)
        for name, peer, more in (("carrier", carrier, {}), ("pbx", pbx, pbx_trunk))
    ]
    binds = [Bind(transport, host, 0) for host in bound for transport in (Transport.UDP, Transport.TCP)]
    made = Bridge.between(*trunks, binds, QUICK, limits=limits)
    await made.engine.start()
    for peer in (carrier, pbx):
        peer.engine = next(
            (bind.host, bind.port)
            for bind in made.engine._transports._bound.values()
            if (":" in bind.host) == (":" in peer.host) and bind.transport == peer.transport.lower()
        )
    try:
        yield made
    finally:
        await made.engine.stop()
        for peer in (carrier, pbx):
            if isinstance(peer, StreamPeer):
                await peer.stop()
            peer.close()
    assert made.engine.counters().get("errors", 0) == 0


async def talk(carrier: SipPeer, pbx: SipPeer) -> tuple[Call, Call]:
    """A call from carrier to PBX, up."""
    carrier.send(carrier.request("INVITE", body=OFFER))
    invite = await pbx.hear("INVITE")
    pbx.reply(invite, 200, body=ANSWER)
    near = Call.placed(await carrier.hear("200"))
    carrier.send(carrier.request("ACK", call=near))
    await pbx.hear("ACK")
    return near, Call.taken(invite)


async def hang_up(carrier: SipPeer, pbx: SipPeer, near: Call) -> None:
    carrier.send(carrier.request("BYE", call=near, cseq=2))
    pbx.reply(await pbx.hear("BYE"), 200)
    await carrier.hear("200")
