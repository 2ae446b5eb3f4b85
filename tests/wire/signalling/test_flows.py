"""A PBX that registers over TCP or TLS: calls come down the connection that it registered over, and
by no other way."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Transport
from b2bua.sip.transport.stream import Limits
from b2bua.sip.transport.tls import TlsContexts
from tests.stack import Stack, running
from tests.wire import certificates, handmade
from tests.wire.certificates import Authority
from tests.wire.paying import nothing_left as nothing_left_there
from tests.wire.paying import without_complaint
from tests.wire.signalling.registering_pbx import DYNAMIC, PASSWORD, USER, Pbx, answer_to, hops, pjsua
from tests.wire.signalling.stage import ANSWER, OFFER, Stage, ack_of
from tests.wire.signalling.streams import FAR, HERE
from tests.wire.sip_bridge import QUICK, Bridge, nothing_left, until
from tests.wire.sip_peer import Call, SipPeer
from tests.wire.stream_peer import StreamPeer, free_pair

# Where nobody could ever reach it.
BEHIND_NAT = {"Contact": "<sip:me@192.0.2.55:5099;transport=tcp>"}


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    """The loop that the product runs on."""
    return uvloop.EventLoopPolicy()


class Scene:
    """A carrier by UDP, and a PBX that comes from FAR, of which nothing is known until it
    registers."""

    def __init__(self, directory: Path, tls: bool) -> None:
        self.authority = Authority(directory)
        self.ours = self.authority.issue("b2bua.example", common="b2bua")
        self.tls = tls
        self.carrier, self.pbx = SipPeer(HERE), StreamPeer(FAR, tls=tls)

    @asynccontextmanager
    async def play(self, limits: Limits | None = None) -> AsyncIterator[Stage]:
        secured = {"transport": "tls", "tls_ca": self.authority.file} if self.tls else {}
        trunks = Trunk("carrier", HERE, self.carrier.port), Trunk("pbx", **(DYNAMIC | secured))  # type: ignore[arg-type]
        binds = [Bind(Transport.UDP, HERE, 0), Bind(Transport.TLS if self.tls else Transport.TCP, HERE, 0)]
        made = Bridge.between(*trunks, binds, QUICK, tls=TlsContexts(*self.ours), limits=limits)
        await made.engine.start()
        bound = made.engine._transports._bound
        self.carrier.engine, self.pbx.engine = ((bound[flow].host, bound[flow].port) for flow in (1, 2))
        try:
            yield Stage(made, self.carrier, self.pbx)
        finally:
            await made.engine.stop()
            await self.pbx.stop()
            self.pbx.close()
            self.carrier.close()
        assert made.engine.counters().get("errors", 0) == 0

    @property
    def context(self) -> ssl.SSLContext | None:
        return certificates.client(self.authority.file) if self.tls else None

    async def connect(self) -> None:
        await self.pbx.connect(self.context)


@pytest.fixture(params=[False, True], ids=["tcp", "tls"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return Scene(tmp_path, request.param)


async def test_who_registers_over_a_connection_is_called_down_it_and_everything_of_the_call_stays_there(
    scene: Scene,
):
    async with scene.play() as stage:
        await scene.connect()
        await Pbx(stage).registered(**BEHIND_NAT)
        source = scene.pbx.writers[-1].get_extra_info("sockname")[:2]
        assert hops(stage) == [source]
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        invite = await stage.pbx.hear("INVITE")
        assert f"{HERE}:{stage.pbx.engine[1]};" in invite.all("Via")[0]
        stage.pbx.reply(invite, 200, body=ANSWER, **BEHIND_NAT)
        near = Call.placed(await stage.carrier.hear("200"))
        stage.carrier.send(stage.carrier.request("ACK", call=near))
        await stage.pbx.hear("ACK")
        stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
        stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
        await stage.carrier.hear("200")
        await nothing_left(stage.bridge)
        counters = stage.bridge.engine.counters()
        assert (counters.get("connections_out", 0), counters["connections_in"]) == (0, 1)


async def test_a_binding_ends_with_its_connection_and_a_new_one_takes_its_place(scene: Scene):
    async with scene.play() as stage:
        await scene.connect()
        pbx = Pbx(stage)
        await pbx.registered()
        scene.pbx.writers[-1].close()
        await until(lambda: hops(stage) == [])
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        await stage.carrier.hear("503")
        await scene.connect()
        await pbx.registered()
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 486)
        await stage.carrier.hear("486")
        assert stage.bridge.engine.counters().get("connections_out", 0) == 0


async def test_whoever_connects_and_does_not_register_is_cut_off(scene: Scene):
    async with scene.play(Limits(message_time=1.0)) as stage:
        await scene.connect()
        guest = stage.pbx
        await Pbx(stage).challenged()  # it talks, and proves nothing
        guest.send(guest.request("INVITE", body=OFFER))
        await guest.hear("407")
        guest.send(guest.request("MESSAGE"))
        await guest.hear("403")
        await guest.closed()
        assert stage.bridge.engine.counters()["connections_unregistered"] == 1
        assert stage.bridge.seen == []


async def test_a_call_over_a_connection_that_nobody_registered_over_is_challenged_and_the_proof_keeps_it_open(
    scene: Scene,
):
    async with scene.play(Limits(message_time=0.6)) as stage:
        await scene.connect()
        pbx = stage.pbx
        pbx.send(pbx.request("INVITE", body=OFFER))
        asked = await pbx.hear("407")
        pbx.send(ack_of(pbx, asked))
        pbx.send(pbx.request("INVITE", cseq=2, body=OFFER, **answer_to(asked, "INVITE")))
        invite = await stage.carrier.hear("INVITE")
        stage.carrier.reply(invite, 200, body=ANSWER)
        call = Call.placed(await pbx.hear("200"))
        pbx.send(pbx.request("ACK", cseq=2, call=call))
        await stage.carrier.hear("ACK")
        # Its time begins later, so when it is over the other's would be.
        guest = StreamPeer(FAR, tls=scene.tls)
        guest.engine = scene.pbx.engine
        await guest.connect(scene.context)
        await guest.closed()
        guest.close()
        stage.carrier.send(stage.carrier.request("BYE", call=Call.taken(invite)))
        pbx.reply(await pbx.hear("BYE"), 200)
        await stage.carrier.hear("200")
        assert hops(stage) == []


async def test_who_has_registered_is_not_cut_off(scene: Scene):
    async with scene.play(Limits(message_time=0.6)) as stage:
        await scene.connect()
        await Pbx(stage).registered()
        # Its time begins later, so when it is over the other's would be.
        guest = StreamPeer(FAR, tls=scene.tls)
        guest.engine = scene.pbx.engine
        await guest.connect(scene.context)
        await guest.closed()
        guest.close()
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 486)
        await stage.carrier.hear("486")


async def test_guests_are_so_many_at_most(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("b2bua.sip.transport.admission.MAX_GUESTS", 3)
    async with scene.play() as stage:
        for _ in range(3):
            await scene.connect()
        with contextlib.suppress(OSError):  # cut off before, or in, its handshake
            await scene.connect()
        counters = stage.bridge.engine.counters
        await until(lambda: counters().get("connections_refused_strangers") == 1)
        assert counters()["connections_in"] == 3


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_pjsua2_registers_over_a_connection_takes_a_call_and_places_one(
    tmp_path: Path, transport: str
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue(HERE, common="b2bua")
    port = free_pair(HERE)
    carrier = SipPeer(FAR)
    extra = {
        "general": {"listen": f"udp:{HERE}:0, {transport}:{HERE}:{port}", "tls_certificate": certificate,
        "tls_key": key},
        "carrier": {"host": FAR},
        "pbx": {"host": "dynamic", "transport": transport, "username": USER, "password": PASSWORD},
    }  # fmt: skip
    stack = Stack(tmp_path, carrier.port, 0, extra=extra)
    with contextlib.closing(carrier.socket):
        async with (
            running(stack),
            without_complaint(stack),
            pjsua(port, transport, authority.file) as (says, process),
        ):
            carrier.engine = (HERE, stack.sip_port)
            assert process.stdin is not None
            await says("registered 200")
            carrier.send(carrier.request("INVITE", body=handmade.offer(carrier.port)))
            call = Call.placed(await carrier.hear("200"))
            carrier.send(carrier.request("ACK", call=call))
            await says("call up")
            carrier.send(carrier.request("BYE", call=call, cseq=2))
            await carrier.hear("200")
            await says("call over")
            process.stdin.write(f"sip:100@{HERE}:{port};transport={transport}\n".encode())
            invite = await carrier.hear("INVITE")
            carrier.reply(invite, 200, body=handmade.offer(carrier.port))
            await carrier.hear("ACK")
            await says("call up")
            process.stdin.write(b"\n")
            carrier.reply(await carrier.hear("BYE"), 200)
            await nothing_left_there(stack)
