"""Wording of messages towards PJSIP: each is composed anew, in both directions.

Rule 1: towards PJSIP there is nothing but what we wrote ourselves: method, code and CSeq number are
        the peer's, Call-ID and tags are names of ours for theirs, and whatever session is
        described, PJSIP sees the same stand-in.
Rule 2: towards a peer there is nothing of PJSIP's but method, code, CSeq number, branch and its own
        tag.
Rule 3: bodies are not for PJSIP: neither a description nor an INFO's, which may be a key.
"""

from __future__ import annotations

import hashlib
import secrets

from b2bua.sip.message.compose import COOKIE
from b2bua.sip.message.message import Request, Response

ALLOW = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "MESSAGE")
ALLOW_LINE = "Allow: " + ", ".join(ALLOW)
# Port 9 is discard's, on loopback: what PJMEDIA sends of its own goes there.
STAND_IN = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=inactive\r\n"
)
_KEY = secrets.token_bytes(16)


def name_for(text: str) -> str:
    """A name of ours for a tag or a branch of a peer's: the same for the same, and only letters and
    digits."""
    return hashlib.blake2b(text.encode(), key=_KEY, digest_size=12).hexdigest()


def branch_for(request: Request) -> str:
    """The branch under which PJSIP knows a peer's transaction; a CANCEL and the ACK of an error
    have that of their INVITE."""
    via = request.via
    return COOKIE + name_for(f"{via.branch}\0{via.host}\0{via.port}\0{request.cseq}")


def local_uri(front: int) -> str:
    """Whom PJSIP takes itself for."""
    return f"sip:us@127.0.0.1:{front}"


def remote_uri(front: int) -> str:
    """Whom it takes every peer for: the front."""
    return f"sip:peer@127.0.0.1:{front}"


def request_for_pjsip(request: Request, call: str, front: int) -> bytes:
    """A peer's request. Its To tag, where it has one, is PJSIP's own."""
    us, peer = f"<{local_uri(front)}>", f"<{remote_uri(front)}>"
    tag = f";tag={request.to_tag}" if request.to_tag else ""
    rows = [
        f"{request.method} {local_uri(front)} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{front};rport;branch={branch_for(request)}",
        "Max-Forwards: 70",
        f"From: {peer};tag={name_for(request.from_tag)}",
        f"To: {us}{tag}",
        f"Call-ID: {call}",
        f"CSeq: {request.cseq} {request.method}",
        f"Contact: {peer}",
    ]
    return _whole(rows, STAND_IN if request.method == "INVITE" else "")


def response_for_pjsip(response: Response, call: str, front: int, port: int) -> bytes:
    """A peer's response to a request of PJSIP's. `port`: PJSIP's own."""
    us, peer = f"<{local_uri(front)}>", f"<{remote_uri(front)}>"
    tag = f";tag={name_for(response.to_tag)}" if response.to_tag else ""
    rows = [
        f"SIP/2.0 {response.code} Answer",
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};rport={port};received=127.0.0.1;branch={response.via.branch}",
        f"From: {us};tag={response.from_tag}",
        f"To: {peer}{tag}",
        f"Call-ID: {call}",
        f"CSeq: {response.cseq} {response.method}",
        f"Contact: {peer}",
    ]
    described = response.method == "INVITE" and 200 <= response.code < 300
    return _whole(rows, STAND_IN if described else "")


def _whole(rows: list[str], body: str) -> bytes:
    kind = ["Content-Type: application/sdp"] if body else []
    return "\r\n".join([*rows, *kind, f"Content-Length: {len(body)}", "", body]).encode()
