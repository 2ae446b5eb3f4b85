"""What crosses from leg to leg, and what does not."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.call.leg import Carried, LegHungUp, Part, Party
from b2bua.call.redaction import redacted
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop
from b2bua.sip.message import bodies
from b2bua.sip.message.compose import reason_phrase
from b2bua.sip.message.header_policy import RULES, MessageClass, crossing_lines, displayed_caller
from b2bua.sip.message.message import parse_message
from b2bua.sip.message.passport import SignedContent

OURS = "ours.example"
STRANGE, TRUSTED = Trunk("a", "192.0.2.1", 5060), Trunk("b", "192.0.2.1", 5060, trusted=True)


def sent(
    trunk: Trunk, *headers: tuple[str, str], moment: MessageClass = MessageClass.INVITE, **more
) -> tuple[str, ...]:
    return crossing_lines(moment, headers, trunk, OURS, **more)


@pytest.mark.parametrize(
    ("name", "value", "strange", "trusted"),
    [
        ("P-Asserted-Identity", '"Ann" <sip:+15550100@10.0.0.5:5070;transport=tcp>',
        *['"Ann" <sip:+15550100@ours.example>'] * 2),
        ("Diversion", "<sip:200@10.0.0.5>;reason=user-busy;privacy=full",
         '"Anonymous" <sip:anonymous@anonymous.invalid>;reason=user-busy;privacy=full',
         "<sip:200@ours.example>;reason=user-busy;privacy=full"),
        ("History-Info", "<sip:bob@10.0.0.5?Privacy=history>;index=1.1",
         "<sip:anonymous@anonymous.invalid>;index=1.1", "<sip:bob@ours.example?Privacy=history>;index=1.1"),
        ("User-to-User", "56a390;encoding=hex", None, "56a390;encoding=hex"),
        ("Alert-Info", "<http://pbx.example/ring.wav>", None, "<http://pbx.example/ring.wav>"),
        ("Alert-Info", "<urn:alert:source:external>", *["<urn:alert:source:external>"] * 2),
        ("Subject", "about 10.0.0.5", None, None),
        ("X-Secret", "1", None, None),
        ("Via", "SIP/2.0/UDP 10.0.0.5", None, None),
    ],
)  # fmt: skip
def test_what_each_kind_of_trunk_is_told(name: str, value: str, strange: str | None, trusted: str | None):
    for trunk, expected in ((STRANGE, strange), (TRUSTED, trusted)):
        assert sent(trunk, (name, value)) == (() if expected is None else (f"{name}: {expected}",))


def test_a_private_identity_is_sent_to_trusted_trunks_only():
    asserted = ("Privacy", "id"), ("P-Asserted-Identity", "<tel:+15550100>")
    assert sent(STRANGE, *asserted) == ("Privacy: id",)
    assert len(sent(TRUSTED, *asserted)) == 2
    assert displayed_caller(Party("ann"), (("Privacy", "user"),), STRANGE, OURS)[1] == "anonymous.invalid"


@pytest.mark.parametrize(("orig", "kept"), [("15550100", True), ("15550199", False)])
def test_a_signed_caller_is_kept_only_where_it_is_still_true(orig: str, kept: bool):
    claims = json.dumps({"orig": {"tn": orig}, "dest": {"tn": ["15550111"]}, "iat": 1}).encode()
    value = f"aa.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.bb;alg=ES256"
    trunk = Trunk("a", "192.0.2.1", 5060, identity=True)
    signed = SignedContent(("+15550100",), "+15550111", b"")
    assert bool(sent(trunk, ("Identity", value), signed=signed)) is kept
    assert not sent(STRANGE, ("Identity", value), signed=signed)


def test_a_private_header_goes_where_the_trunk_names_it():
    trunk = Trunk("a", "192.0.2.1", 5060, x_headers=("x-account",))
    assert sent(trunk, ("X-Account", "7"), ("X-Other", "8")) == ("X-Account: 7",)


@given(st.sampled_from([rule.name for rule in RULES] + ["X-A", "X-A\r\nVia"]), st.text(max_size=200))
def test_no_value_breaks_out_of_its_line(name: str, value: str):
    trunk = Trunk("a", "192.0.2.1", 5060, trusted=True, x_headers=("*",), identity=True)
    for moment in MessageClass:
        for line in sent(trunk, (name, value), moment=moment):
            assert line.isprintable()


def test_while_masked_only_the_numbers_of_a_reason_cross():
    carried = Carried(
        (
            ("Reason", 'Q.850;cause=16;text="4111111111111111"'),
            ("User-to-User", "4111"),
            ("Reason", "X;cause=4111"),
        ),
        (Part("application/isup", b"4111"),),
    )
    after = redacted(LegHungUp("far end hung up", carried))
    assert after == LegHungUp("far end hung up", Carried((("Reason", "Q.850;cause=16"),)))


def message(content_type: str, body: bytes):
    head = (
        "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: "
        "<sip:b@h>\r\n"
        f"Call-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Type: {content_type}\r\n\r\n"
    )
    got = parse_message(head.encode() + body, Hop("127.0.0.1", 5060))
    bodies.unwrap_body(got)
    return got


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), min_size=1, max_size=6))
def test_parts_come_out_as_they_went_in(sdp: bytes, contents: list[bytes]):
    parts = tuple(Part("application/ISUP;version=nxv3", content) for content in contents)
    content_type, _, body = bodies.wrap_body(b"v=0" + sdp, parts, TRUSTED, OURS)
    got = message(content_type, body)
    assert (got.body, got.parts, got.unsupported) == (b"v=0" + sdp, parts, ())
    assert bodies.wrap_body(sdp, parts, STRANGE, OURS)[2] == sdp


@given(
    st.sampled_from(["multipart/mixed;boundary=b", "multipart/alternative;boundary=b", "x", ""]), st.binary()
)
def test_no_body_raises(content_type: str, body: bytes):
    message(content_type, body.replace(b"|", b"\r\n--b\r\n"))


def test_what_is_no_session_is_refused_unless_it_is_optional():
    assert message("text/plain", b"x").unsupported
    wrapped = (
        b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b\r\nContent-Type: message/sipfrag\r\n%s\r\n"
        b"x\r\n--b--"
    )
    assert message("multipart/mixed;boundary=b", wrapped % b"").unsupported
    optional = b"Content-Disposition: signal;handling=optional\r\n"
    assert message("multipart/mixed;boundary=b", wrapped % optional).body == b"v=0"


@pytest.mark.parametrize(
    "given", ["Busy at pbx-3.internal.example", "No route via 192.0.2.7", "Try sip:bob@192.0.2.7:5070"]
)
def test_a_phrase_that_names_a_host_does_not_cross(given: str):
    assert reason_phrase(486, given) == "Busy Here"
    assert reason_phrase(486, "Occupé") == "Occupé"
