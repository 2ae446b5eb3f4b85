"""Several m-lines in one call, and whatever RTP they carry: not an octet of it is touched where
nothing is masked."""

from __future__ import annotations

import contextlib
import random
import struct
from pathlib import Path

from tests.stack import Stack, running, until
from tests.wire.handmade import Customer, MediaPair, offer, trunk
from tests.wire.sip_peer import HOST, Call

VIDEO = "m=video {} RTP/AVPF 96\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=content:{}\r\n"
KINDS = ("main", "slides")
SPEECH = b"\x5a" * 160
MAX_DATAGRAM = 1472  # of a datagram that an Ethernet carries


def described(pairs: list[MediaPair], who: str) -> str:
    video = "".join(VIDEO.format(pair.port, kind) for pair, kind in zip(pairs[1:], KINDS, strict=True))
    return offer(pairs[0].port, who) + video


def anything(chance: random.Random) -> bytes:
    """RTP as RFC 3550 has it, with sources, extension and padding by chance, and chance in all of
    it."""
    csrcs, extension, padding = chance.randrange(16), chance.random() < 0.3, chance.random() < 0.3
    first = 0x80 | csrcs | 0x10 * extension | 0x20 * padding
    head = struct.pack("!BB", first, chance.randrange(256)) + chance.randbytes(10 + 4 * csrcs)
    if extension:
        words = chance.randrange(8)
        head += chance.randbytes(2) + struct.pack("!H", words) + chance.randbytes(4 * words)
    tail = b"\0\0\3" if padding else b""  # the last octet of padding counts it
    return head + chance.randbytes(chance.choice((0, 1, 4, 160, MAX_DATAGRAM - len(head) - len(tail)))) + tail


async def test_every_octet_of_every_m_line_passes_both_ways_and_masked_the_video_still_does(
    tmp_path: Path,
) -> None:
    with trunk() as carrier, trunk() as pbx, contextlib.ExitStack() as undo:
        async with running(Stack(tmp_path, carrier.port, pbx.port, pairs=16)) as stack:
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            near, far = [MediaPair() for _ in range(3)], [MediaPair() for _ in range(3)]
            for pair in (*near, *far):
                await pair.open()
                undo.callback(pair.close)
            carrier.send(carrier.request("INVITE", body=described(near, "customer")))
            invite = await pbx.hear("INVITE", 30)
            pbx.reply(invite, 200, body=described(far, "desk"))
            answer = await carrier.hear("200")
            call = Call.placed(answer)
            carrier.send(carrier.request("ACK", call=call))
            await pbx.hear("ACK")
            [up] = await stack.calls_up()
            to_near, to_far = ports(answer.body), ports(invite.body)
            ways = [
                (ours, (HOST, to), theirs)
                for senders, sockets, receivers in ((near, to_near, far), (far, to_far, near))
                for ours, to, theirs in zip(senders, sockets, receivers, strict=True)
            ]
            for sender, to, receiver in ways:  # until media knows of the answer

                def open_now(sender=sender, to=to, receiver=receiver) -> bool:
                    sender.rtp.send(Customer(carrier).speech(SPEECH).serialize(), to)
                    return bool(receiver.rtp.heard)

                await until(open_now, "a way through")
            chance = random.Random(5)
            for _ in range(20):
                for sender, to, receiver in ways:
                    receiver.rtp.heard.clear()
                    sent = [anything(chance) for _ in range(10)]
                    for packet in sent:
                        sender.rtp.send(packet, to)
                    await until(lambda: len(come(receiver)) >= 10, "ten packets of any kind")  # noqa: B023
                    assert come(receiver) == sent
            await stack.start_capture(up["id"])
            for sender, to, receiver in ways[1:3]:
                receiver.rtp.heard.clear()
                odd, video = video_packet(1, kind=97), video_packet(2, kind=96)
                for packet in (odd, video):
                    sender.rtp.send(packet, to)
                await until(lambda: come(receiver), "video under the mask")  # noqa: B023
                # What is not of a type that was agreed on is not known to be video.
                [passed] = come(receiver)
                assert passed[4:] == video[4:]
            [audio, *_] = ways
            audio[2].rtp.heard.clear()
            audio[0].rtp.send(video_packet(9, kind=101)[:12] + bytes.fromhex("050a00a0"), audio[1])
            carrier.send(carrier.request("BYE", call=call, cseq=2))
            pbx.reply(await pbx.hear("BYE"), 200)
            [record] = await until(stack.records, "the call's record")
            assert come(audio[2]) == []
            assert record["agent_masked"] == 3
            assert record["caller_malformed"] == record["agent_malformed"] == 0


def come(pair: MediaPair) -> list[bytes]:
    """What has come of late, but for the speech that tried the ways."""
    return [data for data, _ in pair.rtp.heard if not data.endswith(SPEECH)]


def ports(body: str) -> list[int]:
    return [int(line.split()[1]) for line in body.splitlines() if line.startswith("m=")]


def video_packet(number: int, kind: int) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, number, 90 * number, 0x51DE0) + b"a picture" * 20
