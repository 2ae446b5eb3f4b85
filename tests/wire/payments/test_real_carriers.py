"""Captures of real carriers, played through a whole Tonewall: what the agent's phone gets, and what
is charged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from media.codecs import DecodedCodec
from tests.canary import Card
from tests.leak import phones
from tests.leak.carriers import CAPTURES, EVENT, captures, replay
from tests.leak.codec import PACKET, PCMU, Pcm
from tests.leak.decoders import together, union
from tests.leak.timeline import Packet, heard, parse
from tests.stack import until
from tests.wire.handmade import EVENT_TYPE, offer, passed
from tests.wire.media.offers import OPUS, TICKS, opus_offer
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, scene

QUICK = 0.002  # seconds between two packets, where nothing is masked
POLICIES = pytest.mark.parametrize("policy", ["mask", "mute-on-key", "mute"])


def begins_with(keyed: str) -> Card:
    """A card whose number does: the capture's keys, and the rest by hand."""
    body = keyed + "31415"[: 15 - len(keyed)]
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(body))
    return Card(number=f"{body}{-total % 10}", expiry="1139", code="739")


def opus_heard(packets: Iterable[Packet]) -> Pcm:
    """Each 20 ms where its rtp_timestamp says, and silence where there are none."""
    placed = sorted(packets, key=lambda each: each.rtp_timestamp)  # no capture's clock wraps
    sound = phones.heard([packet.payload for packet in placed], DecodedCodec.OPUS)
    late = len(placed) * PACKET - len(sound)  # samples that the decoder keeps to itself
    pieces = np.concatenate([np.zeros(late, np.int16), sound]).reshape(len(placed), PACKET)
    places = [(packet.rtp_timestamp - placed[0].rtp_timestamp) * PACKET // TICKS for packet in placed]
    whole = np.zeros(places[-1] + PACKET, np.int16)
    for place, piece in zip(places, pieces, strict=True):
        whole[place : place + PACKET] = piece
    return whole


CODECS: dict[str, tuple[int, Callable[..., str], Callable[[Iterable[Packet]], Pcm]]] = {
    "ulaw": (PCMU, offer, heard),
    "opus": (OPUS, opus_offer, opus_heard),
}


async def play(at: Scene, packets: Iterable[tuple[float, Packet]], ssrc: int) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for time, packet in packets:
        await asyncio.sleep(begin + time - loop.time())
        at.customer.media.rtp.send(bytes(replace(packet, ssrc=ssrc)), at.customer.far)


def arrived(at: Scene, since: int, payload_type: int) -> list[Packet]:
    """The agent's phone's audio; `since`: datagrams that it had before. There is nothing but
    audio."""
    packets = [packet for data, _ in at.old.rtp.heard[since:] if (packet := parse(data)) is not None]
    assert {packet.payload_type for packet in packets} == {payload_type}
    return packets


@POLICIES
@pytest.mark.parametrize("codec", CODECS)
async def test_what_a_real_carrier_sends_is_charged_in_order_and_read_nowhere(
    tmp_path: Path, codec: str, policy: str
) -> None:
    capture = next((path for path in captures() if path.name.startswith(codec)), None)
    if capture is None:
        pytest.xfail(f"no captures of real carriers: {CAPTURES} names no folder with one")
    assert EVENT == EVENT_TYPE
    payload_type, describe, hear = CODECS[codec]
    sent = replay(capture)
    first, audio = sent[0][0], sum(packet.payload_type == payload_type for _, packet in sent)
    card = begins_with(capture.stem.partition("-")[2])
    async with scene(tmp_path, describe, mask=policy) as at:
        spoken = next(packet for _, packet in sent if packet.payload_type == payload_type)
        await passed(bytes(replace(spoken, ssrc=3)), at.customer.media.rtp, at.customer.far, at.old.rtp)
        since = len(at.old.rtp.heard)
        await play(at, [(QUICK * number, packet) for number, (_, packet) in enumerate(sent)], 1)
        await until(lambda: len(at.old.rtp.heard) - since >= len(sent), "all of it, unmasked")
        crossed = [packet for data, _ in at.old.rtp.heard[since:] if (packet := parse(data)) is not None]
        assert any(
            union(hear(packet for packet in crossed if packet.payload_type == payload_type)).values()
        ), "the control"

        await at.stack.start_capture(at.call_id)
        since = len(at.old.rtp.heard)
        await play(at, [(time - first, packet) for time, packet in sent], 2)
        await until(
            lambda: len(at.old.rtp.heard) - since >= audio - 2, "the customer's audio at the agent's phone"
        )
        await until(partial(counted, at, len(capture.stem.partition("-")[2])), "each key once")
        left = arrived(at, since, payload_type)
        assert together(union(hear(left))) == []
        await at.customer.key(f"{card.keys[len(capture.stem.partition('-')[2]) :]}")
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256(card)
        await at.end(at.agent)


async def counted(at: Scene, keys: int) -> bool:
    number = (await at.stack.call(at.call_id))["capture"]["fields"][0]
    return bool(number["count"] == keys)
