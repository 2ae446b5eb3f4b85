"""An m-line that a re-INVITE adds to a call: it gets ports of its own, both ways, while what was
there goes on."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path

import pytest

from tests.stack import until
from tests.wire.handmade import MediaPair, offer
from tests.wire.scene import Scene, scene
from tests.wire.sip_peer import HOST

_VIDEO = "m=video {0} RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"


def video_port(body: str) -> int:
    return int(body.partition("m=video ")[2].split()[0])


async def added(at: Scene, asks: str, ours: int, theirs: int) -> tuple[str, str]:
    """One end adds video, received on `ours`; the other takes it on `theirs`. The last
    descriptions that each got."""
    near, far = (at.carrier, at.pbx) if asks == "customer" else (at.pbx, at.carrier)
    call = at.near if asks == "customer" else at.agent
    own, other = (
        (at.customer.media.port, at.old.port) if asks == "customer" else (at.old.port, at.customer.media.port)
    )
    near.send(near.request("INVITE", call=call, cseq=2, body=offer(own) + _VIDEO.format(ours)))
    asked = await far.hear("INVITE")
    port = theirs if video_port(asked.body) else 0
    far.reply(asked, 200, body=offer(other) + _VIDEO.format(port))
    await far.hear("ACK")
    answer = await near.hear("200")
    near.send(near.request("ACK", call=call, cseq=2))
    return asked.body, answer.body


def pictures(pair: MediaPair, wanted: int = 0) -> list[bytes]:
    """What has come of the video; nothing, as long as it is less than wanted."""
    came = [data for data, _ in pair.rtp.heard if data.endswith(b"a picture")]
    return came if len(came) >= wanted else []


@pytest.mark.parametrize("asks", ["customer", "agent"])
async def test_video_that_is_added_is_relayed_both_ways_and_the_audio_goes_on(
    tmp_path: Path, asks: str
) -> None:
    async with scene(tmp_path) as at:
        with contextlib.ExitStack() as undo:
            here, there = MediaPair(), MediaPair()
            for pair in (here, there):
                await pair.open()
                undo.callback(pair.close)
            offered, answer = await added(at, asks, here.port, there.port)
            packets = [bytes((0x80, 96, 0, number)) + bytes(8) + b"a picture" for number in range(20)]
            for packet in packets:
                here.rtp.send(packet, (HOST, video_port(answer)))
                there.rtp.send(packet, (HOST, video_port(offered)))
            for pair in (here, there):
                await until(partial(pictures, pair, len(packets)), "every packet of the video")
                assert pictures(pair) == packets
            await at.customer.play([at.customer.speech() for _ in range(5)])
            await until(lambda: at.old.rtp.heard, "the audio")
            await at.end(at.agent)


async def test_while_a_card_is_keyed_what_is_added_is_refused_in_place(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        offered, answer = await added(at, "agent", 40_002, 40_004)
        assert video_port(offered) == video_port(answer) == 0
        assert (await at.stack.call(at.call_id))["masked"]
        await at.end(at.agent)
