"""kamailio as the PBX's proxy over TLS, with its own OpenSSL: calls both ways, each end proves
itself by its certificate."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stack import Stack, free_port, running
from tests.wire.certificates import Authority
from tests.wire.paying import nothing_left, without_complaint
from tests.wire.peers import kamailio
from tests.wire.sip_peer import HOST, SDP, Call, SipPeer
from tests.wire.stream_peer import free_pair

pytestmark = pytest.mark.skipif(not kamailio.available(), reason="kamailio is not here")
OFFER, ANSWER = SDP.format("near"), SDP.format("far")
CARRIER = "127.0.0.4"


@contextlib.asynccontextmanager
async def staged(
    folder: Path, theirs: Authority | None = None
) -> AsyncIterator[tuple[Stack, SipPeer, SipPeer, int]]:
    """The stack, the carrier, the PBX behind kamailio, and kamailio's port. `theirs`: who made its
    certificate."""
    authority = Authority(folder)
    ours = authority.issue(HOST, common="b2bua")
    shown = (theirs or authority).issue(HOST, common="kamailio")
    carrier, pbx, port = SipPeer(CARRIER), SipPeer(), free_port()
    own, tls = free_pair(HOST), free_pair(HOST)
    extra = {
        "general": {
            "listen": f"udp:{HOST}:0, tls:{HOST}:{own}",
            "tls_certificate": ours[0],
            "tls_key": ours[1],
        },
        "carrier": {"host": CARRIER},
        "pbx": {"transport": "tls", "tls_ca": authority.file, "tls_verify_client": "yes"},
    }
    stack = Stack(folder, carrier.port, tls, extra=extra)
    with contextlib.closing(carrier.socket), contextlib.closing(pbx.socket):
        async with running(stack), without_complaint(stack):
            secured = kamailio.Secured(tls, *shown, authority.file)
            proxy = await kamailio.Kamailio.start(folder, own, pbx.port, port, tls=secured)
            try:
                carrier.engine = (HOST, stack.sip_port)
                pbx.engine = (HOST, port)
                yield stack, carrier, pbx, port
            finally:
                await proxy.stop()


async def test_a_call_over_tls_to_kamailio_and_everything_within_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stack, carrier, pbx, port):
        carrier.send(carrier.request("INVITE", body=OFFER))
        invite = await pbx.hear("INVITE")
        assert "SIP/2.0/TLS" in invite.all("Via")[1]
        routes = [route.strip() for value in invite.all("Record-Route") for route in value.split(",")]
        assert any("transport=tls" in route for route in routes)
        pbx.reply(invite, 200, body=ANSWER, Record_Route=", ".join(routes))
        near = Call.placed(await carrier.hear("200"))
        carrier.send(carrier.request("ACK", call=near))
        assert (await pbx.hear("ACK")).source == (HOST, port)
        await stack.calls_up()
        bye = pbx.request("BYE", call=Call.taken(invite), Route=", ".join(routes))
        pbx.send(bye)
        carrier.reply(await carrier.hear("BYE"), 200)
        await pbx.hear("200")
        await nothing_left(stack)


async def test_a_call_of_the_pbx_comes_over_tls(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stack, carrier, pbx, _):
        pbx.send(pbx.request("INVITE", body=OFFER))
        invite = await carrier.hear("INVITE")
        carrier.reply(invite, 200, body=ANSWER)
        ok = await pbx.hear("200")
        routes = ", ".join(
            reversed([each.strip() for value in ok.all("Record-Route") for each in value.split(",")])
        )
        call = Call.placed(ok)
        pbx.send(pbx.request("ACK", call=call, Route=routes))
        await carrier.hear("ACK")
        carrier.send(carrier.request("BYE", call=Call.taken(invite)))
        bye = await pbx.hear("BYE")
        pbx.reply(bye, 200)
        await carrier.hear("200")
        await nothing_left(stack)


async def test_no_call_to_a_kamailio_whose_certificate_another_authority_made(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    async with staged(tmp_path, Authority(tmp_path / "theirs")) as (stack, carrier, pbx, _):
        carrier.send(carrier.request("INVITE", body=OFFER))
        await carrier.hear("503")
        pbx.never("INVITE")
        await nothing_left(stack)
