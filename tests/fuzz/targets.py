"""What is fuzzed: one function a target, which must not raise, and the seeds that it begins
with."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import cycle

from b2bua.call.routing.trunk import DYNAMIC, Trunk
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.remote_streams import remote_streams
from b2bua.call.sdp.rewrite import rewrite_description
from b2bua.sip.auth.challenger import CredentialStatus, DigestChallenger
from b2bua.sip.auth.digest import Digest, Pin, parse_challenges, parse_digest
from b2bua.sip.hop import Hop
from b2bua.sip.leg.dialog import Dialog
from b2bua.sip.message import bodies
from b2bua.sip.message import header_policy as headers
from b2bua.sip.message.compose import compose_response, return_hop
from b2bua.sip.message.header_policy import MessageClass
from b2bua.sip.message.message import MalformedError, Request, Response, parse_message, salvage_head
from b2bua.sip.message.request_checks import check_request
from b2bua.sip.transport.framer import BrokenStream, Framed, Framer
from media.stream_description import LocalStream
from tests.fixtures.torture import ALL
from tests.fuzz.addresses import ADDRESSES
from tests.fuzz.answers import ANSWERS

_HOP = Hop("192.0.2.1", 5060)
_LOCAL = [LocalStream("192.0.2.2", 4000)] * 4
_TRUSTED = Trunk("trusted", "192.0.2.1", 5060, trusted=True, x_headers=("*",))
_STRANGE = Trunk("strange", "192.0.2.3", 5060)
_DYNAMIC = Trunk("pbx", DYNAMIC, 0, username="u", password="secret")
_PLAIN = [
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKf", b"From: <sip:u@h>;tag=a", b"To: <sip:u@h>", b"Call-ID: f",
    b"CSeq: 1 REGISTER",
    b"Max-Forwards: 70", b"Content-Length: 0",
]  # fmt: skip
_ALIEN_HEADER = b"\r\n".join(
    [b"INVITE sip:h SIP/2.0", *_PLAIN[:4], b"CSeq: 1 INVITE", b"X-Name: M\xfcller", b"", b""]
)
_ALIEN = re.compile("[\udc80-\udcff]")  # an octet that is no UTF-8: an X- header's crosses as it came
_ANSWER = b'username="u", realm="r", nonce="0.0.0", uri="sip:h", algorithm=MD5, qop=auth, nc=00000001, cnonce="c", response="0"'  # noqa: E501
_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\n"
    b"m=audio 4 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def message(data: bytes) -> None:
    """A datagram: read, judged, answered; an INVITE opens a dialog; nothing but MalformedError and
    ValueError, where said."""
    try:
        received = parse_message(data, _HOP)
    except MalformedError as error:
        if error.head is not None:
            compose_response(error.head, _HOP, error.code, tag="t")
        return
    if isinstance(received, Response):
        parse_challenges(received)
        return
    check_request(received)
    return_hop(received)
    answer = compose_response(received.head, _HOP, 200, tag="ours")
    assert b"\r\n\r\n" in answer
    try:
        dialog = Dialog.of_request(received, "ours")
    except ValueError:
        return
    bytes(dialog.request("BYE", "192.0.2.2:5060"))


def description(data: bytes) -> None:
    """A body: parsed and rewritten; what is rewritten is parsed again to the same media."""
    try:
        parsed = sdp.parse_description(data)
    except sdp.SdpError:
        return
    remote_streams(parsed, latch=False)
    again = sdp.parse_description(rewrite_description(parsed, _LOCAL, 1, 1))
    assert [media.kind for media in again.media] == [media.kind for media in parsed.media]


def line(data: bytes) -> None:
    """Header lines cut out of anything, for the answer to what cannot be parsed."""
    salvage_head(data)


def stream(data: bytes) -> None:
    """A connection: what comes in pieces is what comes at once. The first 8 bytes say how long the
    pieces are."""
    sizes, sent = [size + 1 for size in data[:8]], data[8:]
    if not sent:
        return
    at_once = [_seen(item) for item in Framer().feed(sent)]
    framer, in_pieces, at, lengths = Framer(), [], 0, cycle(sizes)
    while at < len(sent):
        length = next(lengths)
        in_pieces += [_seen(item) for item in framer.feed(sent[at : at + length])]
        at += length
    assert in_pieces == at_once


def _seen(item: object) -> object:
    """Of an end only that it is one: how much of the message was there by then is by chance."""
    return item.code if isinstance(item, BrokenStream) else item.message if isinstance(item, Framed) else item


def crossing(data: bytes) -> None:
    """A message of one trunk's: what crosses of it to another is lines, and no body that it cannot
    take."""
    try:
        received = parse_message(data, _HOP)
    except MalformedError:
        return
    bodies.unwrap_body(received)
    for from_, to in ((_TRUSTED, _STRANGE), (_STRANGE, _TRUSTED), (_TRUSTED, _TRUSTED)):
        for moment in MessageClass:
            carried = headers.extract_headers(moment, received.headers, from_)
            lines = headers.crossing_lines(moment, carried, to, "ours.example", code=486)
            kind, more, _ = bodies.wrap_body(received.body, received.parts, to, "ours.example")
            assert all(
                _ALIEN.sub("?", line).isprintable() and ": " in line
                for line in (*lines, *more, f"Content-Type: {kind}")
            )


def digest(data: bytes) -> None:
    """An answer to our challenge, and a challenge to us: nobody is believed who does not know the
    password."""
    given = data.decode("latin-1")
    for value in (given, f"Digest {given}"):
        parse_digest(value)
        lines = f"WWW-Authenticate: {value}", f"Authorization: {value}"
        for start, line in zip((b"SIP/2.0 401 Unauthorized", b"REGISTER sip:h SIP/2.0"), lines, strict=True):
            try:
                received = parse_message(
                    b"\r\n".join([start, *_PLAIN, line.encode("latin-1"), b"", b""]), _HOP
                )
            except MalformedError:
                continue
            if isinstance(received, Request):
                assert (
                    DigestChallenger("r").check_credentials(received, "Authorization", _DYNAMIC, 0.0)
                    is not CredentialStatus.GOOD
                )
                continue
            parse_challenges(received)
            Digest("u", "secret", Pin()).answer_challenge(received, "REGISTER", "sip:h", 0, "c", opening=True)


_SEEDS = [torture.message for torture in ALL]
TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "message": (message, _SEEDS),
    "description": (description, [_SDP, *(seed.partition(b"\r\n\r\n")[2] for seed in _SEEDS)]),
    "line": (line, _SEEDS),
    "stream": (
        stream,
        [bytes(range(0, 80, 10)) + message for message in (*_SEEDS, b"\r\n\r\n".join(_SEEDS))],
    ),
    "crossing": (crossing, [*_SEEDS, _ALIEN_HEADER]),
    **ADDRESSES,
    **ANSWERS,
    "digest": (
        digest,
        [_ANSWER, _ANSWER.replace(b"response", b"nextnonce"), b'realm="r", nonce="n", qop="auth"'],
    ),
}
