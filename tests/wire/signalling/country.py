"""A whole Tonewall with several carriers and PBXs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.stack import Stack, running, until
from tests.wire.paying import without_complaint
from tests.wire.signalling.stage import ANSWER, OFFER, ack_of
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer


@dataclass
class Country:
    """Two carriers, `north` and `south`, and two PBXs, `berlin` and `munich`, each at an address of
    its own."""

    stack: Stack
    north: SipPeer
    south: SipPeer
    berlin: SipPeer
    munich: SipPeer

    def invite(self, peer: SipPeer, callee: str, caller: str = "03055501") -> None:
        text = peer.request(
            "INVITE", body=OFFER, From=f"<sip:{caller}@{peer.host}>;tag=near", To=f"<sip:{callee}@{HOST}>"
        )
        peer.send(text.replace(f"INVITE sip:bob@{HOST}", f"INVITE sip:{callee}@{HOST}", 1))

    async def answered(self, near: SipPeer, far: SipPeer) -> tuple[Heard, Call]:
        """The INVITE that came to `far`, and the call as `near` has it."""
        invite = await far.hear("INVITE")
        far.reply(invite, 200, body=ANSWER)
        call = Call.placed(await near.hear("200"))
        near.send(near.request("ACK", call=call))
        await far.hear("ACK")
        return invite, call

    async def refused(self, near: SipPeer, code: int) -> Heard:
        final = await near.hear(str(code))
        near.send(ack_of(near, final))
        return final

    async def hung_up(self, near: SipPeer, far: SipPeer, call: Call) -> None:
        near.send(near.request("BYE", call=call, cseq=2))
        far.reply(await far.hear("BYE"), 200)
        await near.hear("200")

    async def trunk(self, name: str) -> dict[str, object]:
        return next(each for each in (await self.stack.api.get("/v1/trunks")).json() if each["name"] == name)


@contextlib.asynccontextmanager
async def country(folder: Path, conf: str = "", **keys: dict[str, str]) -> AsyncIterator[Country]:
    """`keys`: more keys of a trunk; `conf`: `[route]` sections, as `name: key = value; key = value`
    a line."""
    north, south, berlin, munich = SipPeer(), SipPeer("127.0.0.4"), SipPeer("127.0.0.5"), SipPeer("127.0.0.6")
    peers = {"carrier north": north, "carrier south": south, "pbx berlin": berlin, "pbx munich": munich}
    extra = {
        header: {"host": peer.host, "port": str(peer.port), **keys.get(header.split()[1], {})}
        for header, peer in peers.items()
    }
    for line in conf.strip().splitlines():
        name, _, rest = line.strip().partition(": ")
        extra[f"route {name}"] = dict(pair.split(" = ", 1) for pair in rest.split("; "))
    stack = Stack(folder, 0, 0, extra=extra, without=("carrier", "pbx"))
    try:
        async with running(stack), without_complaint(stack):
            for peer in peers.values():
                peer.engine = (HOST, stack.sip_port)
            yield Country(stack, north, south, berlin, munich)
            assert await until(lambda: no_calls(stack), "no call left")
    finally:
        for peer in peers.values():
            peer.close()


async def no_calls(stack: Stack) -> bool:
    return not await stack.calls()


KEYS = {"trust": "yes", "x_headers": "X-Account, P-Charge-Info", "identity": "yes"}


def cancelled(near: SipPeer, sent: Heard, headers: dict[str, str]) -> None:
    given = {name: sent.one(name) for name in ("Via", "From", "To", "Call-ID")} | {"CSeq": "1 CANCEL"}
    text = near.request("CANCEL", **{"Contact": ""} | given | headers)
    near.send(f"CANCEL {sent.uri} SIP/2.0\r\n" + text.partition("\r\n")[2])
