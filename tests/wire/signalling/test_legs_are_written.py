"""An engine on real sockets that is closed in the middle of calls: another one on the same address
goes on with them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from b2bua.call.leg import LegConfirmed, LegHungUp, LegId, LegReinvited, LegRequested
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.endpoint import SipEngine
from b2bua.sip.hop import Bind, Transport
from tests.wire.signalling.stage import OFFER, Stage, staged
from tests.wire.sip_bridge import HOST, QUICK, Bridge, until
from tests.wire.sip_peer import SDP, Call, SipPeer
from tests.wire.stream_peer import StreamPeer
from tonewall.snapshot import SnapshotError

MOVED = SDP.format("moved")
DIGITS = "4929000000006"


@pytest.fixture(params=["the whole engine", "legs alone"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with staged() as made:
        made.bridge.dies = request.param == "legs alone"
        yield made


async def again(bridge: Bridge) -> bytes:
    """Close the engine without a word and let another go on; what was written. Where it `dies`, its
    legs alone are."""
    old = bridge.engine
    legs = list(old._signalling.context.legs) if old._signalling is not None else []
    snapshot = old.write_legs(legs) if bridge.dies else old.snapshot()
    await old.abandon()
    found: list[LegId] = []
    trunks = [peer.trunk for peer in old._trunks.peers.values()]
    binds = [Bind(bind.transport, bind.host, old.address[1]) for bind in old._binds]
    bridge.engine = engine = SipEngine(binds=binds, trunks=trunks, on_event=bridge.on_event, timers=QUICK)
    if bridge.dies:
        await engine.start(opened=lambda: found.extend(engine.restore_legs(snapshot)))
        assert found == legs
    else:
        await engine.start(snapshot)
    return snapshot


async def test_a_call_that_is_up_is_renegotiated_and_hung_up_by_the_next_process(stage: Stage):
    near, far = await stage.up()
    await again(stage.bridge)
    assert (stage.bridge.engine.open_legs, stage.bridge.engine.open_dialogs) == (2, 2)
    stage.pbx.send(stage.pbx.request("INVITE", call=far, cseq=1, body=MOVED))
    invite = await stage.carrier.hear("INVITE")
    assert invite.body == MOVED
    stage.carrier.reply(invite, 200, body=OFFER)
    answer = await stage.pbx.hear("200")
    stage.pbx.send(stage.pbx.request("ACK", call=far, cseq=1))
    assert answer.body == OFFER
    await stage.carrier.hear("ACK")
    await again(stage.bridge)
    stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=2))
    await stage.carrier.hear("200")
    stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
    await stage.empty()
    assert len(stage.bridge.kinds(LegHungUp)) == 2


async def test_what_waits_for_an_answer_or_an_ack_goes_on_waiting(stage: Stage):
    invite, _ = await stage.ring()
    await again(stage.bridge)
    stage.pbx.reply(invite, 200, body=OFFER)
    ok = await stage.carrier.hear("200")
    await again(stage.bridge)
    await stage.carrier.repeated(ok, 3)  # it is sent again until its ACK is there
    stage.carrier.send(stage.carrier.request("ACK", call=Call.placed(ok)))
    await until(lambda: stage.bridge.kinds(LegConfirmed) != [])
    stage.pbx.send(stage.pbx.request("BYE", call=Call.taken(invite)))
    stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
    await stage.empty()


async def test_a_key_that_is_on_its_way_as_info_is_not_written_and_its_sender_is_answered(stage: Stage):
    near, far = await stage.up()
    body = f"Signal={DIGITS}\r\nDuration=100\r\n"
    text = stage.carrier.request("INFO", call=near, cseq=2, body=body, Content_Type="application/dtmf-relay")
    stage.carrier.send(text)
    await stage.pbx.hear("INFO")
    snapshot = await again(stage.bridge)
    assert stage.bridge.kinds(LegRequested)
    assert DIGITS.encode() not in snapshot
    stage.carrier.send(text)
    await stage.carrier.hear("500")
    stage.pbx.send(stage.pbx.request("BYE", call=far))
    stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
    await stage.empty()


async def test_a_leg_of_a_trunk_that_is_gone_is_not_read_and_nothing_else_is_either(stage: Stage):
    await stage.up()
    snapshot = stage.bridge.engine.snapshot()
    other = SipEngine(
        binds=[Bind(Transport.UDP, HOST, 0)], trunks=[Trunk("carrier", HOST, 1)], on_event=print
    )
    with pytest.raises(SnapshotError, match="trunk pbx, which is not configured"):
        await other.start(snapshot)
    assert other.open_legs == other.open_dialogs == other.open_transactions == 0
    await other.abandon()


async def test_a_leg_over_a_connection_goes_on_over_a_new_one():
    carrier, pbx = StreamPeer(HOST), SipPeer()
    await carrier.listen()
    trunks = Trunk("carrier", HOST, carrier.port, transport="tcp"), Trunk("pbx", HOST, pbx.port)
    bridge = Bridge.between(*trunks, [Bind(each, HOST, 0) for each in (Transport.UDP, Transport.TCP)], QUICK)
    await bridge.engine.start()
    carrier.engine = pbx.engine = bridge.engine.address
    try:
        await carrier.connect()
        carrier.send(carrier.request("INVITE", body=OFFER))
        invite = await pbx.hear("INVITE")
        pbx.reply(invite, 200, body=OFFER)
        ok = await carrier.hear("200")
        carrier.send(carrier.request("ACK", call=Call.placed(ok)))
        await until(lambda: bridge.kinds(LegConfirmed) != [])
        await again(bridge)
        pbx.send(pbx.request("INVITE", call=Call.taken(invite), body=MOVED))
        assert carrier.accepted == 0
        carrier.reply(await carrier.hear("INVITE"), 200, body=OFFER)
        assert carrier.accepted == 1
        await pbx.hear("200")
        assert bridge.kinds(LegReinvited)
        pbx.send(pbx.request("ACK", call=Call.taken(invite)))
        pbx.send(pbx.request("BYE", call=Call.taken(invite), cseq=2))
        carrier.reply(await carrier.hear("BYE"), 200)
        await until(lambda: bridge.engine.open_legs == 0)
    finally:
        await bridge.engine.stop(0.05)
        await carrier.stop()
        carrier.close()
        pbx.close()
