"""A customer with linphonec pays: a telephone that nobody here wrote, with keys of its own, holds,
comes back and hangs up."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from aiortc.rtp import RtpPacket, is_rtcp

from b2bua.demo.speech import speak
from tests.canary import CANARY
from tests.stack import Stack, running, until
from tests.wire import handmade
from tests.wire.paying import charged, digits_sha256, nothing_left
from tests.wire.peers import linphone
from tests.wire.sip_peer import SipPeer


def events(media: handmade.MediaPair) -> list[bytes]:
    """The telephone-events that a side has got."""
    packets = [RtpPacket.parse(data) for data, _ in media.rtp.heard if not is_rtcp(data)]
    return [packet.payload for packet in packets if packet.payload_type == handmade.EVENT_TYPE]


async def test_linphonec_calls_pays_holds_and_hangs_up(tmp_path: Path) -> None:
    if not linphone.available():
        pytest.skip("linphonec (Debian: linphone-cli), or root to make a network for it, is not here")
    with linphone.network() as where:
        agent, media = SipPeer(where.here), handmade.MediaPair(where.here)
        await media.open()
        extra = {
            "general": {"bind": where.here}, "media": {"address": where.here},
            "carrier": {"host": where.there, "port": "5060"}, "pbx": {"host": where.here},
        }  # fmt: skip
        stack = Stack(tmp_path, 5060, agent.port, extra=extra)
        with contextlib.closing(agent.socket), contextlib.closing(media):
            async with running(stack), linphone.linphone(tmp_path, where) as customer:
                agent.engine = (where.here, stack.sip_port)
                customer.tell(f"call sip:desk@{where.here}:{stack.sip_port}")
                invite = await agent.hear("INVITE", 20)
                agent.reply(invite, 180)
                agent.reply(invite, 200, body=handmade.offer(media.port, "desk", where.here))
                await agent.hear("ACK")
                await customer.wait("connected")
                [call] = await stack.calls_up()
                speak(
                    "Nine, and so on, and so on, until all of it has been said, and then again",
                    tmp_path / "speech.wav",
                )
                customer.tell(f"play {tmp_path / 'speech.wav'}")
                await until(lambda: len(media.rtp.heard) > 20, "speech of linphonec at the desk")

                customer.tell("7")
                await until(lambda: events(media), "a key outside of a payment at the desk")
                assert events(media)[0][0] == 7

                await stack.start_capture(str(call["id"]))
                before = len(events(media))
                for key in f"{CANARY.number}#{CANARY.expiry}#{CANARY.code}#":
                    customer.tell(key)  # it takes a second for each
                await stack.stage(str(call["id"]), "ready")
                assert (await stack.submit(str(call["id"])))["type"] == "approved"
                assert (await charged(stack, "order-1"))["digits_sha256"] == digits_sha256()
                assert len(events(media)) == before
                await stack.unmasked(str(call["id"]))
                customer.tell("9")
                await until(lambda: len(events(media)) > before, "a key after the payment at the desk")
                assert events(media)[-1][0] == 9

                customer.tell("pause")
                held = await agent.hear("INVITE", 20)
                assert re.search(r"a=(sendonly|inactive)\r\n", held.body)
                body = handmade.offer(media.port, "desk", where.here).replace("1 1 IN", "1 2 IN")
                agent.reply(held, 200, body=f"{body}a=recvonly\r\n")
                await agent.hear("ACK")
                await customer.wait("paused")
                customer.tell("resume")
                again = await agent.hear("INVITE", 20)
                assert not re.search(r"a=(sendonly|inactive|recvonly)\r\n", again.body)
                agent.reply(again, 200, body=body.replace("1 2 IN", "1 3 IN"))
                await agent.hear("ACK")
                heard = len(media.rtp.heard)
                await until(lambda: len(media.rtp.heard) > heard + 20, "speech of linphonec after the hold")

                customer.tell("terminate")
                agent.reply(await agent.hear("BYE", 20), 200)
                await customer.wait("ended")
                await nothing_left(stack)
