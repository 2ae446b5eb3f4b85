"""Messages out of a stream, in whatever pieces it comes, and what ends a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.message.message import MAX_MESSAGE_BYTES
from b2bua.sip.transport.framer import PING, PONG, BrokenStream, Framed, Framer


def message(body: bytes = b"", name: str = "Content-Length", start: str = "OPTIONS sip:a@b SIP/2.0") -> bytes:
    return f"{start}\r\nCall-ID: c\r\n{name}: {len(body)}\r\n\r\n".encode() + body


ONE, TWO = message(b"v=0\r\n\r\n"), message(start="SIP/2.0 200 OK")


def fed(*pieces: bytes, pinged: bool = False):
    framer = Framer()
    if pinged:
        framer.pinged()
    return [item for piece in pieces for item in framer.feed(piece)]


@given(st.data())
def test_the_same_comes_out_whatever_the_pieces(data):
    parts = data.draw(
        st.lists(st.sampled_from([ONE, TWO, b"\r\n\r\n", message(b"x" * 300, "l")]), max_size=6)
    )
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    wanted = [PING if part == b"\r\n\r\n" else Framed(part) for part in parts]
    assert fed(*pieces) == fed(*(stream[at : at + 1] for at in range(len(stream)))) == wanted


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 3",
        "content-length :3",
        "l:3",
        "L: \r\n 3",
        "Content-Length:\t3 ",
        "l: 3\r\nContent-Length: 3",
    ],
)
def test_the_length_is_found_in_every_way_to_write_it(lines: str):
    text = f"BYE sip:a SIP/2.0\r\nl2: 9\r\nX: Content-Length: 7\r\n{lines}\r\nVia: x\r\n\r\nabc".encode()
    assert fed(text + TWO) == [Framed(text), Framed(TWO)]


@pytest.mark.parametrize(
    "lines", ["X: 1", "l: -1", "l: 3\r\nl: 4", "l: 0x10", "l: 9999999", "l: \u0661", "l:", "l: 1, 1"]
)
def test_a_message_whose_end_is_unknown_ends_the_stream_with_an_answer(lines: str):
    head = f"BYE sip:a SIP/2.0\r\n{lines}".encode()
    *before, last = fed(TWO + head + b"\r\n\r\n" + ONE)
    assert before == [Framed(TWO)]
    assert (last.code, last.head) == (400, head)


@pytest.mark.parametrize(
    "garbage", [b"\0\0", b"\n", b"\x16\x03\x01\x02\0", b"x" * 60, "é sip".encode(), b"\rX", b" BYE"]
)
def test_what_is_not_sip_ends_the_stream_at_once(garbage: bytes):
    assert fed(garbage) == [BrokenStream("not SIP")]


def test_nothing_is_taken_after_the_end():
    framer = Framer()
    framer.feed(b"\0")
    assert framer.feed(ONE) == []
    assert framer.waiting == 0


def test_a_header_without_end_is_refused_when_it_is_too_long_and_kept_no_longer():
    framer = Framer()
    assert framer.feed(b"BYE sip:a SIP/2.0\r\n") == []
    items = []
    for _ in range(100):
        items += framer.feed(b"X: " + b"y" * 1000 + b"\r\n")
        assert framer.waiting <= MAX_MESSAGE_BYTES + 1005
    assert [item.code for item in items] == [513]
    assert framer.waiting == 0


def test_a_body_that_is_too_large_is_refused_before_it_comes():
    (item,) = fed(f"BYE sip:a SIP/2.0\r\nl: {MAX_MESSAGE_BYTES}\r\n\r\n".encode())
    assert (item.code, item.why) == (513, "too large")
    whole = message(b"x" * (MAX_MESSAGE_BYTES - len(message()) - 4))
    assert fed(whole) == [Framed(whole)]


def test_a_double_crlf_is_a_ping_and_a_single_one_our_pong():
    assert fed(b"\r\n\r\n\r\n\r\n") == [PING, PING]
    # RFC 3261 section 7.5: to be ignored.
    assert fed(b"\r\n" + ONE + b"\r\n" + ONE) == [
        Framed(ONE),
        Framed(ONE),
    ]
    assert fed(b"\r", b"\n", pinged=True) == [PONG]
    assert fed(b"\r\n\r\n\r\n", pinged=True) == [PONG, PING]
