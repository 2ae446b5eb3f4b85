"""The canary of codecs that the core does not know: it hears keys in what leaves, stops the rest,
and says so once."""

from __future__ import annotations

import socket
from functools import partial

import numpy as np
import pytest

from media._core import LEAKED
from media.codecs import DecodedCodec
from media.decoder.canary import LeakCheck
from media.decoder.messages import MAX_BYTES, AnswerKind, RequestKind, compose_answer, read_asked
from tests.leak import phones
from tests.leak.codec import amplitude
from tests.leak.decoded_line import HOST, SSRC, STREAM, Line, keyed, until
from tests.leak.decoders import RATE
from tests.leak.speech import talk
from tests.leak.timeline import Packet

CODECS = pytest.mark.parametrize("codec", list(DecodedCodec), ids=lambda codec: codec.name)


def first_heard(payloads: list[bytes], codec: DecodedCodec) -> int | None:
    """The packet with which it hears a key."""
    leaving = LeakCheck()
    return next((index for index, payload in enumerate(payloads) if leaving.hears(codec, payload)), None)


@CODECS
def test_a_key_that_leaves_is_heard_within_60_ms(codec: DecodedCodec) -> None:
    audio, presses = keyed("5")
    packet = 160
    at = first_heard(phones.sent(audio, codec), codec)
    assert at is not None
    assert presses[0].start // packet <= at <= presses[0].start // packet + 3


@CODECS
def test_a_minute_of_speech_is_no_key(codec: DecodedCodec) -> None:
    speech = talk(np.random.default_rng(3), 60 * RATE) * amplitude(-16) / amplitude(0)
    assert first_heard(phones.sent(speech, codec), codec) is None


@pytest.mark.parametrize("codec", [DecodedCodec.GSM], ids=lambda codec: codec.name)
def test_after_a_key_has_left_nothing_more_does_and_it_is_told_once(line: Line, codec: DecodedCodec) -> None:
    payloads = phones.sent(keyed("5")[0], codec)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.settimeout(20)
    events: list[tuple[int, int]] = []

    def next_asked(what: RequestKind) -> int:
        while (asked := read_asked(theirs.recv(MAX_BYTES))).what is not what:
            pass
        return asked.serial

    def is_told() -> bool:
        events.extend(line.relay.take_events())
        return bool(events)

    with theirs:
        line.relay.set_decoder(ours.detach())
        line.relay.set_mask(STREAM, True)
        for number in range(4):
            sent = Packet(phones.payload_type(codec), number, 160 * number, SSRC, payloads[number])
            line.customer.sendto(bytes(sent), (HOST, line.port))
            theirs.send(compose_answer(STREAM, next_asked(RequestKind.AUDIO), AnswerKind.OPEN))
            if number < 2:
                next_asked(RequestKind.LEFT)
            if number == 1:
                theirs.send(compose_answer(STREAM, 0, AnswerKind.LEAKED))
                theirs.send(compose_answer(STREAM, 0, AnswerKind.LEAKED))
                until(is_told)
        until(partial(line.settled, 4, 0))
    assert [kind for _, kind in [*events, *line.relay.take_events()]] == [LEAKED]
    assert [packet.sequence for packet in line.left] == [0, 1]
