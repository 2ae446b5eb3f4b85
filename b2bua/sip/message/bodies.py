"""Bodies of several parts (RFC 5621): the session description is extracted and put back, other
parts are kept as they are.

Rule 1: after `unwrap_body`, `body` of a message is its session description or empty, whatever it
        was wrapped in.
Rule 2: a part that is not understood is left out where its sender says `handling=optional`; else
        the message is refused with 415 (RFC 3261 section 8.2.3). An encoded body is always refused:
        what cannot be read cannot be rewritten.
Rule 3: parts go to trusted trunks only, and never what is itself a SIP message or signed as a
        whole: it would tell of the other leg, or be broken by the change of its description.
Rule 4: parts, depth, lines and lengths are bounded; reading takes time in proportion to the body.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from b2bua.call.leg import Part
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.message.compose import ACCEPT_LINE, SDP
from b2bua.sip.message.header_values import content_id
from b2bua.sip.message.message import Received, Response
from b2bua.sip.message.name_addr import parse_parameters, split_quoted
from b2bua.sip.message.octets import decode_octets, readable

MAX_PARTS = 8
MAX_DEPTH = 3
MAX_PART_LINES = 10
_TYPE = re.compile(
    r"([A-Za-z0-9.!%*_+`'~-]{1,64})/([A-Za-z0-9.!%*_+`'~-]{1,64})"
    r"((?:[ ]?;[ ]?[A-Za-z0-9._-]{1,32}=(?:[A-Za-z0-9.!%*_+`'~:/-]{1,128}|\"[ !#-\[\]-~]{0,128}\")){0,8})"
)
_PAIR = re.compile(r"\\([!#-\[\]-~ ])")
_FOLD = re.compile(rb"\r\n[ \t]+")
_DISPOSITION = re.compile(r"[A-Za-z0-9_-]{1,32}(?:[ ]?;[ ]?[A-Za-z0-9_-]{1,32}=[A-Za-z0-9._-]{1,64}){0,6}")
# RFC 2046 section 5.1.1.
_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]")
_BEHIND = re.compile(rb"(--)?[ \t]{0,16}(?=\r\n|\Z)")  # a boundary, in its line
_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})
_LANGUAGE = re.compile(r"[A-Za-z0-9, -]{1,64}")
_CONTENT_ID = re.compile(r"<[!-;=?-~]{1,128}>")
# Whose bodies describe a session or accompany it; INFO and MESSAGE carry something of their own.
# What is in their bodies is asked for, and cannot be left out.
_OFFERING = frozenset({"INVITE", "UPDATE"})
_METHODS = frozenset({"INVITE", "ACK", "PRACK", "UPDATE", "BYE", "CANCEL"})


class UnsupportedBody(Exception):
    """Nothing of ours to read. `lines`: what an answer 415 says of what would have been taken."""

    def __init__(self, *more: str) -> None:
        super().__init__("a body that is not supported")
        self.lines = (ACCEPT_LINE, *more)


@dataclass(slots=True)
class _Content:
    sdp: bytes | None
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class _BodyPart:
    """A body or a part, with those of its headers that matter."""

    kind: str
    disposition: str
    encoding: str
    transfer: str
    content: bytes
    identity: str = ""
    language: str = ""

    @property
    def optional(self) -> bool:
        """RFC 3204 section 3: what says nothing is required."""
        return parse_parameters(self.disposition.partition(";")[2]).get("handling", "").lower() == "optional"


def unwrap_body(message: Received) -> None:
    """Put the session description into `body`, and the other parts into `parts`; or the lines of a
    415 into `unsupported`."""
    if not message.body or message.method not in _METHODS:
        return
    headers = message.headers
    types = headers.getlist("Content-Type")
    encodings = headers.getlist("Content-Encoding")
    if types == [SDP] and not encodings:
        return
    piece = _BodyPart(
        _normalise(types[0]) if len(types) == 1 else "",
        _normalise((headers.getlist("Content-Disposition") or [""])[0]),
        ",".join(encodings).lower(),
        (headers.getlist("Content-Transfer-Encoding") or [""])[0].lower(),
        message.body,
    )
    try:
        found = _read_part(piece, 0)
        alone = found.sdp is None and not piece.kind.lower().startswith("multipart/")
        if alone and message.method in _OFFERING and not isinstance(message, Response) and not piece.optional:
            raise UnsupportedBody
    except UnsupportedBody as error:
        message.body, message.unsupported = b"", error.lines
    else:
        message.body, message.parts = found.sdp or b"", tuple(found.parts)


def _read_part(piece: _BodyPart, depth: int) -> _Content:
    """Raises UnsupportedBody."""
    if piece.encoding not in {"", "identity"}:
        return _omit_or_refuse(piece, "Accept-Encoding: identity")
    match = _TYPE.fullmatch(piece.kind)
    if match is None:
        return _omit_or_refuse(piece)
    family, kind = match[1].lower(), match[2].lower()
    if family == "multipart":
        return _read_multipart(piece, kind, match[3], depth)
    disposition = piece.disposition.partition(";")[0].strip().lower()
    if (family, kind) == ("application", "sdp"):
        if disposition not in {"", "session"} or piece.transfer not in _ENCODINGS:
            return _omit_or_refuse(piece)
        return _Content(piece.content, [])
    if family == "message" or kind.startswith("pkcs7"):
        return _omit_or_refuse(piece)
    lines = [
        f"{name}: {value}"
        for name, value, pattern in (
            ("Content-Disposition", piece.disposition, _DISPOSITION),
            ("Content-Transfer-Encoding", piece.transfer, _DISPOSITION),
            ("Content-ID", piece.identity, _CONTENT_ID),
            ("Content-Language", piece.language, _LANGUAGE),
        )
        if pattern.fullmatch(value)
    ]
    return _Content(None, [Part(piece.kind, piece.content, tuple(lines))])


def _omit_or_refuse(piece: _BodyPart, *lines: str) -> _Content:
    if piece.optional:
        return _Content(None, [])
    raise UnsupportedBody(*lines)


def _read_multipart(piece: _BodyPart, kind: str, given: str, depth: int) -> _Content:
    boundary = parse_parameters(given).get("boundary", "").strip('"')
    if (
        kind not in {"mixed", "alternative", "related"}
        or not _BOUNDARY.fullmatch(boundary)
        or depth >= MAX_DEPTH
    ):
        return _omit_or_refuse(piece)
    pieces = _split_parts(piece.content, boundary.encode())
    if pieces is None:
        return _omit_or_refuse(piece)
    if kind == "alternative":
        return _choose_alternative(pieces, depth)
    all_of = _Content(None, [])
    for inner in pieces:
        found = _read_part(inner, depth + 1)
        if found.sdp is not None and all_of.sdp is not None:
            found.sdp = _omit_or_refuse(inner).sdp  # one session, one description
        all_of.sdp = found.sdp if all_of.sdp is None else all_of.sdp
        all_of.parts += found.parts
        if len(all_of.parts) > MAX_PARTS:
            raise UnsupportedBody
    return all_of


def _choose_alternative(pieces: list[_BodyPart], depth: int) -> _Content:
    """RFC 2046 section 5.1.4: the last that is understood. Only one is sent on: the others would
    not agree with it."""
    chosen: _Content | None = None
    for piece in pieces:
        try:
            found = _read_part(piece, depth + 1)
        except UnsupportedBody:
            continue
        if chosen is None or found.sdp is not None or chosen.sdp is None:
            chosen = found
    if chosen is None:
        raise UnsupportedBody
    return chosen


def _split_parts(content: bytes, boundary: bytes) -> list[_BodyPart] | None:
    """RFC 2046 section 5.1. None where it does not end, or has too many parts."""
    pieces: list[_BodyPart] = []
    start: int | None = None
    content = b"\r\n" + content
    delimiter = b"\r\n--" + boundary
    at = content.find(delimiter)
    while at >= 0:
        end = at + len(delimiter)
        behind = _BEHIND.match(content, end)
        if behind is not None:
            if start is not None:
                piece = _parse_part(content[start:at])
                if piece is None or len(pieces) == MAX_PARTS:
                    return None
                pieces.append(piece)
            if behind[1]:
                return pieces or None
            start = behind.end()
        at = content.find(delimiter, end)
    return None


def _parse_part(text: bytes) -> _BodyPart | None:
    """One part: CRLF, its headers, an empty line, its content."""
    head, blank, content = text.partition(b"\r\n\r\n")
    lines = _FOLD.sub(b" ", head[2:]).split(b"\r\n") if len(head) > 2 else []
    if not blank or len(lines) > MAX_PART_LINES:
        return None
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = readable(decode_octets(line)).partition(":")
        if not colon or not value.replace("\t", " ").isprintable() or name.strip().lower() in found:
            return None
        found[name.strip().lower()] = value.strip()
    return _BodyPart(
        _normalise(found.get("content-type", "text/plain")),
        _normalise(found.get("content-disposition", "")),
        found.get("content-encoding", "").lower(),
        found.get("content-transfer-encoding", "").lower(),
        content,
        found.get("content-id", ""),
        found.get("content-language", ""),
    )


def _normalise(value: str) -> str:
    """A value without what means nothing: white space around separators (RFC 3261 section 25.1,
    SWS), escapes in quoted strings that nothing asks for, and a `;` behind which nothing is."""
    kind, *given = split_quoted(value, ";")
    written = ["/".join(each.strip() for each in kind.split("/"))]
    for each in given:
        name, equals, content = each.partition("=")
        content = content.strip()
        written.append(
            name.strip() + equals + (_PAIR.sub(r"\1", content) if content.startswith('"') else content)
        )
    return ";".join(written).removesuffix(";")


def wrap_body(
    sdp: bytes, parts: tuple[Part, ...], trunk: Trunk, host: str
) -> tuple[str, tuple[str, ...], bytes]:
    """The body to send to `trunk`: its Content-Type, its other lines, its bytes."""
    if not parts or not trunk.trusted:
        return SDP, (), sdp
    if not sdp and len(parts) == 1:
        return (
            parts[0].content_type,
            tuple(_rewrite_line(line, host) for line in parts[0].lines),
            parts[0].content,
        )
    boundary = secrets.token_hex(16)
    pieces = [f"Content-Type: {SDP}\r\n\r\n".encode() + sdp] if sdp else []
    for part in parts:
        rows = [f"Content-Type: {part.content_type}", *(_rewrite_line(line, host) for line in part.lines)]
        pieces.append("\r\n".join([*rows, "", ""]).encode() + part.content)
    body = (
        b"".join(f"--{boundary}\r\n".encode() + piece + b"\r\n" for piece in pieces)
        + f"--{boundary}--\r\n".encode()
    )
    return f"multipart/mixed;boundary={boundary}", ("MIME-Version: 1.0",), body


def _rewrite_line(line: str, host: str) -> str:
    name, _, value = line.partition(": ")
    return f"{name}: <{content_id(value, host)}>" if name == "Content-ID" else line
