"""Captured SIP messages of phones and servers, read and composed again; and the torture messages of
RFC 4475 as the parser reads them.

Rule 1: what Tonewall has sent comes out octet for octet.
Rule 2: what others have sent comes out in the form that Tonewall writes; read and composed once
        more, this stays as it is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from b2bua.sip.hop import Hop
from b2bua.sip.message.compose import Outgoing, compose_response
from b2bua.sip.message.message import MalformedError, Request, Response, parse_message
from tests.fixtures import torture
from tests.fixtures.captured import Packet, packet, packets, table

HOP = Hop("127.0.0.1", 5060)
SNAPSHOT = Path(torture.__file__).with_name("torture.json")
# Each of our responses, with the request that it answers and the address that this came from.
ANSWERED = {
    "tonewall.100.sip": ("pjsua2.invite.sip", Hop("127.0.100.2", 55595)),
    "tonewall.180.sip": ("pjsua2.invite.sip", Hop("127.0.100.2", 55595)),
    "tonewall.200-invite.sip": ("pjsua2.invite.sip", Hop("127.0.100.2", 55595)),
    "tonewall.200-bye.sip": ("pjsua2.bye.sip", Hop("127.0.100.2", 55595)),
    "tonewall.202-refer.sip": ("kamailio.refer.sip", Hop("127.0.0.1", 32828)),
    "tonewall.183-100rel.sip": ("handmade.invite-100rel.sip", Hop("127.0.0.1", 53869)),
    "tonewall.200-info.sip": ("handmade.info-dtmf-relay.sip", Hop("127.0.0.1", 35193)),
    "tonewall.200-prack.sip": ("handmade.prack.sip", Hop("127.0.0.1", 53869)),
}
OURS = [each for each in packets("sip") if each.sender == "tonewall"]
OTHERS = [each for each in packets("sip") if each.sender != "tonewall"]
_LOWER_VIA = re.compile(rb"(?<=\r\n)(Via: [^\r]*\r\n)Via: [^\r]*\r\n")
_COMPOSED = (
    "via",
    "max-forwards",
    "route",
    "from",
    "to",
    "call-id",
    "cseq",
    "content-type",
    "content-length",
)


def header_lines(data: bytes) -> tuple[str, ...]:
    """The header lines that are written as they are given, in their order."""
    head = data.partition(b"\r\n\r\n")[0].decode().replace("\r\n ", " ")
    lines = head.split("\r\n")[1:]
    return tuple(line for line in lines if line.partition(":")[0].strip().lower() not in _COMPOSED)


def composed_request(request: Request, data: bytes) -> bytes:
    """The request as Tonewall writes one with these parts."""
    headers = request.headers
    return bytes(
        Outgoing(
            method=request.method,
            uri=data.split(b" ", 2)[1].decode(),
            branch=request.via.branch,
            from_=request.head.from_,
            to=request.head.to,
            call_id=request.head.call_id,
            cseq=request.cseq,
            route=tuple(headers.getlist("Route")),
            max_forwards=int(headers.one("Max-Forwards")),
            lines=header_lines(data),
            body=request.body,
            sent_by=f"{request.via.host}:{request.via.port}",
            content_type=headers.get("Content-Type") or "",
        )
    )


def composed_response(response: Response, data: bytes, asked: Request | None = None) -> bytes:
    """The response as Tonewall writes one with these parts, to that request or to one with its
    head."""
    return compose_response(
        asked.head if asked else response.head,
        asked.source if asked else response.source,
        response.code,
        text=response.phrase,
        tag=response.to_tag,
        lines=header_lines(data),
        body=response.body,
        content_type=response.headers.get("Content-Type") or "",
    )


def composed(data: bytes) -> bytes:
    """What is read, in the form that Tonewall writes."""
    message = parse_message(data, HOP)
    if isinstance(message, Request):
        return composed_request(message, data)
    return composed_response(message, data)


def parts(data: bytes) -> tuple[Any, ...]:
    """All that is read of a message but its Vias, which are of its way; the branch alone is of the
    topmost."""
    message = parse_message(data, HOP)
    first = (message.code, message.phrase) if isinstance(message, Response) else (str(message.uri),)
    head = msgspec.structs.replace(message.head, vias=())
    plain = {name: message.headers.getlist(name) for name in message.headers.keys() if name != "Via"}  # noqa: SIM118
    return first, head, message.via.branch, message.method, message.cseq, plain, message.body


@pytest.mark.parametrize("sent", OURS, ids=str)
def test_what_tonewall_sent_is_composed_octet_for_octet(sent: Packet) -> None:
    # A response to a proxy has the Via of the one before it too: such a one is not for us to read.
    message = parse_message(_LOWER_VIA.sub(rb"\1", sent.data), HOP)
    if isinstance(message, Request):
        assert composed_request(message, sent.data) == sent.data
        return
    name, source = ANSWERED[sent.name]
    asked = parse_message(packet(name).data, source)
    assert isinstance(asked, Request)
    assert composed_response(message, sent.data, asked) == sent.data


@pytest.mark.parametrize("sent", OTHERS, ids=str)
def test_what_others_sent_keeps_its_parts_in_the_form_of_tonewall(sent: Packet) -> None:
    once = composed(sent.data)
    assert normalised(parts(once)) == normalised(parts(sent.data))
    assert composed(once) == once


def normalised(read: tuple[Any, ...]) -> tuple[Any, ...]:
    """A length without blanks or zeros before it, and one that is always there."""
    *before, headers, body = read
    return (*before, headers | {"Content-Length": [str(len(body))]}, body)


def test_the_table_of_packets_names_each_file_once() -> None:
    names = {path.name for path in Path(torture.__file__).with_name("packets").iterdir()} - {"README.md"}
    assert set(table()) == names


def test_each_response_of_tonewall_is_beside_its_request() -> None:
    responses = {each.name for each in OURS if each.data.startswith(b"SIP/2.0 ")}
    assert set(ANSWERED) == responses


# --- torture --------------------------------------------------------------------------------------


def as_read(message: bytes) -> dict[str, Any]:
    """What the parser makes of a message: its parts, or why it refuses it."""
    try:
        read = parse_message(message, HOP)
    except MalformedError as error:
        return {"refused": error.why, "code": error.code, "answered": error.head is not None}
    first = (
        {"code": read.code, "phrase": read.phrase}
        if isinstance(read, Response)
        else {"uri": msgspec.to_builtins(read.uri)}
    )
    return first | {
        "method": read.method,
        "cseq": read.cseq,
        "via": msgspec.to_builtins(read.via),
        "vias": len(read.head.vias),
        "from_tag": read.from_tag,
        "to_tag": read.to_tag,
        "call_id": read.head.call_id,
        "headers": {name: len(read.headers.getlist(name)) for name in read.headers.keys()},  # noqa: SIM118
        "body": len(read.body),
    }


def test_the_torture_messages_are_read_as_in_their_snapshot() -> None:
    """With TONEWALL_SNAPSHOT=1 the snapshot is written anew: look at its difference."""
    now = msgspec.to_builtins({each.name: as_read(each.message) for each in torture.ALL})
    if os.environ.get("TONEWALL_SNAPSHOT"):
        SNAPSHOT.write_bytes(msgspec.json.format(msgspec.json.encode(now), indent=1) + b"\n")
    assert now == msgspec.json.decode(SNAPSHOT.read_bytes())
