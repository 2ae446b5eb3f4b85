"""Parser of SIP messages: headers for routing are parsed once, hostile input is refused here.

Rule 1: `parse_message` returns a message or raises MalformedError, whatever the bytes are.
Rule 2: after `parse_message` no header value holds a control character, but for escaped ones within
        quoted strings (RFC 3261 section 25.1, quoted-pair), so values may be copied into our own
        messages.
Rule 3: a request that cannot be parsed, but whose Via, From, To, Call-ID and CSeq can be made out,
        gets an answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from b2bua.call.leg import Part
from b2bua.sip.hop import Hop
from b2bua.sip.message.header_fields import Headers
from b2bua.sip.message.name_addr import parse_parameters, split_quoted, tag_of
from b2bua.sip.message.octets import decode_octets, fits_a_line, readable
from b2bua.sip.message.uri import SCHEMES, Uri, parse_cached

# Bytes of a message; RFC 3261 section 18.1.1 asks for more, no INVITE of a phone comes near.
MAX_MESSAGE_BYTES = 16_384
MAX_HEADER_LINES = 200
_TEXT = bytes(set(range(0x20, 0x100)) - {0x7F}) + b"\t\r\n"
_FOLD = re.compile(rb"\r\n[ \t]+")
_LOOSE_NAME = re.compile(rb"^([A-Za-z0-9.!%*_+`'~-]+)[ \t]+:", re.MULTILINE)
_VIA = re.compile(
    r"SIP[ \t]*/[ \t]*[0-9.]+[ \t]*/[ \t]*([A-Za-z0-9.!%*_+`'~-]+)[ "
    r"\t]+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)[ \t]*"
    r"(?::[ \t]*([0-9]{1,5})[ \t]*)?(?:;(.*))?",
    re.IGNORECASE | re.DOTALL,
)
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,50}")
_VERSION = re.compile(r"SIP/[0-9.]+", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_ESCAPED = re.compile(r"\\.")
_CSEQ = re.compile(r"([0-9]{1,20})[ \t]+([A-Za-z0-9.!%*_+`'~-]{1,50})")
_NEEDED = {
    "via": "Via", "v": "Via", "from": "From", "f": "From", "to": "To", "t": "To",
    "call-id": "Call-ID", "i": "Call-ID", "cseq": "CSeq",
}  # fmt: skip


class Head(msgspec.Struct, frozen=True):
    """The headers that a response copies from its request (RFC 3261 section 8.2.6.2), as they
    came."""

    vias: tuple[str, ...]
    from_: str
    to: str
    call_id: str
    cseq: str


class MalformedError(Exception):
    """Not a SIP message that we take. `code` and `head` are there where a request can still be
    answered."""

    def __init__(self, why: str, code: int = 400, head: Head | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.code = code
        self.head = head


class Via(msgspec.Struct, frozen=True):
    """The topmost Via: `host` and `port` are its sent-by, lower case."""

    host: str
    port: int | None
    branch: str
    rport: bool
    alias: bool


@dataclass(slots=True)
class Received:
    """What requests and responses have in common. `headers` holds the rest, unread."""

    head: Head
    via: Via
    from_tag: str
    to_tag: str
    cseq: int
    method: str  # of the request, or the one that the response is for
    headers: Headers
    body: bytes = field(repr=False)
    source: Hop
    # What `bodies.unwrap_body` finds beside the session description, and the lines of a 415 where
    # it may not be taken.
    parts: tuple[Part, ...] = field(default=(), kw_only=True)
    unsupported: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(slots=True)
class Request(Received):
    """A request, parsed."""

    uri: Uri


@dataclass(slots=True)
class Response(Received):
    """A response, parsed."""

    code: int
    phrase: str


def parse_message(data: bytes, source: Hop) -> Request | Response:
    """Read one datagram. Raises MalformedError, and nothing else."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedError(
            "too large", 513, salvage_head(data[:MAX_MESSAGE_BYTES].partition(b"\r\n\r\n")[0])
        )
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        raise MalformedError("no end of headers", 400, salvage_head(head))
    crlf = head.count(b"\r\n")
    strange = head.translate(None, _TEXT) and _strip_quoted_pairs(head).translate(None, _TEXT)
    if strange or head.count(b"\r") != crlf or head.count(b"\n") != crlf:
        raise MalformedError("control character", 400, salvage_head(head))
    if crlf > MAX_HEADER_LINES:
        raise MalformedError("too many headers", 400, salvage_head(head))
    if b"\r\n " in head or b"\r\n\t" in head:
        head = _FOLD.sub(b" ", head)
    if b" :" in head or b"\t:" in head:
        head = _LOOSE_NAME.sub(rb"\1:", head)
    try:
        return _parse_lines(decode_octets(head).split("\r\n"), body, source)
    except MalformedError as error:
        error.head = salvage_head(head)
        raise
    except Exception as error:
        raise MalformedError("not SIP", 400, salvage_head(head)) from error


def _parse_lines(lines: list[str], body: bytes, source: Hop) -> Request | Response:
    headers = Headers(lines[1:])
    one = headers.one
    head = Head(_split_vias(headers.getlist("Via")), one("From"), one("To"), one("Call-ID"), one("CSeq"))
    if _has_open_quote(head.from_) or _has_open_quote(head.to):
        raise MalformedError("a quoted string without end")
    numbered = _CSEQ.fullmatch(head.cseq)
    if not head.vias or numbered is None or int(numbered[1]) >= 2**31:
        raise MalformedError("Via or CSeq")
    from_tag = tag_of(head.from_)
    if not head.call_id or not from_tag:
        raise MalformedError("Call-ID or From tag")
    first, _, rest = lines[0].partition(" ")
    method = numbered[2]
    common = (head, _parse_via(head.vias[0]), from_tag, tag_of(head.to), int(numbered[1]), method, headers)
    body = _cut_body(headers, body)
    if first.upper() == "SIP/2.0":
        # Status-Line: a phrase may be anything, or missing. RFC 3261 section 8.1.3.3: more than one
        # Via is not for us.
        code, _, phrase = rest.partition(" ")
        if len(code) != 3 or not code.isascii() or not 100 <= int(code) <= 699 or len(head.vias) != 1:
            raise MalformedError("response")
        return Response(*common, body, source, int(code), readable(phrase))
    uri, _, version = rest.rpartition(" ")
    if version.upper() != "SIP/2.0":
        raise MalformedError("version", 505 if _VERSION.fullmatch(version) else 400)
    if first != method:
        raise MalformedError("CSeq method")
    return Request(*common, body, source, _parse_uri(uri))


def _strip_quoted_pairs(head: bytes) -> bytes:
    """The head without what is escaped within its quoted strings; these end with their line."""
    kept = bytearray()
    quoted = escaped = False
    for octet in _FOLD.sub(b" ", head):
        if octet in b"\r\n":
            quoted = escaped = False
        elif escaped:
            escaped = False
            continue
        elif octet == 0x22:
            quoted = not quoted
        else:
            escaped = quoted and octet == 0x5C
        kept.append(octet)
    return bytes(kept)


def _split_vias(values: list[str]) -> tuple[str, ...]:
    if len(values) == 1 and "," not in values[0]:
        return tuple(values)
    vias = tuple(via for value in values for via in split_quoted(value, ","))
    if any(via[:1] in ("", ";") for via in vias):
        raise MalformedError("Via")
    return vias


def _has_open_quote(value: str) -> bool:
    """Whether a quoted string begins and does not end."""
    if "\\" in value:
        value = _ESCAPED.sub("", value)
    return value.count('"') % 2 == 1


def _parse_uri(text: str) -> Uri:
    """A Request-URI. Within dialogs it is our own Contact again and again; nobody changes it."""
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme[0].lower() not in SCHEMES:
        raise MalformedError("URI scheme", 416)
    return parse_cached(text)


def _parse_via(value: str) -> Via:
    match = _VIA.fullmatch(value)
    if match is None:
        raise MalformedError("Via")
    of = parse_parameters(match[4] or "")
    return Via(
        match[2].lower(),
        int(match[3]) if match[3] else None,
        of.get("branch", ""),
        "rport" in of,
        "alias" in of,
    )


def _cut_body(headers: Headers, body: bytes) -> bytes:
    """RFC 3261 section 18.3: over UDP what exceeds Content-Length is discarded; what falls short is
    an error."""
    lengths = headers.getlist("Content-Length")
    if not lengths:
        return body
    if len(set(lengths)) != 1 or not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 20):
        raise MalformedError("Content-Length")
    length = int(lengths[0])
    if length > len(body):
        raise MalformedError("body is cut short")
    return body[:length]


def salvage_head(head: bytes) -> Head | None:
    """What an answer needs, out of any bytes; None for a response, an ACK, or where something is
    missing."""
    lines = head[:MAX_MESSAGE_BYTES].split(b"\r\n", MAX_HEADER_LINES)[:MAX_HEADER_LINES]
    first = lines[0].split(b" ")
    if (
        len(first) < 2
        or lines[0].startswith((b"SIP/", b"ACK "))
        or _TOKEN.fullmatch(decode_octets(first[0])) is None
    ):
        return None
    found: dict[str, list[str]] = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        needed = _NEEDED.get(name.strip().lower().decode("ascii", "replace"))
        text = decode_octets(value.strip())
        if needed is not None and text and fits_a_line(text):
            found.setdefault(needed, []).append(text)
    one = [found.get(name, [""]) for name in ("From", "To", "Call-ID", "CSeq")]
    if "Via" not in found or any(len(values) != 1 or not values[0] for values in one):
        return None
    vias = [via for value in found["Via"] for via in split_quoted(value, ",")]
    if (
        _VIA.fullmatch(vias[0]) is None
        or _CSEQ.fullmatch(one[3][0]) is None
        or one[3][0].split()[-1] == "ACK"
    ):
        return None
    return Head(tuple(vias), one[0][0], one[1][0], one[2][0], one[3][0])
