"""Whatever arrives on the SIP port is answered, or counted and dropped; nothing raises, nothing is
left behind."""

from __future__ import annotations

import asyncio
import itertools
import socket

import pytest
import sipmessage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2bua.call.leg import LegInvited
from b2bua.call.leg_command import RejectLeg
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.endpoint import SipEngine
from b2bua.sip.hop import Bind, Hop, Transport
from b2bua.sip.message.message import MAX_MESSAGE_BYTES, MalformedError, Request, parse_message
from b2bua.sip.transaction.transaction import Timers
from tests.property.b2bua.sip.nasty import NASTY

HOST = "127.0.0.1"
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def request(method: str, number: int = 1, to_tag: str = "") -> bytes:
    head = (
        f"{method} sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
        f"127.0.0.1:5070;rport;branch=z9hG4bK{method}{number}\r\n"
        f'From: "Ann" <sip:ann@127.0.0.1>;tag=a{number}\r\nTo: <sip:bob@127.0.0.1>{to_tag}\r\nCall-ID: '
        f"c{number}@h\r\n"
        f"CSeq: 1 {method}\r\nContact: <sip:ann@127.0.0.1:5070>\r\nMax-Forwards: 70\r\nRecord-Route: "
        "<sip:127.0.0.1;lr>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n"
    )
    return head.encode() + SDP


METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "REGISTER", "PRACK")


@st.composite
def mutated(draw) -> bytes:
    """A good message after some cuts, insertions, repetitions and swaps."""
    data = request(
        draw(st.sampled_from(METHODS)), draw(st.integers(1, 9)), draw(st.sampled_from(["", ";tag=x"]))
    )
    if draw(st.booleans()):
        data = b"SIP/2.0 200 OK\r\n" + data.partition(b"\r\n")[2]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 60)))
        match draw(st.integers(0, 4)):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + draw(st.sampled_from(NASTY)) + data[at:]
            case 2:
                data = data[:at] + draw(st.sampled_from(NASTY)) + data[end:]
            case 3:
                data = data[:at] + data[at:end] * 3 + data[end:]
            case 4:
                data = data[:at] + draw(st.binary(max_size=20)) + data[end:]
    return data


class Harness:
    """An engine that refuses every call, and the socket of its only trunk."""

    def __init__(self) -> None:
        self.numbers = itertools.count(700)
        self.loop = asyncio.new_event_loop()
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind((HOST, 0))
        self.peer.setblocking(False)
        timers = Timers(t1=0.001, t2=0.002, t4=0.002, d=0.01)
        trunk = Trunk("peer", HOST, self.peer.getsockname()[1])
        binds = [Bind(Transport.UDP, HOST, 0)]
        self.engine = SipEngine(binds=binds, trunks=[trunk], on_event=self.on_event, timers=timers)
        self.loop.run_until_complete(self.engine.start())

    def on_event(self, leg, event) -> None:
        if isinstance(event, LegInvited):
            self.engine.execute_command(leg, RejectLeg(486, "Busy\r\nHere"))

    def feed(self, data: bytes, source=None) -> list[bytes]:
        """What comes back at once for one datagram."""

        async def run() -> None:
            self.engine.receive_message(data, Hop(*(source or self.peer.getsockname())))
            await asyncio.sleep(0)

        self.loop.run_until_complete(run())
        answers = []
        while True:
            try:
                answers.append(self.peer.recv(65536))
            except BlockingIOError:
                return answers

    async def drained(self) -> None:
        async with asyncio.timeout(10):
            while self.engine.open_transactions or self.engine.open_legs:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@pytest.fixture(scope="module")
def harness():
    made = Harness()
    yield made
    made.loop.run_until_complete(made.drained())
    counters = made.engine.counters()
    made.loop.run_until_complete(made.engine.stop())
    made.peer.close()
    made.loop.close()
    assert counters.get("errors", 0) == 0
    assert (counters["legs"], counters["dialogs"], counters["transactions"]) == (0, 0, 0)


def dropped(counters: dict[str, int]) -> int:
    return counters.get("malformed", 0) + counters.get("keepalives", 0)


def _legible(answer: bytes) -> bytes:
    """For a parser that takes UTF-8 only, and no escaped control characters: what is echoed may be
    neither."""
    return bytes(octet if octet in b"\r\n\t" or 0x20 <= octet < 0x7F else 0x5F for octet in answer)


def check(harness: Harness, data: bytes) -> None:
    before = harness.engine.counters()
    answers = harness.feed(data)
    after = harness.engine.counters()
    assert after.get("errors", 0) == before.get("errors", 0)
    assert after["received"] == before.get("received", 0) + 1
    for answer in answers:
        head, _, _ = answer.partition(b"\r\n\r\n")
        assert head.count(b"\r\n") == head.count(b"\r") == head.count(b"\n")
        assert isinstance(sipmessage.Message.parse(_legible(answer)), sipmessage.Response)
    try:
        message = parse_message(data, (HOST, 1))
    except MalformedError:
        assert dropped(after) == dropped(before) + 1
    else:
        # A repetition is answered where the request was, which may have had another Via.
        repeated = after.get("repeated_requests", 0) > before.get("repeated_requests", 0)
        if isinstance(message, Request) and message.method != "ACK" and message.via.rport and not repeated:
            assert answers


SETTINGS = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@SETTINGS
@given(st.binary(max_size=400))
def test_random_bytes_are_dropped(harness, data):
    check(harness, data)


@SETTINGS
@given(mutated())
def test_a_mutated_message_is_answered_or_dropped(harness, data):
    check(harness, data)


@pytest.mark.parametrize("method", METHODS)
def test_a_message_cut_anywhere_is_answered_or_dropped(harness, method):
    whole = request(method, 500)
    for end in range(len(whole)):
        check(harness, whole[:end])


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_reading_raises_malformed_and_nothing_else(data):
    try:
        parse_message(data, (HOST, 5060))
    except MalformedError as error:
        assert error.code in {400, 416, 505, 513}  # noqa: PT017 — most messages do not raise


def codes(answers: list[bytes]) -> list[int]:
    return [int(answer.split(b" ")[1]) for answer in answers]


def test_a_request_that_is_too_large_is_told_so(harness):
    data = request("OPTIONS", 600).replace(
        b"Max-Forwards", b"X: " + b"x" * MAX_MESSAGE_BYTES + b"\r\nMax-Forwards"
    )
    assert codes(harness.feed(data)) == [513]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Content-Length: 8", b"Content-Length: 98"),
        (b"Content-Length: ", b"Content-Length: -"),
        (b"Content-Length: ", b"Content-Length: 5\r\nContent-Length: "),
        (b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE"),
        (b"CSeq: 1 ", b"CSeq: 99999999999 "),
        (b"Max-Forwards: 70", b"Max-Forwards: many"),
        (b"Max-Forwards: 70", b"no colon"),
        (b"Max-Forwards: 70", b"X: a\nb"),
        (b"Max-Forwards: 70", b"X: a\0b"),
        (b"Max-Forwards: 70", b"X: 1\r\n" * 300 + b"Y: 1"),
        (b"sip:bob@127.0.0.1 SIP", b"sip:bob@[127 SIP"),
        (b"\r\n\r\n", b""),
        (b";tag=aNUMBER", b""),
    ],
)
def test_a_bad_header_is_a_400(harness, old, new):
    # A number of its own: a transaction that still waits would answer for it.
    number = next(harness.numbers)
    old = old.replace(b"NUMBER", str(number).encode())
    data = request("OPTIONS", number)
    assert old in data
    assert codes(harness.feed(data.replace(old, new, 1))) == [400]


def test_a_parameter_named_as_a_word_of_python_is_one_like_any_other(harness):
    data = request("OPTIONS", next(harness.numbers))
    assert codes(harness.feed(data.replace(b"127.0.0.1 SIP", b"h;self=1 SIP", 1))) == [200]


def test_compact_folded_and_spaced_headers_are_read_like_any_other(harness):
    data = (
        request("OPTIONS", 800)
        .replace(b"Via:", b"v :")
        .replace(b"From: ", b"f:\r\n  ")
        .replace(b"Call-ID", b"CALL-id")
    )
    assert codes(harness.feed(data)) == [200]


def test_what_exceeds_content_length_is_cut_off():
    message = parse_message(request("INVITE") + b"more", (HOST, 1))
    assert message.body == SDP


def test_a_keepalive_is_no_message(harness):
    before = harness.engine.counters().get("malformed", 0)
    assert harness.feed(b"\r\n\r\n") == []
    assert harness.engine.counters().get("malformed", 0) == before


@pytest.mark.parametrize("method", METHODS)
def test_a_stranger_is_refused_without_state(harness, method):
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind(("127.0.0.3", 0))
    stranger.settimeout(2.0)
    with stranger:
        before = harness.engine.counters()
        harness.feed(request(method, 900), stranger.getsockname())
        after = harness.engine.counters()
        assert after["strangers"] == before.get("strangers", 0) + 1
        assert after["transactions"] <= before["transactions"]
        if method == "ACK":
            stranger.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.recv(65536)
        else:
            assert codes([stranger.recv(65536)]) == [403]
