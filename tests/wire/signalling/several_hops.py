"""The engine in front of a PBX of several hops, which DNS names."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass

from b2bua.sip.transaction.transaction import Timers
from tests.wire.peers import dnsmasq
from tests.wire.peers.dnsmasq import ADDRESS, srv
from tests.wire.signalling.stage import ANSWER, OFFER, ack_of
from tests.wire.sip_bridge import QUICK, Bridge
from tests.wire.sip_peer import SipPeer


@dataclass
class Stage:
    bridge: Bridge
    carrier: SipPeer
    hops: list[SipPeer]
    names: dnsmasq.Dnsmasq

    def call(self) -> None:
        self.carrier.send(self.carrier.request("INVITE", body=OFFER))

    async def answered(self, peer: SipPeer, **headers: str):
        """The call that comes to this hop is answered."""
        invite = await peer.hear("INVITE")
        peer.reply(invite, 200, body=ANSWER, **headers)
        await self.carrier.hear("200")
        await peer.hear("ACK")
        return invite

    async def refused(self, code: str):
        final = await self.carrier.hear(code)
        self.carrier.send(ack_of(self.carrier, final))
        return final

    def out(self) -> int:
        return self.bridge.engine.counters()["hops_out"]


@asynccontextmanager
async def staged(*, timers: Timers = QUICK, **trunk):
    carrier, hops = SipPeer(), [SipPeer(), SipPeer()]
    records = [srv(peer, number, 5) for number, peer in enumerate(hops)]
    names = await dnsmasq.Dnsmasq.start(ADDRESS, *records)
    settings = {"host": "pbx.test", "port": 0, "transport": "udp"} | trunk
    bridge = Bridge(carrier.port, 0, timers, names.resolver, **settings)
    await bridge.engine.start()
    for peer in (carrier, *hops):
        peer.engine = bridge.engine.address
    try:
        yield Stage(bridge, carrier, hops, names)
        assert bridge.engine.counters().get("errors", 0) == 0
    finally:
        await bridge.engine.stop(0.05)
        await names.stop()
        for peer in (carrier, *hops):
            peer.close()
