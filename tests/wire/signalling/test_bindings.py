"""A PBX that registers is found again after a restart, and may call before it has registered
anew."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from b2bua.call.leg import LegInvited
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Transport
from tests.stack import Stack, free_port, running, until
from tests.wire import handmade
from tests.wire.paying import nothing_left
from tests.wire.signalling.registering_pbx import DYNAMIC, PASSWORD, USER, Pbx, answer_to, hops, pjsua
from tests.wire.signalling.stage import ANSWER, OFFER, Stage, ack_of
from tests.wire.sip_bridge import HOST, QUICK, Bridge
from tests.wire.sip_peer import Call, SipPeer


@contextlib.asynccontextmanager
async def kept(path: Path) -> AsyncIterator[Stage]:
    """An engine that keeps its bindings in this file, between new peers."""
    carrier, pbx = SipPeer(), SipPeer()
    near, far = Trunk("carrier", HOST, carrier.port), Trunk("pbx", **DYNAMIC)  # type: ignore[arg-type]
    bridge = Bridge.between(near, far, [Bind(Transport.UDP, HOST, 0)], QUICK, bindings=path)
    await bridge.engine.start()
    carrier.engine = pbx.engine = bridge.engine.address
    try:
        yield Stage(bridge, carrier, pbx)
        assert bridge.engine.counters().get("errors", 0) == 0
    finally:
        await bridge.engine.stop(0.05)
        carrier.close()
        pbx.close()


def elsewhere(stage: Stage) -> SipPeer:
    """The PBX at an address that nobody has registered from."""
    peer = SipPeer("127.0.0.77")
    peer.engine = stage.bridge.engine.address
    return peer


async def test_a_registered_pbx_is_called_after_a_restart(tmp_path: Path):
    path = tmp_path / "bindings.json"
    async with kept(path) as before:
        await Pbx(before).registered(Expires="600")
        registered_at = hops(before)
    async with kept(path) as after:
        assert hops(after) == registered_at


async def test_a_binding_that_was_given_back_stays_given_back(tmp_path: Path):
    path = tmp_path / "bindings.json"
    async with kept(path) as before:
        await Pbx(before).registered()
        await Pbx(before).registered(Call_ID="r2@pbx", Expires="0")
    async with kept(path) as after:
        assert hops(after) == []


async def test_a_renewed_binding_is_kept_renewed(tmp_path: Path):
    path = tmp_path / "bindings.json"
    async with kept(path) as before:
        pbx = Pbx(before)
        await pbx.registered(Expires="60")
        first = path.read_bytes()
        await pbx.registered(Expires="600")
        assert path.read_bytes() != first
    async with kept(path) as after:
        binding = after.bridge.engine._signalling._registrar._bindings["pbx"][0]
        left = binding.until - asyncio.get_running_loop().time()
        assert 500 < left <= 600
        assert (binding.call_id, binding.cseq) == ("r1@pbx", 4)


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
async def test_one_that_nobody_knows_yet_is_challenged_and_then_served(tmp_path: Path, method: str):
    async with kept(tmp_path / "bindings.json") as stage:
        peer = elsewhere(stage)
        with contextlib.closing(peer.socket):
            body = OFFER if method == "INVITE" else ""
            peer.send(peer.request(method, body=body))
            asked = await peer.hear("407")
            assert len(asked.all("Proxy-Authenticate")) == 2
            assert stage.bridge.engine.open_transactions == 0
            if method == "INVITE":
                peer.send(ack_of(peer, asked))
            text = peer.request(method, cseq=2, body=body, **answer_to(asked, method))
            peer.send(text)
            peer.send(text)
            if method == "INVITE":
                invite = await stage.carrier.hear("INVITE")
                stage.carrier.reply(invite, 200, body=ANSWER)
            ok = await peer.hear("200")
            if method == "INVITE":
                call = Call.placed(ok)
                peer.send(peer.request("ACK", cseq=2, call=call))
                await stage.carrier.hear("ACK")
                peer.send(peer.request("BYE", cseq=3, call=call))
                stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
                await peer.hear("200")
                assert len(stage.bridge.kinds(LegInvited)) == 1
            await stage.empty()


@pytest.mark.parametrize(
    ("password", "user"), [("guess", USER), (PASSWORD, "nobody")], ids=["wrong password", "unknown name"]
)
async def test_one_that_cannot_prove_it_opens_nothing(tmp_path: Path, password: str, user: str):
    async with kept(tmp_path / "bindings.json") as stage:
        peer = elsewhere(stage)
        with contextlib.closing(peer.socket):
            peer.send(peer.request("INVITE", body=OFFER))
            asked = await peer.hear("407")
            peer.send(
                peer.request("INVITE", cseq=2, body=OFFER, **answer_to(asked, "INVITE", password, user=user))
            )
            await peer.hear("407")
            for method in ("MESSAGE", "SUBSCRIBE", "BYE", "REFER"):
                peer.send(peer.request(method))
                await peer.hear("403")
            assert stage.bridge.kinds(LegInvited) == []
            engine = stage.bridge.engine
            assert (engine.open_legs, engine.open_dialogs, engine.open_transactions) == (0, 0, 0)
            assert hops(stage) == []


async def test_the_proof_of_one_call_makes_no_binding_and_no_second_call(tmp_path: Path):
    async with kept(tmp_path / "bindings.json") as stage:
        peer = elsewhere(stage)
        with contextlib.closing(peer.socket):
            peer.send(peer.request("OPTIONS"))
            asked = await peer.hear("407")
            peer.send(peer.request("OPTIONS", cseq=2, **answer_to(asked, "OPTIONS")))
            await peer.hear("200")
            assert hops(stage) == []
            peer.send(peer.request("INVITE", body=OFFER))
            await peer.hear("407")
            assert stage.bridge.kinds(LegInvited) == []


async def test_pjsua2_is_called_after_kill_9_without_registering_again(tmp_path: Path):
    carrier = SipPeer()
    keys = {"host": "dynamic", "username": USER, "password": PASSWORD}
    port = str(free_port())
    stack = Stack(tmp_path, carrier.port, 0, extra={"pbx": keys, "general": {"port": port}})
    with contextlib.closing(carrier.socket):
        async with running(stack), pjsua(stack.sip_port) as (says, _):
            carrier.engine = ("127.0.0.1", stack.sip_port)
            await says("registered 200")
            ready = tmp_path / "run" / "ready.json"
            ready.unlink()
            stack.kill("b2bua")
            await until(ready.exists, "b2bua again")
            await stack.await_ready()
            carrier.send(carrier.request("INVITE", body=handmade.offer(carrier.port)))
            call = Call.placed(await carrier.hear("200"))
            carrier.send(carrier.request("ACK", call=call))
            await says("call up")
            carrier.send(carrier.request("BYE", call=call, cseq=2))
            await carrier.hear("200")
            await says("call over")
            await nothing_left(stack)
