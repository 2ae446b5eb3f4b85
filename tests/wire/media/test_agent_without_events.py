"""A PBX that takes telephone-event out: the carrier's side keeps it, a card is keyed, and the PBX
gets no event at all. A customer who takes it out gets none either."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from aiortc.rtp import RtpPacket, is_rtcp

from tests.canary import CANARY
from tests.stack import until
from tests.wire.handmade import EVENT_TYPE, Customer, offer
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, events, scene
from tests.wire.sip_peer import HOST


def described(port: int, who: str = "customer") -> str:
    """The desk has no telephone-event."""
    return offer(port, who) if who == "customer" else plain(port, who)


def plain(port: int, who: str) -> str:
    """Without telephone-event."""
    body = offer(port, who)
    return re.sub(r"a=(rtpmap|fmtp):101.*\r\n", "", body).replace("RTP/AVP 0 101", "RTP/AVP 0")


async def key_is_dropped(at: Scene) -> None:
    """Outside of a payment: what comes behind the key is there, without a hole in its sequence
    numbers, and the key is not."""
    since = len(at.old.rtp.heard)
    await at.customer.key("5")
    last = at.customer.speech(b"\x33" * 160)
    await at.customer.play([last])

    def packets() -> list[RtpPacket]:
        return [RtpPacket.parse(data) for data, _ in at.old.rtp.heard[since:] if not is_rtcp(data)]

    await until(
        lambda: any(packet.payload == last.payload for packet in packets()), "the speech behind the key"
    )
    numbers = [packet.sequence_number for packet in packets()]
    assert all((after - before) & 0xFFFF == 1 for before, after in itertools.pairwise(numbers))
    assert events(at.old) == 0


async def paid(at: Scene, keys: str = CANARY.keys) -> None:
    await at.customer.key(keys)
    await at.stack.stage(at.call_id, "ready")
    assert (await at.stack.submit(at.call_id))["type"] == "approved"
    assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
    await at.stack.unmasked(at.call_id)
    assert events(at.old) == 0


async def test_a_card_is_paid_though_the_pbx_answers_without_telephone_event(tmp_path: Path) -> None:
    async with scene(tmp_path, described) as at:
        [answer] = [heard for heard in at.carrier.heard if heard.what == "200" and heard.body]
        assert f"a=rtpmap:{EVENT_TYPE} telephone-event/8000" in answer.body
        await at.customer.play([at.customer.speech() for _ in range(3)])
        await key_is_dropped(at)
        await at.stack.start_capture(at.call_id)
        await paid(at)
        await key_is_dropped(at)
        await at.end(at.agent)


async def test_a_pbx_that_takes_it_out_while_a_card_is_keyed_ends_nothing_and_gets_nothing(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        await at.customer.key("1")
        await until(lambda: events(at.old), "the control: an event while it is agreed on")
        control = len(at.old.rtp.heard)
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:5])
        at.pbx.send(at.pbx.request("INVITE", call=at.agent, cseq=2, body=described(at.old.port, "old")))
        asked = await at.carrier.hear("INVITE")
        assert "telephone-event" in asked.body
        at.carrier.reply(asked, 200, body=offer(at.customer.media.port))
        await at.carrier.hear("ACK")
        assert "telephone-event" not in (await at.pbx.hear("200")).body
        at.pbx.send(at.pbx.request("ACK", call=at.agent, cseq=2))
        del at.old.rtp.heard[:control]
        await paid(at, CANARY.keys[5:])
        await key_is_dropped(at)
        await at.end(at.agent)


async def test_a_customer_who_takes_it_out_gets_no_event_of_an_agent_s_phone_that_sends_on(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        [invite] = [heard for heard in at.pbx.heard if heard.what == "INVITE"]
        desk = Customer(at.pbx, obeys=False)
        desk.media, desk.far = at.old, (HOST, int(invite.body.partition("m=audio ")[2].split()[0]))
        await desk.key("5")
        await until(lambda: events(at.customer.media), "the control: an event while it is agreed on")
        port = at.customer.media.port
        at.carrier.send(at.carrier.request("INVITE", call=at.near, cseq=2, body=plain(port, "customer")))
        asked = await at.pbx.hear("INVITE")
        assert "telephone-event" not in asked.body
        at.pbx.reply(asked, 200, body=plain(at.old.port, "old"))
        await at.carrier.hear("200")
        at.carrier.send(at.carrier.request("ACK", call=at.near, cseq=2))
        await at.pbx.hear("ACK")
        since = len(at.customer.media.rtp.heard)
        await desk.key("6")
        last = desk.speech(b"\x33" * 160)
        await desk.play([last])

        def heard() -> list[RtpPacket]:
            sent = at.customer.media.rtp.heard[since:]
            return [RtpPacket.parse(data) for data, _ in sent if not is_rtcp(data)]

        await until(
            lambda: any(packet.payload == last.payload for packet in heard()), "the speech behind the key"
        )
        assert not [packet for packet in heard() if packet.payload_type == EVENT_TYPE]
        await at.end(at.agent)
