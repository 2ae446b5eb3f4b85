"""Whether a registrar's 2xx lists us: in whichever form it writes our contact, and for how long."""

from __future__ import annotations

import pytest

from b2bua.sip.hop import Hop
from b2bua.sip.message.message import Response, parse_message
from b2bua.sip.trunk.registration import granted_seconds

OTHER = "<sip:else@192.0.2.9>;expires=9"


def answer(*contacts: str) -> Response:
    lines = "".join(f"Contact: {each}\r\n" for each in contacts)
    text = (
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:u@b>;tag=1\r\nTo: "
        "<sip:u@b>;tag=2\r\n"
        f"Call-ID: 1\r\nCSeq: 1 REGISTER\r\n{lines}\r\n"
    )
    message = parse_message(text.encode(), Hop("192.0.2.1", 5060))
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize(
    ("ours", "listed"),
    [
        ("sip:me@pbx.example", "sip:me@PBX.example:5060"),
        ("sip:me@pbx.example:5060", "sip:me@pbx.example;ob"),
        ("sip:me@pbx.example;transport=tls", "sip:me@pbx.example:5061;transport=tls"),
        ("sip:me@[2001:db8::1]", "sip:me@[2001:DB8:0:0:0:0:0:1]:5060"),
        ("sip:192.0.2.5:5070", "sip:192.0.2.5:5070"),
    ],
)
def test_our_contact_is_ours_in_any_form(ours: str, listed: str):
    assert granted_seconds(answer(OTHER, f"<{listed}>;expires=120"), ours) == 120


def test_a_single_contact_with_our_user_is_ours_wherever_the_registrar_saw_us():
    rewritten = "<sip:me@203.0.113.7:40000>;expires=120"
    assert granted_seconds(answer(rewritten), "sip:me@192.0.2.5") == 120
    assert granted_seconds(answer(OTHER, rewritten), "sip:me@192.0.2.5") == 0


@pytest.mark.parametrize(
    "other", ["sip:me@192.0.2.5:5070", "sip:you@192.0.2.5", "sip:me@192.0.2.6", "nonsense"]
)
def test_another_place_beside_others_is_not_ours(other: str):
    assert granted_seconds(answer(OTHER, f"<{other}>;expires=120"), "sip:me@192.0.2.5") == 0
