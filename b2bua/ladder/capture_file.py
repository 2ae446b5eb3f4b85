"""Writes a ladder as a capture file (pcapng), which Wireshark and tshark open: each message a SIP
message of words of ours.

Rule 1: what is written comes from a view of `view`, whose texts are words of our tables: no header,
        body or number of a peer. Numbers of caller and callee are left out as well.
Rule 2: what a ladder does not have is not made up: our own address is one for documentation (RFC
        5737, RFC 3849), a port of media is 9 (discard), and all transports are written as UDP.
Rule 3: pure: a view in, octets out; a ladder is bounded, and so is its file.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from b2bua.ladder.summary import Media
from b2bua.ladder.view import Entry, GapView, LadderView, MessageView
from b2bua.ladder.words import STATIC

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_MAGIC: Final = 0x1A2B3C4D
_LINK_RAW: Final = 101  # a packet is an IP packet
_COMMENT, _APPLICATION = 1, 4  # options
_SIP_PORT: Final = 5060
_UDP: Final = 17
_FIRST_DYNAMIC: Final = 96
_ABOUT: Final = "rebuilt from the ladder of a call: words of Tonewall's own, see docs/capture-file.md"
_NUMBERS: Final = {name: number for number, name in STATIC.items()}


def write_capture(view: LadderView) -> bytes:
    """The file of a ladder. Events of the call, repetitions and gaps are comments of packets."""
    blocks: list[bytes] = []
    comments: list[str] = []
    for entry in view.entries:
        if isinstance(entry, MessageView):
            blocks.append(_message(view, entry, [*comments, *_remarks(entry)]))
            comments = []
        else:
            comments.append(_words(entry))
    # What came after the last message is a comment of the whole.
    return b"".join([_section(comments), _interface(), *blocks])


def _message(view: LadderView, entry: MessageView, comments: list[str]) -> bytes:
    return _block(_PACKET, _packet_body(entry, _sip(view, entry).encode(), comments))


def _words(entry: Entry) -> str:
    if isinstance(entry, GapView):
        return f"{entry.left_out} entries were not kept here"
    what = entry.what if not isinstance(entry, MessageView) else entry.method
    where = f" (leg {entry.leg})" if entry.leg is not None else ""
    return f"{entry.at}: {what}{where}"


def _remarks(entry: MessageView) -> Iterator[str]:
    if entry.repeats:
        yield f"{entry.repeats + 1} times in all"
    if entry.masked:
        yield "the call was masked"
    if entry.transport != "udp":
        yield f"by {entry.transport}"


# --- SIP ------------------------------------------------------------------------------------------


def _sip(view: LadderView, entry: MessageView) -> str:
    ours, theirs = _address(_own_host(entry), _SIP_PORT), entry.peer
    method = entry.method if entry.method != "other" else "X-OTHER"
    call_id = f"{view.id}-{entry.leg}@tonewall.invalid"
    source, target = (ours, theirs) if entry.direction == "sent" else (theirs, ours)
    is_request = entry.code is None
    start = f"{method} sip:callee@{target} SIP/2.0" if is_request else f"SIP/2.0 {entry.code} {entry.phrase}"
    requester = source if is_request else target
    lines = [
        start,
        f"Via: SIP/2.0/{entry.transport.upper()} {requester};branch=z9hG4bK{entry.leg}-{entry.cseq}-{method}",
        "From: <sip:caller@tonewall.invalid>;tag=a",
        "To: <sip:callee@tonewall.invalid>" + (";tag=b" if not is_request or entry.cseq > 1 else ""),
        f"Call-ID: {call_id}",
        f"CSeq: {entry.cseq} {method}",
        f"X-Tonewall: {_ABOUT}",
    ]
    body = _description(entry.sdp) if entry.sdp else ""
    lines += ["Content-Type: application/sdp"] if body else []
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])


def _description(media: tuple[Media, ...]) -> str:
    lines = ["v=0", "o=- 0 0 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"]
    for each in media:
        kinds, named, dynamic = [], [], _FIRST_DYNAMIC
        for codec in each.codecs:
            kind = _NUMBERS.get(codec)
            if kind is None:
                kind, dynamic = str(dynamic), dynamic + 1
                named.append(f"a=x-codec:{kind} {codec}")
            kinds.append(kind)
        port = 0 if each.off else 9
        lines.append(f"m={each.kind} {port} {each.protocol} {' '.join(kinds) or '0'}")
        lines += [*named, f"a={each.direction}"]
    return "\r\n".join([*lines, ""])


# --- packets --------------------------------------------------------------------------------------


def _packet_body(entry: MessageView, payload: bytes, comments: list[str]) -> bytes:
    micros = round(datetime.fromisoformat(entry.at).timestamp() * 1e6)
    packet = _ip(entry, payload)
    head = struct.pack("<IIIII", 0, micros >> 32, micros & 0xFFFFFFFF, len(packet), len(packet))
    return head + _padded(packet) + _options((_COMMENT, comment) for comment in comments)


def _ip(entry: MessageView, payload: bytes) -> bytes:
    host, _, port = entry.peer.rpartition(":")
    theirs = (_numeric(host.strip("[]")), int(port) if port.isdecimal() and int(port) < 65536 else _SIP_PORT)
    ours = (ipaddress.ip_address(_own_host(entry)), _SIP_PORT)
    source, target = (ours, theirs) if entry.direction == "sent" else (theirs, ours)
    size = 8 + len(payload)
    udp = struct.pack("!HHHH", source[1], target[1], size, 0) + payload
    pseudo = source[0].packed + target[0].packed + struct.pack("!HH", _UDP, size)
    checksum = _checksum(pseudo + udp) or 0xFFFF
    udp = udp[:6] + checksum.to_bytes(2, "big") + udp[8:]
    if ours[0].version == 6:
        head = struct.pack("!IHBB", 6 << 28, size, _UDP, 64)
        return head + source[0].packed + target[0].packed + udp
    head = (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, _UDP, 0) + source[0].packed + target[0].packed
    )
    return head[:10] + _checksum(head).to_bytes(2, "big") + head[12:] + udp


def _own_host(entry: MessageView) -> str:
    """Our end of a leg: an address for documentation, of the family of the peer's."""
    number = entry.leg % 250 + 1
    return f"2001:db8::{number:x}" if entry.peer.startswith("[") else f"192.0.2.{number}"


def _numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return ipaddress.ip_address("192.0.2.254")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _checksum(octets: bytes) -> int:
    """Of RFC 1071."""
    octets += b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# --- blocks of pcapng -----------------------------------------------------------------------------


def _section(comments: list[str]) -> bytes:
    body = struct.pack("<IHHq", _MAGIC, 1, 0, -1)
    options = [(_APPLICATION, "Tonewall"), *((_COMMENT, each) for each in (_ABOUT, *comments))]
    return _block(_SECTION, body + _options(options))


def _interface() -> bytes:
    return _block(_INTERFACE, struct.pack("<HHI", _LINK_RAW, 0, 0))


def _options(options: Iterable[tuple[int, str]]) -> bytes:
    found = b""
    for code, text in options:
        octets = text.encode()
        found += struct.pack("<HH", code, len(octets)) + _padded(octets)
    return found + bytes(4) if found else b""


def _block(kind: int, body: bytes) -> bytes:
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _padded(octets: bytes) -> bytes:
    return octets + b"\0" * (-len(octets) % 4)
