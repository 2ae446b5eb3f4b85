"""Strangers send REGISTERs where a PBX may register: few answers, each counted, and no row in the
ladder of a call."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Transport
from tests.wire.ladder_words import Every, words
from tests.wire.signalling.registering_pbx import DYNAMIC, Pbx
from tests.wire.signalling.stage import OFFER, Stage
from tests.wire.sip_bridge import HOST, QUICK, Bridge, until
from tests.wire.sip_peer import SipPeer

SENT = 600
ANSWERS = {"400": 50, "401": 100}  # a second at most, and as many at once


@contextlib.asynccontextmanager
async def ladder_kept() -> AsyncIterator[tuple[Stage, Every]]:
    """A PBX that has registered, and the ladders of its calls."""
    carrier, pbx = SipPeer(), SipPeer()
    ladders = Every(10, asyncio.get_running_loop().time)
    trunks = Trunk("carrier", HOST, carrier.port), Trunk("pbx", **DYNAMIC)  # type: ignore[arg-type]
    bridge = Bridge.between(*trunks, [Bind(Transport.UDP, HOST, 0)], QUICK, ladders=ladders)
    await bridge.engine.start()
    carrier.engine = pbx.engine = bridge.engine.address
    stage = Stage(bridge, carrier, pbx)
    try:
        await Pbx(stage).registered()
        yield stage, ladders
    finally:
        await bridge.engine.stop(0.05)
        carrier.close()
        pbx.close()


@pytest.mark.parametrize(("code", "cseq"), [("400", "1 INVITE"), ("401", "1 REGISTER")])
async def test_a_flood_of_registers_is_answered_in_part_and_no_call_hears_of_it(code: str, cseq: str) -> None:
    stranger = SipPeer("127.0.0.66")
    async with ladder_kept() as (stage, ladders):
        stranger.engine = stage.bridge.engine.address
        stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
        stage.pbx.reply(await stage.pbx.hear("INVITE"), 180)
        call_id = (await stage.carrier.hear("180")).one("Call-ID")
        before, started = words(ladders.ladder_of(call_id)), time.monotonic()
        answers = 0

        def drain() -> None:
            nonlocal answers
            with contextlib.suppress(BlockingIOError):
                while True:
                    assert stranger.socket.recv(65536).startswith(f"SIP/2.0 {code} ".encode())
                    answers += 1

        engine = stage.bridge.engine
        read = engine.counters().get("keepalives", 0)
        for number in range(SENT):
            stranger.send(stranger.request("REGISTER", Call_ID=call_id, CSeq=cseq))
            if number % 20 == 19:  # no more than a socket holds
                stranger.send("\r\n")
                read += 1
                await until(lambda so_far=read: engine.counters().get("keepalives", 0) == so_far)
                drain()
        drain()
        seconds = time.monotonic() - started
        assert 0 < answers <= ANSWERS[code] * (1 + seconds)
        assert engine.counters().get("strangers", 0) == (SENT if code == "400" else 0)
        assert words(ladders.ladder_of(call_id)) == before
    stranger.close()
