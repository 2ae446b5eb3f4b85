"""Codecs that the core does not know, through a relay on real sockets and a real decoder process:
what is read, what passes."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from functools import partial
from operator import itemgetter

import numpy as np
import pytest

from media._core import GUARD
from media.codecs import DecodedCodec
from media.decoder.listener import Listener
from media.decoder.messages import MAX_BYTES, AnswerKind, RequestKind, compose_answer, read_asked
from media.mask_policy import MaskPolicy
from tests.leak import phones
from tests.leak.carriers import captures, replay
from tests.leak.decoded_line import (
    EVENT,
    HOST,
    SSRC,
    STREAM,
    Line,
    keyed,
    until,
)
from tests.leak.decoders import union
from tests.leak.timeline import Packet

CARD = "4539578763621486"
# What begins may repeat what was not heard (Opus); what ends waits for more.
THE_MIDDLE = itemgetter(slice(1, -3))
codecs = pytest.mark.parametrize("codec", list(DecodedCodec), ids=lambda codec: codec.name)


def read(packets: list[Packet], codec: DecodedCodec) -> list[str]:
    audio = phones.heard([packet.payload for packet in packets], codec)
    return [one.digit for digits in union(audio).values() for one in digits]


@codecs
def test_keys_are_read_without_a_mask_and_not_with_one_and_the_rest_leaves_as_it_came(
    line: Line, codec: DecodedCodec
) -> None:
    audio, presses = keyed(CARD)
    payloads = phones.sent(audio, codec)
    line.start_decoder()
    assert "".join(dict.fromkeys(read(line.send(payloads), codec))) == "".join(dict.fromkeys(CARD)), (
        "the control"
    )
    line.relay.set_mask(STREAM, True)
    left = line.send(payloads, first=2000)
    assert read(left, codec) == []
    assert [packet.sequence for packet in left] == list(range(2000, 2000 + len(payloads)))
    assert len({packet.rtp_timestamp for packet in left}) == len(left)
    near = {index for press in presses for index in range(press.start // 160 - 2, press.stop // 160 + 6)}
    far = [index for index in range(len(payloads) - 3) if index not in near]
    assert len(far) > 15
    line.passes(payloads, lambda some: [some[index] for index in far], 3000)


@codecs
def test_nothing_of_a_muted_customer_leaves_but_silence_of_one_kind(line: Line, codec: DecodedCodec) -> None:
    line.start_decoder()
    line.relay.set_mask(STREAM, True, MaskPolicy.MUTE.number)
    first, second = (
        line.send(phones.sent(keyed(card)[0], codec), at) for card, at in ((CARD[:4], 0), ("9028", 500))
    )
    assert len({packet.payload for packet in first + second}) == 1, "it does not show what was said"
    assert not np.any(np.abs(phones.heard([packet.payload for packet in first], codec)) > 32)


@pytest.mark.parametrize("codec", [DecodedCodec.OPUS])
def test_an_event_shuts_what_waits_and_what_comes_after_it(line: Line, codec: DecodedCodec) -> None:
    payloads = phones.sent(keyed("")[0], codec)
    line.start_decoder()
    line.relay.set_mask(STREAM, True, MaskPolicy.MASK.number, GUARD)
    line.passes(payloads[:20], THE_MIDDLE, 0)
    line.customer.sendto(bytes(Packet(EVENT, 500, 500 * 960, SSRC, b"\x05\x0a\x03\xc0")), (HOST, line.port))
    until(lambda: line.relay.counters(STREAM)["agent_masked"] == 1)
    after = [packet.payload for packet in line.send(payloads[21:], first=501)]
    assert not set(after[:5]) & set(payloads), "120 ms of silence"
    line.passes(payloads, THE_MIDDLE, 1000)  # and then the customer again


@pytest.mark.parametrize("codec", [DecodedCodec.OPUS, DecodedCodec.G729])
@pytest.mark.parametrize("policy", [MaskPolicy.MASK, MaskPolicy.MUTE_ON_KEY])
def test_an_event_before_all_audio_shuts_what_comes_after_it(
    line: Line, codec: DecodedCodec, policy: MaskPolicy
) -> None:
    """Also where the decoder is not there yet, or has heard nothing of the stream."""
    line.relay.set_mask(STREAM, True, policy.number, 6000)  # 30 s
    line.customer.sendto(bytes(Packet(EVENT, 9, 9 * 160, SSRC, b"\x05\x0a\x00\xa0")), (HOST, line.port))
    until(lambda: line.relay.counters(STREAM)["agent_masked"] == 1)
    line.start_decoder()
    payloads = phones.sent(keyed("")[0], codec)
    assert not {packet.payload for packet in line.send(payloads, 10)} & set(payloads)


def test_a_window_outlives_a_change_of_codec() -> None:
    listener = Listener(MaskPolicy.MUTE_ON_KEY.number, 400)
    for serial, payload in enumerate(phones.sent(keyed("")[0], DecodedCodec.GSM)):
        listener.hear_packet(serial, DecodedCodec.GSM, payload)
    listener.event()
    answers = [
        answer
        for serial, payload in enumerate(phones.sent(keyed("")[0], DecodedCodec.G729), 100)
        for answer in listener.hear_packet(serial, DecodedCodec.G729, payload)
        if answer[0] >= 100
    ]
    assert len(answers) > 15
    assert not any(is_open for _, is_open in answers)


@pytest.mark.parametrize("codec", [DecodedCodec.OPUS])
def test_an_opus_packet_after_a_gap_is_shut_since_it_may_repeat_what_was_lost(
    line: Line, codec: DecodedCodec
) -> None:
    payloads = phones.sent(keyed("")[0], codec)
    line.start_decoder()
    line.relay.set_mask(STREAM, True)
    line.passes(payloads, THE_MIDDLE, 0)
    left = [packet.payload for packet in line.send([*payloads[:10]], 5000)]
    assert left[0] != payloads[0]


@pytest.mark.parametrize("codec", [DecodedCodec.G729])
def test_a_late_answer_opens_nothing_that_came_after_the_mask_was_off(
    line: Line, codec: DecodedCodec
) -> None:
    """The test plays the decoder, which has slept."""
    payloads = phones.sent(keyed("")[0], codec)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        line.relay.set_decoder(ours.detach())
        line.relay.set_mask(STREAM, True)
        sent = Packet(phones.payload_type(codec), 1, 160, SSRC, payloads[0])
        line.customer.sendto(bytes(sent), (HOST, line.port))
        before = read_asked(theirs.recv(MAX_BYTES))
        line.relay.set_mask(STREAM, False)
        line.relay.set_mask(STREAM, True)
        line.customer.sendto(bytes(replace(sent, sequence=2, payload=payloads[1])), (HOST, line.port))
        requests = [read_asked(theirs.recv(MAX_BYTES)) for _ in range(3)]
        assert [each.what for each in requests] == [RequestKind.LEFT, RequestKind.FORGET, RequestKind.AUDIO]
        after = requests[2]
        assert before.what is RequestKind.AUDIO
        assert after.serial != before.serial
        theirs.send(compose_answer(STREAM, before.serial, AnswerKind.OPEN))
        until(lambda: line._has(2))  # after its patience
        assert payloads[1] not in {packet.payload for packet in line.left}


@pytest.mark.parametrize("codec", [DecodedCodec.OPUS])
@pytest.mark.parametrize("policy", [MaskPolicy.MASK, MaskPolicy.MUTE_ON_KEY, MaskPolicy.MUTE])
def test_a_capture_of_a_real_carrier_that_speaks_opus_leaks_nothing(
    line: Line, codec: DecodedCodec, policy: MaskPolicy
) -> None:
    capture = next((path for path in captures() if path.name.startswith("opus")), None)
    if capture is None:
        assert not os.environ.get("TONEWALL_REQUIRE_ALL"), "captures of real carriers are missing"
        pytest.xfail("no captures of real carriers")
    line.start_decoder()
    line.relay.set_mask(STREAM, True, policy.number, GUARD)
    packets = [packet for _, packet in replay(capture)]
    for count, packet in enumerate(packets, 1):
        line.customer.sendto(bytes(packet), (HOST, line.port))
        until(partial(line.settled, count))
    until(partial(line.settled, len(packets), 0))
    until(partial(line._has, line.relay.counters(STREAM)["agent_sent"]))
    assert {packet.payload_type for packet in line.left} == {phones.payload_type(codec)}
    assert read(line.left, codec) == []


@pytest.mark.parametrize("codec", [DecodedCodec.G729])
def test_without_a_decoder_the_masked_customer_is_silent_and_a_new_one_lets_it_speak(
    line: Line, codec: DecodedCodec
) -> None:
    payloads = phones.sent(keyed("")[0], codec)
    line.relay.set_mask(STREAM, True)
    assert not {packet.payload for packet in line.send(payloads)} & set(payloads)
    line.start_decoder()
    assert line.decoder is not None
    line.passes(payloads, THE_MIDDLE, 1000)
    line.decoder.kill()
    line.decoder.wait()
    assert not {packet.payload for packet in line.send(payloads, 200)} & set(payloads)
    line.start_decoder()
    line.passes(payloads, THE_MIDDLE, 3000)


@codecs
def test_what_is_no_payload_of_its_codec_does_not_leave_while_masked(line: Line, codec: DecodedCodec) -> None:
    chance = np.random.default_rng(3)
    line.start_decoder()
    line.relay.set_mask(STREAM, True)
    good = phones.sent(keyed("")[0], codec)
    for index in range(60):
        junk = chance.bytes(int(chance.integers(1, 300)))
        packet = Packet(phones.payload_type(codec), index, index * 160, SSRC, b"\xff" + junk)
        line.customer.sendto(bytes(packet), (HOST, line.port))
    line.relay.set_mask(STREAM, False)
    line.drain()
    assert line.relay.counters(STREAM)["caller_received"] == 60
    line.relay.set_mask(STREAM, True)
    line.left.clear()
    line.passes(good, THE_MIDDLE, 1000)  # the decoder has survived it
