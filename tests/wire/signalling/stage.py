"""The engine between two peers that the test plays by hand, a carrier and a PBX."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from b2bua.call.leg import LegConfirmed, LegId, LegInvited
from b2bua.sip.transaction.transaction import Timers
from tests.wire.sip_bridge import QUICK, Bridge, until
from tests.wire.sip_peer import SDP, Call, Heard, SipPeer

OFFER, ANSWER, HELD = SDP.format("near"), SDP.format("far"), SDP.format("held")


@dataclass
class Stage:
    bridge: Bridge
    carrier: SipPeer
    pbx: SipPeer

    async def ring(self) -> tuple[Heard, Heard]:
        """The carrier calls, the PBX rings. Returns the INVITE at the PBX and the 180 at the
        carrier."""
        self.carrier.send(self.carrier.request("INVITE", body=OFFER))
        invite = await self.pbx.hear("INVITE")
        self.pbx.reply(invite, 180)
        return invite, await self.carrier.hear("180")

    async def up(self, **headers: str) -> tuple[Call, Call]:
        """A call that is answered, acknowledged and confirmed; as the carrier and as the PBX have
        it."""
        invite, _ = await self.ring()
        self.pbx.reply(invite, 200, body=ANSWER, **headers)
        ok = await self.carrier.hear("200")
        assert ok.body == ANSWER
        near = Call.placed(ok)
        self.carrier.send(self.carrier.request("ACK", call=near))
        await self.pbx.hear("ACK")
        await until(lambda: self.bridge.kinds(LegConfirmed) != [])
        return near, Call.taken(invite)

    @property
    def far_leg(self) -> LegId:
        """Our leg towards the PBX."""
        return next(
            self.bridge.other[leg] for leg, event in self.bridge.seen if isinstance(event, LegInvited)
        )

    async def empty(self) -> None:
        engine = self.bridge.engine
        await until(lambda: (engine.open_legs, engine.open_dialogs, engine.open_transactions) == (0, 0, 0))


@asynccontextmanager
async def staged(
    timers: Timers = QUICK, near: dict[str, str] | None = None, **pbx_trunk: str
) -> AsyncIterator[Stage]:
    """`near`: more of the carrier's trunk; `pbx_trunk`: of the PBX's."""
    carrier, pbx = SipPeer(), SipPeer()
    bridge = Bridge(carrier.port, pbx.port, timers, near=near, **pbx_trunk)
    await bridge.engine.start()
    carrier.engine = pbx.engine = bridge.engine.address
    try:
        yield Stage(bridge, carrier, pbx)
        assert bridge.engine.counters().get("errors", 0) == 0
    finally:
        await bridge.engine.stop(0.05)
        carrier.close()
        pbx.close()


def ack_of(peer: SipPeer, refused: Heard) -> str:
    """The ACK of a final error: the branch of its INVITE."""
    via = re.sub(
        r";(received|rport)=[^;]*", lambda match: ";rport" if match[1] == "rport" else "", refused.one("Via")
    )
    call = Call(refused.one("Call-ID"), refused.one("From"), refused.one("To"), "sip:bob@127.0.0.1")
    return peer.request("ACK", call=call, Via=via)


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def expect_credentials(request: Heard, method: str, nonce: str, count: str) -> None:
    """Compute the digest anew, from nothing but what RFC 2617 says."""
    line = request.one("Authorization")
    said = {name: value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', line)}
    secret, what = md5("tonewall:carrier.example:s3cret"), md5(f"{method}:{request.uri}")
    assert said["uri"] == request.uri
    assert (said["username"], said["nonce"], said["nc"], said["opaque"]) == ("tonewall", nonce, count, "xyz")
    assert said["response"] == md5(f"{secret}:{nonce}:{count}:{said['cnonce']}:auth:{what}")


def ask(nonce: str, realm: str = "carrier.example", more: str = "") -> dict[str, str]:
    return {
        "WWW_Authenticate": f'Digest realm="{realm}", nonce="{nonce}", qop="auth,auth-int", '
        f'opaque="xyz"{more}'
    }
