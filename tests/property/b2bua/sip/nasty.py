"""Octets that parsers of SIP have fallen over."""

from __future__ import annotations

NASTY = [
    b"\r\n", b"\r\n\r\n", b"\0", b"\n", b";self=1", b";tag=", b"<", b">", b'"', b",", b":", b"%00",
    b"\xff\xfe", b" ",
    b"SIP/2.0", b"99999999999999999999", b"-1", "١٢٣".encode(), b"[::1]", b";branch=z9hG4bK", b"*", b"\t",
    b"=", b"@",
]  # fmt: skip
