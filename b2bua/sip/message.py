"""Reading a SIP datagram: parsed once, the headers that routing needs read once, everything hostile refused here.

Rule 1: `read` returns a message or raises MalformedError, whatever the bytes are.
Rule 2: after `read` no header value holds a control character, so values may be copied into our own messages.
Rule 3: a request that cannot be parsed, but whose Via, From, To, Call-ID and CSeq can be made out, gets an answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec
import sipmessage

from b2bua.call.leg import Part
from b2bua.sip.header_fields import Headers
from b2bua.sip.hop import Hop

LARGEST = 16_384  # bytes of a message; RFC 3261 section 18.1.1 asks for more, no INVITE of a phone comes near
MOST_LINES = 200
_TEXT = bytes(set(range(0x20, 0x100)) - {0x7F}) + b"\t\r\n"
_FOLD = re.compile(rb"\r\n[ \t]+")
_LOOSE_NAME = re.compile(rb"^([A-Za-z0-9.!%*_+`'~-]+)[ \t]+:", re.MULTILINE)
_VIA = re.compile(
    r"SIP[ \t]*/[ \t]*[0-9.]+[ \t]*/[ \t]*([A-Za-z0-9.!%*_+`'~-]+)[ \t]+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)[ \t]*"
    r"(?::[ \t]*([0-9]{1,5})[ \t]*)?(?:;(.*))?",
    re.IGNORECASE | re.DOTALL,
)
# A From or To value as nearly all are: no quotes or brackets where they could mislead, the tag right behind the URI.
_PLAIN_TAG = re.compile(r"""(?:"[^"\\<>]*"[ ]*|[^"<>;,]*)<[^<>"]*>;tag=([A-Za-z0-9.!%*_+`'~-]+)""")
_VERSION = re.compile(r"SIP/[0-9.]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_SCHEMES = frozenset({"sip", "sips", "tel"})
_ESCAPED = re.compile(r"\\.")
_CSEQ = re.compile(r"([0-9]{1,20})[ \t]+([A-Za-z0-9.!%*_+`'~-]{1,32})")
_NEEDED = {
    "via": "Via", "v": "Via", "from": "From", "f": "From", "to": "To", "t": "To",
    "call-id": "Call-ID", "i": "Call-ID", "cseq": "CSeq",
}  # fmt: skip


class Head(msgspec.Struct, frozen=True):
    """The headers that a response copies from its request (RFC 3261 section 8.2.6.2), as they came."""

    vias: tuple[str, ...]
    from_: str
    to: str
    call_id: str
    cseq: str


class MalformedError(Exception):
    """Not a SIP message that we take. `code` and `head` are there where a request can still be answered."""

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
    # What `bodies.unwrap` finds beside the session description, and the lines of a 415 where it may not be taken.
    parts: tuple[Part, ...] = field(default=(), kw_only=True)
    unsupported: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(slots=True)
class Request(Received):
    uri: sipmessage.URI


@dataclass(slots=True)
class Response(Received):
    code: int
    phrase: str


def split_quoted(text: str, separator: str) -> list[str]:
    """Split at a separator, but not inside quotes or angle brackets; the parts are stripped."""
    if '"' not in text and "<" not in text:
        return [part.strip() for part in text.split(separator)]
    parts, start, quoted, bracket, escaped = [], 0, False, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            quoted, escaped = char != '"', char == "\\"
        elif char == '"':
            quoted = True
        elif char in "<>":
            bracket = char == "<"
        elif char == separator and not bracket:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    return parts


def parameters(text: str) -> dict[str, str]:
    """`;a=b;c` as a dict with lower-case names; a parameter without value has the value ""."""
    found = {}
    plain = '"' not in text and "<" not in text
    for part in text.split(";") if plain else split_quoted(text, ";"):
        name, _, value = part.partition("=")
        name = name.strip()
        if name:
            found[name.lower()] = value.strip()
    return found


def name_addr(value: str) -> tuple[str, str, str]:
    """Display name (unquoted), URI and header parameters of a From, To, Contact, Route or Record-Route value."""
    end = value.rfind(">")
    # In a quoted display name there may be a bracket too: the one that opens the URI is the last before its end.
    start = value.rfind("<", 0, end)
    if 0 <= start < end:
        display = value[:start].strip()
        if display[:1] == '"':
            display = re.sub(r"\\(.)", r"\1", display[1:-1])
        return display, value[start + 1 : end].strip(), value[end + 1 :]
    uri, _, rest = value.partition(";")
    return "", uri.strip(), rest


def tag_of(value: str) -> str:
    """The tag of a From or To value, or ""."""
    plain = _PLAIN_TAG.fullmatch(value)
    if plain is not None:
        return plain[1]
    if "tag" not in value.lower():
        return ""
    return parameters(name_addr(value)[2]).get("tag", "")


def read(data: bytes, source: Hop) -> Request | Response:
    """Read one datagram. Raises MalformedError, and nothing else."""
    if len(data) > LARGEST:
        raise MalformedError("too large", 513, salvage(data[:LARGEST].partition(b"\r\n\r\n")[0]))
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        raise MalformedError("no end of headers", 400, salvage(head))
    crlf = head.count(b"\r\n")
    if head.translate(None, _TEXT) or head.count(b"\r") != crlf or head.count(b"\n") != crlf:
        raise MalformedError("control character", 400, salvage(head))
    if crlf > MOST_LINES:
        raise MalformedError("too many headers", 400, salvage(head))
    if b"\r\n " in head or b"\r\n\t" in head:
        head = _FOLD.sub(b" ", head)
    if b" :" in head or b"\t:" in head:
        head = _LOOSE_NAME.sub(rb"\1:", head)
    try:
        return _typed(head.decode().split("\r\n"), body, source)
    except MalformedError as error:
        error.head = salvage(head)
        raise
    except Exception as error:
        # sipmessage raises more than its ValueError: for a URI parameter named "self", say, a TypeError.
        raise MalformedError("not SIP", 400, salvage(head)) from error


def _typed(lines: list[str], body: bytes, source: Hop) -> Request | Response:
    headers = Headers(lines[1:])
    one = headers.one
    head = Head(_vias(headers.getlist("Via")), one("From"), one("To"), one("Call-ID"), one("CSeq"))
    if _is_open(head.from_) or _is_open(head.to):
        raise MalformedError("a quoted string without end")
    numbered = _CSEQ.fullmatch(head.cseq)
    if not head.vias or numbered is None or int(numbered[1]) >= 2**31:
        raise MalformedError("Via or CSeq")
    from_tag = tag_of(head.from_)
    if not head.call_id or not from_tag:
        raise MalformedError("Call-ID or From tag")
    first, second, third = lines[0].split(" ", 2)
    method = numbered[2]
    common = (head, _via(head.vias[0]), from_tag, tag_of(head.to), int(numbered[1]), method, headers)
    body = _body(headers, body)
    if third == "SIP/2.0":
        if first != method:
            raise MalformedError("CSeq method")
        return Request(*common, body, source, _uri(second))
    if _VERSION.fullmatch(third):
        raise MalformedError("version", 505)
    # RFC 3261 section 8.1.3.3: a response with more than one Via is not for us.
    if first != "SIP/2.0" or len(second) != 3 or not 100 <= int(second) <= 699 or len(head.vias) != 1:
        raise MalformedError("response")
    return Response(*common, body, source, int(second), third)


def _vias(values: list[str]) -> tuple[str, ...]:
    if len(values) == 1 and "," not in values[0]:
        return tuple(values)
    vias = tuple(via for value in values for via in split_quoted(value, ","))
    if any(via[:1] in ("", ";") for via in vias):
        raise MalformedError("Via")
    return vias


def _is_open(value: str) -> bool:
    """Whether a quoted string begins and does not end."""
    if "\\" in value:
        value = _ESCAPED.sub("", value)
    return value.count('"') % 2 == 1


@lru_cache(maxsize=256)
def _uri(text: str) -> sipmessage.URI:
    """A Request-URI. Within dialogs it is our own Contact again and again; nobody changes it."""
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme[0].lower() not in _SCHEMES:
        raise MalformedError("URI scheme", 416)
    return sipmessage.URI.parse(text)


def _via(value: str) -> Via:
    match = _VIA.fullmatch(value)
    if match is None:
        raise MalformedError("Via")
    of = parameters(match[4] or "")
    return Via(
        match[2].lower(), int(match[3]) if match[3] else None, of.get("branch", ""), "rport" in of, "alias" in of
    )


def _body(headers: Headers, body: bytes) -> bytes:
    """RFC 3261 section 18.3: over UDP what exceeds Content-Length is discarded; what falls short is an error."""
    lengths = headers.getlist("Content-Length")
    if not lengths:
        return body
    if len(set(lengths)) != 1 or not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 7):
        raise MalformedError("Content-Length")
    length = int(lengths[0])
    if length > len(body):
        raise MalformedError("body is cut short")
    return body[:length]


def salvage(head: bytes) -> Head | None:
    """What an answer needs, out of any bytes; None for a response, an ACK, or where something is missing."""
    lines = head[:LARGEST].split(b"\r\n", MOST_LINES)[:MOST_LINES]
    first = lines[0].split(b" ")
    if len(first) < 2 or lines[0].startswith((b"SIP/", b"ACK ")) or not first[0].isalpha():
        return None
    found: dict[str, list[str]] = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        known = _NEEDED.get(name.strip().lower().decode("ascii", "replace"))
        text = value.strip().decode("utf-8", "replace")
        if known is not None and text and text.isprintable():
            found.setdefault(known, []).append(text)
    one = [found.get(name, [""]) for name in ("From", "To", "Call-ID", "CSeq")]
    if "Via" not in found or any(len(values) != 1 or not values[0] for values in one):
        return None
    vias = [via for value in found["Via"] for via in split_quoted(value, ",")]
    if _VIA.fullmatch(vias[0]) is None or _CSEQ.fullmatch(one[3][0]) is None or one[3][0].split()[-1] == "ACK":
        return None
    return Head(tuple(vias), one[0][0], one[1][0], one[2][0], one[3][0])
