"""What is read of others costs time in proportion to its length: each reader is fed a piece n and 4
n times.

What can be counted is counted: lines and calls of Python. What C does between two of them is
measured in CPU time, and only where it is long enough to be told apart from noise; regular
expressions have a checker of their own (tests/architecture).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from types import FrameType

import pytest

from b2bua.access.tokens import Tokens
from b2bua.call import cause
from b2bua.call import redaction as muted
from b2bua.call.leg import Carried, LegHungUp
from b2bua.call.routing import router as routing
from b2bua.call.routing.numbers import Form, NumberPlan
from b2bua.call.routing.trunk import Trunk
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import filters as narrowing
from b2bua.call.sdp import hold as held
from b2bua.call.sdp import negotiated as agreement
from b2bua.call.sdp import sdes
from b2bua.call.sdp.remote_streams import remote_streams
from b2bua.call.sdp.rewrite import rewrite_description
from b2bua.config.listen import parse_binds
from b2bua.sip.auth.challenger import DigestChallenger
from b2bua.sip.auth.digest import parse_challenges, parse_digest
from b2bua.sip.hop import Hop
from b2bua.sip.leg import session_timer
from b2bua.sip.leg.dialog import Dialog
from b2bua.sip.leg.failover import redirect_contacts
from b2bua.sip.leg.referral import parse_refer_to
from b2bua.sip.leg.replaces import Replaces
from b2bua.sip.leg.uas import calling_party
from b2bua.sip.message import bodies
from b2bua.sip.message import header_policy as headers
from b2bua.sip.message.compose import compose_response, reason_phrase
from b2bua.sip.message.header_policy import RULES, MessageClass
from b2bua.sip.message.message import MalformedError, Request, Response, parse_message, salvage_head
from b2bua.sip.message.name_addr import parse_name_addr
from b2bua.sip.message.octets import decode_octets, printable
from b2bua.sip.message.request_checks import check_request
from b2bua.sip.message.uri import Uri
from b2bua.sip.transport.framer import Framer
from b2bua.sip.transport.tls import names
from media.reference import sip_info as info
from media.rtpengine import ng
from media.rtpengine import sdp as described
from media.stream_description import LocalStream
from tonewall.card_numbers import looks_like_card_number

HOP = Hop("192.0.2.1", 5060)
TRUSTED = Trunk("trusted", "192.0.2.1", 5060, trusted=True, x_headers=("*",))
NUMBERS = NumberPlan(Form.NATIONAL, "49")
MOST = 12_000  # octets: what a datagram has room for beside the rest
# Seconds of CPU below which nothing is measured: quadratic steps on MOST octets take longer.
LONG = 0.025
PIECES = (
    *" \t\"\\<>;,:=@%?&#+-.()[]/*'`~!$^{}|_0aAdeil\xfc",
    "\r\n ", "\r\n\t", "\r\n", "\n", "a=", ";a", ";a=b", "a;", "\"\"", "\"\\", "\\\"", "a,", ", ", "<>",
    "<a>,", "><",
    "\"<", "\">", "a@", "@a", "a:", ":1", "%4", "%41", "a.", "..", "a-", "[:", "::", "1:", "1:a", "i1e",
    "d1:a", "le",
    "Via: a\r\n", "v:\r\n", "l:1\r\n", "L: \r\n", "X-A: b\r\n", "m=audio 4 RTP/AVP 0\r\n",
    "a=rtpmap:0 a/8\r\n",
    "a=b:c\r\n", "c=IN IP4 0\r\n", " 0", " 101", "0/", "a=fmtp:101 0-15\r\n", "--b", "\r\n--b",
    "\r\n--b\r\n\r\n",
    "\r\n--b \t", "SIP/", " / ", "\t;", "\t,", "\t\"", "= ", "=\t\"", "Q.850;", "cause=", "; cause =",
    "SIP ;",
    "1234 ", "4111-", "4111 1111 ", "411111", "a b", "sip:", "sip:a@", "a=x;", "<sip:a>;", "&a=", "a&", "2^",
    "((",
    "\\(", "2.0", "0.", "Z\xe9",
)  # fmt: skip
FRAME = (
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKf\r\nFrom: <sip:u@h>;tag=a\r\nTo: <sip:u@h>\r\nCall-ID: f\r\n"
    "CSeq: 1 INVITE\r\n"
)
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\nm=audio 4 RTP/AVP 0 101\r\n"


def as_message(start: str, lines: str, body: str = "") -> None:
    with contextlib.suppress(MalformedError, ValueError):
        received = parse_message(f"{start}\r\n{lines}\r\n\r\n{body}".encode(), HOP)
        bodies.unwrap_body(received)
        session_timer.read_session_timer(received)
        for moment in MessageClass:
            headers.crossing_lines(
                moment, headers.extract_headers(moment, received.headers, TRUSTED), TRUSTED, "h", code=486
            )
        compose_response(received.head, HOP, 200, tag="t")
        if isinstance(received, Response):
            parse_challenges(received)
            redirect_contacts(received)
            return
        check_request(received)
        calling_party(received)
        DigestChallenger("r").check_credentials(received, "Authorization", None, 0.0)
        bytes(Dialog.of_request(received, "t").request("BYE"))


def invite(text: str) -> None:
    as_message("INVITE sip:u@h SIP/2.0", text)


def of_header(name: str, start: str = "INVITE sip:u@h SIP/2.0") -> Callable[[str], None]:
    return lambda text: as_message(start, f"{FRAME}Contact: <sip:c@h>\r\n{name}: {text}")


def instead_of(line: str) -> Callable[[str], None]:
    """The same message with another value in one of the headers that each must have."""
    rest = "".join(each + "\r\n" for each in FRAME.splitlines() if not each.startswith(line))
    return lambda text: as_message("INVITE sip:u@h SIP/2.0", f"{rest}{line}: {text}")


def framed(text: str) -> None:
    Framer().feed(f"INVITE sip:u@h SIP/2.0\r\n{text}\r\n\r\n".encode())


def in_octets(text: str) -> None:
    framer = Framer()
    for octet in f"INVITE sip:u@h SIP/2.0\r\n{text}".encode():
        framer.feed(bytes((octet,)))


def description(text: str) -> None:
    with contextlib.suppress(sdp.SdpError):
        parsed = sdp.parse_description(f"{SDP}{text}".encode("latin-1"))
        remote_streams(parsed, latch=False)
        rewrite_description(parsed, [LocalStream("192.0.2.2", 4000)] * 4, 1, 1)
        held.is_hold(parsed)
        narrowing.without_opaque_audio(parsed, decoded=True)
        narrowing.echo_known(parsed, [parsed])
        agreement.agreed_codec(parsed, parsed)


def reason(text: str) -> None:
    carried = Carried((("Reason", f"Q.850;{text}"),))
    cause.q850_cause(carried)
    muted.redacted(LegHungUp(carried))


def number(text: str) -> None:
    NUMBERS.write(NUMBERS.read(text))
    routing.Pattern.read("/(0*)*([0-9]+)*x/", "").fits(text[: routing.MAX_LENGTH])


def tolerant(reader: Callable[[str], object], *errors: type[Exception]) -> Callable[[str], None]:
    def run(text: str) -> None:
        with contextlib.suppress(*errors):
            reader(text)

    return run


def multipart(text: str) -> None:
    as_message(
        "INVITE sip:u@h SIP/2.0",
        f"{FRAME}Contact: <sip:c@h>\r\nContent-Type: multipart/mixed;boundary=b",
        f"--b\r\n{text}",
    )


def refer(text: str) -> None:
    with contextlib.suppress(MalformedError, ValueError):
        received = parse_message(
            f"REFER sip:u@h SIP/2.0\r\n{FRAME.replace('1 INVITE', '1 REFER')}Refer-To: {text}\r\n\r\n".encode(),  # noqa: E501
            HOP,
        )
        assert isinstance(received, Request)
        parse_refer_to(received)


READERS: dict[str, Callable[[str], object]] = {
    "lines": invite,
    "start line": lambda text: as_message(text, FRAME),
    "Request-URI": lambda text: as_message(f"INVITE {text} SIP/2.0", FRAME),
    "status line": lambda text: as_message(f"SIP/2.0 486 {text}", FRAME),
    "salvage": lambda text: salvage_head(f"INVITE sip:u@h SIP/2.0\r\n{FRAME}{text}".encode()),
    "salvaged Via": lambda text: salvage_head(f"INVITE sip:u@h SIP/2.0\r\nVia: SIP/2.0/UDP {text}\r\n{FRAME}".encode()),  # noqa: E501
    "stream": framed,
    "stream in octets": in_octets,
    "length in a stream": lambda text: framed(f"l: {text}x"),
    "multipart": multipart,
    "Refer-To": refer,
    "Digest": lambda text: parse_digest(f"Digest {text}"),
    "challenge": of_header("WWW-Authenticate", "SIP/2.0 401 No"),
    "redirection": lambda text: as_message("SIP/2.0 302 There", f"{FRAME}Contact: {text}"),
    "URI": tolerant(lambda text: Uri.parse(f"sip:{text}"), ValueError),
    "address": parse_name_addr,
    "octets": lambda text: printable(decode_octets(text.encode("latin-1"))),
    "Replaces": tolerant(Replaces.parse, ValueError),
    "reason": reason,
    "phrase": lambda text: reason_phrase(486, text),
    "number": number,
    "description": description,
    "formats": lambda text: description(f"m=audio 6 RTP/AVP {text}"),
    "key": tolerant(sdes.parse_crypto, ValueError),
    "INFO": lambda text: (info.parse_key(text.encode()), info.duration(text.encode())),
    "bencode": tolerant(lambda text: ng.decode_value(text.encode("latin-1")), ng.NgError),
    "rtpengine": tolerant(lambda text: described.local(f"{SDP}{text}".encode("latin-1"), 1),
    described.NotDescribed),
    "order": looks_like_card_number,
    "tokens": tolerant(Tokens.parse, ValueError),
    "listen": tolerant(lambda text: parse_binds(f"udp:{text}", "", 0, ""), ValueError),
    "certificate": lambda text: names({"subjectAltName": (("URI", f"sip:{text}"),)}),
    **{f"in place of {name}": instead_of(name) for name in ("Via", "From", "To", "Call-ID", "CSeq")},
    **{rule.name: of_header(rule.name) for rule in RULES},
    **{
        name: of_header(name)
        for name in (
            "Via", "Contact", "Route", "Record-Route", "Content-Type", "Content-Length",
            "Content-Disposition", "Accept",
            "Require", "Supported", "Session-Expires", "Proxy-Authorization", "X-Anything", "Max-Forwards",
            "Path", "Event",
        )
    },
}  # fmt: skip
# Where a piece stands: by itself, where a value has begun, and where it cannot end.
SETTINGS = (("", ""), ("<sip:a@h", "x"), ('"', ""), ("SIP/2.0/UDP h", "!"), ("a=", '"'), ("Identity\t", ":"))


def counted(run: Callable[[], object]) -> int:
    """The lines of Python that run, and the calls into C."""
    steps = 0

    def trace(frame: FrameType, event: str, arg: object) -> Callable[..., object] | None:
        nonlocal steps
        steps += event in ("line", "call")
        return trace

    def profile(frame: FrameType, event: str, arg: object) -> None:
        nonlocal steps
        steps += event == "c_call"

    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.settrace(None)
        sys.setprofile(None)
    return steps


def lasting(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def quadratic(reader: Callable[[str], object], prefix: str, piece: str, suffix: str) -> str:
    """How the reader's work grows more than its input, or ""."""

    def of(times: int) -> Callable[[], object]:
        return lambda: reader(prefix + piece * times + suffix)

    once, more = counted(of(50)), counted(of(200))
    if (
        more > 6 * once + 4000
    ):  # what is bounded may be so much at once: the lines of a message that is refused
        return f"{once} steps of Python became {more}"
    many = MOST // len(piece)
    if lasting(of(many)) < LONG:
        return ""
    longer, shorter = (min(lasting(of(each)) for _ in range(3)) for each in (many, many // 4))
    return f"{shorter:.4f} s became {longer:.4f} s" if longer > LONG and longer > 9 * shorter else ""


@pytest.mark.parametrize("name", READERS)
def test_four_times_the_input_is_about_four_times_the_work(name: str) -> None:
    reader = READERS[name]
    found = [
        f"{prefix!r} + {piece!r} * n + {suffix!r}: {grown}"
        for prefix, suffix in SETTINGS
        for piece in PIECES
        if (grown := quadratic(reader, prefix, piece, suffix))
    ]
    assert not found, "\n".join(found[:5])
