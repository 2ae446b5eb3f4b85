"""Challenges of digest authentication."""

from __future__ import annotations

from b2bua.sip.message.header_fields import Headers
from b2bua.sip.message.message import Head, Response, Via


def challenge(*values: str, code: int = 401) -> Response:
    name = "Proxy-Authenticate" if code == 407 else "WWW-Authenticate"
    headers = Headers(f"{name}: {value}" for value in values)
    head = Head(("SIP/2.0/UDP h;branch=b",), "<sip:a@b>;tag=1", "<sip:c@d>", "id", "1 INVITE")
    return Response(
        head,
        Via("h", None, "b", False, False),
        "1",
        "",
        1,
        "INVITE",
        headers,
        b"",
        ("127.0.0.1", 5060),
        code,
        "Unauthorized",
    )
