"""Calls over TLS: with the right certificates, and none with a wrong, expired, foreign or missing
one."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Transport
from b2bua.sip.transport.tls import TlsContexts
from tests.wire import certificates
from tests.wire.certificates import Authority
from tests.wire.signalling.streams import FAR, HERE, OFFER, hang_up, talk
from tests.wire.sip_bridge import QUICK, Bridge, nothing_left, until
from tests.wire.sip_peer import SDP, SipPeer
from tests.wire.stream_peer import StreamPeer

EXPIRED = timedelta(days=-1)


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    """The loop that the product runs on."""
    return uvloop.EventLoopPolicy()


class Scene:
    """A carrier by UDP, a PBX by TLS, whose name is pbx.example."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.ours = self.authority.issue("b2bua.example", common="b2bua")
        self.carrier, self.pbx = SipPeer(HERE), StreamPeer(FAR, tls=True)
        self.bridge: Bridge

    @asynccontextmanager
    async def play(self, **trunk) -> AsyncIterator[Bridge]:
        carrier = Trunk("carrier", HERE, self.carrier.port)
        given = {"transport": "tls", "domain": "pbx.example", "tls_ca": self.authority.file} | trunk
        pbx = Trunk("pbx", FAR, self.pbx.port, **given)
        binds = [Bind(Transport.UDP, HERE, 0), Bind(Transport.TLS, HERE, 0)]
        made = Bridge.between(carrier, pbx, binds, QUICK, tls=TlsContexts(*self.ours))
        await made.engine.start()
        bound = made.engine._transports._bound
        self.carrier.engine, self.pbx.engine = ((bound[flow].host, bound[flow].port) for flow in (1, 2))
        try:
            yield made
        finally:
            await made.engine.stop()
            await self.pbx.stop()
            self.pbx.close()
            self.carrier.close()
        assert made.engine.counters().get("errors", 0) == 0

    async def refused(self, bridge: Bridge) -> None:
        """A call to the PBX comes to nothing, and the PBX hears nothing of it."""
        self.carrier.send(self.carrier.request("INVITE", body=OFFER))
        await self.carrier.hear("503")
        assert not self.pbx.heard
        await until(lambda: bridge.engine.counters()["connections"] == 0)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize("names", [("pbx.example",), ("other", "sip:pbx.example"), (FAR, "PBX.example")])
async def test_a_call_to_a_peer_with_the_right_certificate(scene: Scene, names: tuple[str, ...]):
    async with scene.play() as bridge:
        await scene.pbx.listen(certificates.server(scene.authority.issue(*names)))
        near, far = await talk(scene.carrier, scene.pbx)
        assert far.target.endswith(f":{scene.pbx.engine[1]};transport=tls")
        assert ";alias;" in scene.pbx.heard[0].all("Via")[0]
        identity = bridge.engine._transports._carriers[Transport.TLS]._table.get(3).identities
        assert "pbx.example" in identity
        await hang_up(scene.carrier, scene.pbx, near)
        await nothing_left(bridge)


async def test_none_to_one_of_another_authority(scene: Scene, tmp_path: Path):
    async with scene.play() as bridge:
        await scene.pbx.listen(certificates.server(Authority(tmp_path, "other").issue("pbx.example")))
        await scene.refused(bridge)
        assert bridge.engine.counters()["connections_failed"] == 1


async def test_none_to_one_whose_certificate_has_expired(scene: Scene):
    async with scene.play() as bridge:
        await scene.pbx.listen(certificates.server(scene.authority.issue("pbx.example", life=EXPIRED)))
        await scene.refused(bridge)


@pytest.mark.parametrize(
    "names", [("other.example",), ("*.example",), ("sip:me@pbx.example",), ("sub.pbx.example",)]
)
async def test_none_to_one_with_a_certificate_for_somebody_else(scene: Scene, names: tuple[str, ...]):
    async with scene.play() as bridge:
        # The common name counts only where there is no other (RFC 5922 section 7.1).
        await scene.pbx.listen(certificates.server(scene.authority.issue(*names, common="pbx.example")))
        await scene.refused(bridge)
        assert bridge.engine.counters()["certificates_of_others"] == 1


@pytest.mark.parametrize(("names", "wanted"), [(("*.example",), "*.example"), ((FAR,), FAR), ((), "peer")])
async def test_the_name_can_be_configured(scene: Scene, names: tuple[str, ...], wanted: str):
    async with scene.play(tls_name=wanted) as bridge:
        await scene.pbx.listen(certificates.server(scene.authority.issue(*names)))
        near, _ = await talk(scene.carrier, scene.pbx)
        await hang_up(scene.carrier, scene.pbx, near)
        assert bridge.engine.counters()["connections_out"] == 1


async def test_a_peer_that_wants_our_certificate_gets_the_trunks_own(scene: Scene, tmp_path: Path):
    theirs = Authority(tmp_path, "theirs")
    ours = theirs.issue("client.example", common="client")
    async with scene.play(tls_certificate=ours[0], tls_key=ours[1]):
        await scene.pbx.listen(certificates.server(scene.authority.issue("pbx.example"), demand=theirs.file))
        near, _ = await talk(scene.carrier, scene.pbx)
        peer = scene.pbx.writers[-1].get_extra_info("peercert")
        assert ("DNS", "client.example") in peer["subjectAltName"]
        await hang_up(scene.carrier, scene.pbx, near)


async def test_tls_older_than_1_2_is_refused(scene: Scene):
    async with scene.play() as bridge:
        context = certificates.client(scene.authority.file)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await scene.pbx.connect(context)
        await until(lambda: bridge.engine.counters().get("connections_failed") == 1)


# --- a peer that connects to us -------------------------------------------------------------------


async def call_in(scene: Scene) -> None:
    scene.pbx.send(scene.pbx.request("INVITE", body=OFFER))
    invite = await scene.carrier.hear("INVITE")
    scene.carrier.reply(invite, 486)
    await scene.pbx.hear("486")


async def test_a_peer_calls_and_needs_no_certificate_where_none_is_asked_for(scene: Scene):
    async with scene.play():
        await scene.pbx.connect(certificates.client(scene.authority.file))
        await call_in(scene)
        shown = scene.pbx.writers[-1].get_extra_info("peercert")
        assert ("DNS", "b2bua.example") in shown["subjectAltName"]


async def test_where_one_is_asked_for_the_right_one_is_let_in_and_is_known_by_it(scene: Scene):
    async with scene.play(tls_verify_client=True) as bridge:
        await scene.pbx.connect(
            certificates.client(scene.authority.file, scene.authority.issue("pbx.example"))
        )
        await call_in(scene)
        assert bridge.engine._transports._carriers[Transport.TLS]._table.get(3).identities == {"pbx.example"}


@pytest.mark.parametrize("shown", ["none", "expired", "other authority", "other name"])
async def test_and_no_other(scene: Scene, shown: str, tmp_path: Path):
    own = {
        "none": None,
        "expired": scene.authority.issue("pbx.example", life=EXPIRED),
        "other authority": Authority(tmp_path, "other").issue("pbx.example"),
        "other name": scene.authority.issue("other.example"),
    }[shown]
    async with scene.play(tls_verify_client=True) as bridge:
        try:
            # With TLS 1.3 the client hears of its refusal only afterwards.
            await scene.pbx.connect(certificates.client(scene.authority.file, own))
            scene.pbx.send(scene.pbx.request("INVITE", body=OFFER))
            await scene.pbx.closed()
        except (ssl.SSLError, ConnectionError):
            pass
        counters = bridge.engine.counters
        await until(
            lambda: counters().get("connections_failed", 0) + counters().get("certificates_of_others", 0) == 1
        )
        assert not bridge.seen
        assert not scene.pbx.heard


async def test_a_message_without_tls_from_the_address_of_a_trunk_with_tls_is_a_strangers(scene: Scene):
    async with scene.play() as bridge:
        await scene.pbx.listen(certificates.server(scene.authority.issue("pbx.example")))
        near, far = await talk(scene.carrier, scene.pbx)
        forger = SipPeer(FAR)
        forger.engine = scene.carrier.engine
        SipPeer.send(forger, forger.request("BYE", call=far))
        await forger.hear("403")
        forger.send(forger.request("INVITE", body=SDP.format("x")))
        await forger.hear("403")
        assert bridge.engine.open_dialogs == 2
        await hang_up(scene.carrier, scene.pbx, near)
        forger.close()


async def test_a_renewed_certificate_is_used_without_a_restart(scene: Scene):
    async with scene.play():
        for old, fresh in zip(scene.ours, scene.authority.issue("renewed.example"), strict=True):
            shutil.copyfile(fresh, old)
        await scene.pbx.connect(certificates.client(scene.authority.file))
        shown = scene.pbx.writers[-1].get_extra_info("peercert")
        assert ("DNS", "renewed.example") in shown["subjectAltName"]


async def test_a_certificate_that_cannot_be_read_stops_the_start(scene: Scene):
    with pytest.raises(OSError, match="No such file"):
        async with scene.play(tls_ca="/nowhere/ca.pem"):
            pass
    scene.carrier.close()
    scene.pbx.close()
