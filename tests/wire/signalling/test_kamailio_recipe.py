"""The recipe for Kamailio, by its own file: calls both ways, a probe, and a stranger."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.stack import Stack, free_port, running, until
from tests.wire.paying import without_complaint
from tests.wire.peers import kamailio
from tests.wire.sip_peer import HOST, SDP, Call, SipPeer

pytestmark = pytest.mark.skipif(not kamailio.available(), reason="kamailio is not here")
RECIPE = Path(__file__).parents[3] / "deploy" / "recipes" / "kamailio" / "kamailio.cfg"
CARRIER = "127.0.0.4"


def moved(tonewall: int, proxy: int, pbx: int) -> str:
    """The recipe's file with ports of this machine for its addresses."""
    text = RECIPE.read_text()
    for address, port in (("192.0.2.10", tonewall), ("192.0.2.20", pbx), ("192.0.2.30", proxy)):
        text = text.replace(f"{address}:5060", f"{HOST}:{port}")
        text = text.replace(f'$si == "{address}" && $sp == 5060', f'$si == "{HOST}" && $sp == {port}')
    assert "192.0.2" not in text
    return text


async def test_calls_go_both_ways_and_a_stranger_is_refused(tmp_path: Path) -> None:
    carrier, pbx, stranger, port = SipPeer(CARRIER), SipPeer(), SipPeer(), free_port()
    extra = {"carrier": {"host": CARRIER}, "pbx": {"probe": "1"}}
    stack = Stack(tmp_path, carrier.port, port, extra=extra)
    with (
        contextlib.closing(carrier.socket),
        contextlib.closing(pbx.socket),
        contextlib.closing(stranger.socket),
    ):
        async with running(stack), without_complaint(stack):
            text = moved(stack.sip_port, port, pbx.port)
            proxy = await kamailio.Kamailio.start(tmp_path, 0, 0, port, text=text)
            try:
                carrier.engine, pbx.engine, stranger.engine = (
                    (HOST, stack.sip_port),
                    (HOST, port),
                    (HOST, port),
                )
                for near, far in ((carrier, pbx), (pbx, carrier)):
                    near.send(near.request("INVITE", body=SDP.format("near")))
                    invite = await far.hear("INVITE")
                    recorded = (
                        {"Record_Route": route} if (route := ", ".join(invite.all("Record-Route"))) else {}
                    )
                    far.reply(invite, 200, body=SDP.format("far"), **recorded)
                    answer = await near.hear("200")
                    call = Call.placed(answer)
                    routed = {"Route": back} if (back := ", ".join(answer.all("Record-Route"))) else {}
                    near.send(near.request("ACK", call=call, **routed))
                    await far.hear("ACK")
                    near.send(near.request("BYE", call=call, cseq=2, **routed))
                    far.reply(await far.hear("BYE"), 200)
                    await near.hear("200")
                stranger.send(stranger.request("INVITE", body=SDP.format("near")))
                await stranger.hear("403")

                async def usable() -> bool:
                    trunks = (await stack.api.get("/v1/trunks")).json()
                    return any(
                        hop["usable"] for each in trunks if each["name"] == "pbx" for hop in each["hops"]
                    )

                await until(usable, "the probe of the proxy to be answered")
            finally:
                await proxy.stop()
