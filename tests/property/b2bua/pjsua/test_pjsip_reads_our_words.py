"""Whatever a peer sends: what PJSIP is handed consists of our own words, and what it answers finds
its way back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from b2bua.pjsua.wording import STAND_IN, branch_for, request_for_pjsip, response_for_pjsip
from b2bua.sip.hop import Hop
from b2bua.sip.message.message import MalformedError, Request, Response, parse_message

PEER = Hop("192.0.2.1", 5060)
CALL, FRONT, PJSIP = "0123456789abcdef", 40000, 40001
TOKENS = st.text("abcXYZ0189.!%*_+`'~-", min_size=1, max_size=40)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60)
METHODS = st.sampled_from(["INVITE", "ACK", "CANCEL", "BYE"])
# What a request of ours to PJSIP may look like, line by line; its To tag is PJSIP's own.
WORDS = re.compile(
    rf"(INVITE|ACK|CANCEL|BYE) sip:us@127.0.0.1:{FRONT} SIP/2.0\r\n"
    rf"Via: SIP/2.0/UDP 127.0.0.1:{FRONT};rport;branch=z9hG4bK[0-9a-f]{{24}}\r\nMax-Forwards: 70\r\n"
    rf"From: <sip:peer@127.0.0.1:{FRONT}>;tag=[0-9a-f]{{24}}\r\nTo: <sip:us@127.0.0.1:{FRONT}>(;tag=own)?\r\n"
    rf"Call-ID: {CALL}\r\nCSeq: [0-9]+ (INVITE|ACK|CANCEL|BYE)\r\nContact: <sip:peer@127.0.0.1:{FRONT}>\r\n"
    r"(Content-Type: application/sdp\r\n)?Content-Length: [0-9]+\r\n\r\n(?s:(.*))"
)


def said(method: str, branch: str, tag: str, name: str, header: str, body: str, to: str = "") -> bytes:
    content = body.encode()
    return (
        f"{method} sip:x@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\n"
        f"From: {name}<sip:a@192.0.2.1>;tag={tag}\r\nTo: <sip:b@192.0.2.9>{to}\r\nCall-ID: {tag}@x\r\n"
        f"CSeq: 7 {method}\r\nContact: <sip:a@192.0.2.1>\r\nX-Text: {header}\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content


@given(METHODS, TOKENS, TOKENS, TEXT, TEXT, st.sampled_from(["", ";tag=own"]))
def test_a_request_is_put_in_our_own_words(
    method: str, branch: str, tag: str, header: str, body: str, to: str
) -> None:
    try:
        request = parse_message(said(method, branch, tag, "", header, body, to), PEER)
    except MalformedError:
        return  # it goes no further
    assert isinstance(request, Request)
    words = WORDS.fullmatch(request_for_pjsip(request, CALL, FRONT).decode())
    assert words is not None
    assert words[5] == (STAND_IN if method == "INVITE" else "")


@given(TOKENS, TOKENS, TEXT, st.integers(100, 699))
def test_a_response_keeps_only_its_code_and_what_pjsip_said_itself(
    branch: str, tag: str, header: str, code: int
) -> None:
    text = (
        f"SIP/2.0 {code} {header or 'x'}\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch={branch}\r\nFrom: "
        "<sip:b@x>;tag=own\r\n"
        f"To: {'<sip:a@y>'};tag={tag}\r\nCall-ID: {tag}\r\nCSeq: 7 INVITE\r\nX-Text: {header}\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    try:
        response = parse_message(text.encode(), PEER)
    except MalformedError:
        return
    assert isinstance(response, Response)
    head = response_for_pjsip(response, CALL, FRONT, PJSIP).decode().partition("\r\n\r\n")[0].split("\r\n")
    assert head[0] == f"SIP/2.0 {code} Answer"
    assert head[1].endswith(f";branch={response.via.branch}")
    assert head[2] == f"From: <sip:us@127.0.0.1:{FRONT}>;tag=own"
    assert re.fullmatch(rf"To: <sip:peer@127.0.0.1:{FRONT}>;tag=[0-9a-f]{{24}}", head[3])
    assert f"X-Text: {header}" not in head


def test_a_cancel_finds_its_invite_and_another_invite_does_not() -> None:
    def branch(method: str, via: str) -> str:
        request = parse_message(said(method, via, "t", "", "", ""), PEER)
        assert isinstance(request, Request)
        return branch_for(request)

    assert branch("CANCEL", "z9hG4bK1") == branch("INVITE", "z9hG4bK1") == branch("ACK", "z9hG4bK1")
    assert branch("INVITE", "z9hG4bK2") != branch("INVITE", "z9hG4bK1")
