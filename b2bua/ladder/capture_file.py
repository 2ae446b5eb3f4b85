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
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from b2bua.ladder import pcapng
from b2bua.ladder.summary import Media
from b2bua.ladder.view import Entry, GapView, LadderView, MessageView
from b2bua.ladder.words import STATIC

_SIP_PORT: Final = 5060
_FIRST_DYNAMIC: Final = 96
ABOUT: Final = "rebuilt from the ladder of a call: words of Tonewall's own, see docs/capture-file.md"
_SECOND: Final = 1_000_000
_NUMBERS: Final = {name: number for number, name in STATIC.items()}


def write_capture(view: LadderView) -> bytes:
    """The file of a ladder. Events of the call, repetitions and gaps are comments of packets."""
    blocks: list[bytes] = []
    comments: list[str] = []
    for entry in view.entries:
        if isinstance(entry, MessageView):
            blocks.append(message_packet(view, entry, comments))
            comments = []
        else:
            comments.append(entry_words(entry))
    # What came after the last message is a comment of the whole.
    return b"".join([pcapng.section([ABOUT, *comments]), pcapng.interface(), *blocks])


def message_packet(view: LadderView, entry: MessageView, comments: list[str]) -> bytes:
    """A message as a packet of the file, with these comments and its own."""
    octets = _datagram(entry, _sip(view, entry).encode())
    return pcapng.packet(message_time(entry), octets, [*comments, *_remarks(entry)])


def message_time(entry: MessageView) -> int:
    """In microseconds since the epoch; of an INFO under a mask, which may have a key, the
    second."""
    micros = round(datetime.fromisoformat(entry.at).timestamp() * _SECOND)
    return micros - micros % _SECOND if entry.masked and entry.method == "INFO" else micros


def entry_words(entry: Entry) -> str:
    """What is no message, as a comment."""
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


def _datagram(entry: MessageView, payload: bytes) -> bytes:
    host, _, port = entry.peer.rpartition(":")
    theirs = (_numeric(host.strip("[]")), int(port) if port.isdecimal() and int(port) < 65536 else _SIP_PORT)
    ours = (_own_host(entry), _SIP_PORT)
    return (
        pcapng.udp(ours, theirs, payload) if entry.direction == "sent" else pcapng.udp(theirs, ours, payload)
    )


def _own_host(entry: MessageView) -> pcapng.Address:
    """Our end of a leg: an address for documentation, of the family of the peer's."""
    return pcapng.documentation(entry.leg, 6 if entry.peer.startswith("[") else 4)


def _numeric(host: str) -> pcapng.Address:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return ipaddress.ip_address("192.0.2.254")


def _address(host: pcapng.Address, port: int) -> str:
    return f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"


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
        f"X-Tonewall: {ABOUT}",
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
