"""Composition of SIP messages: responses from the head of their request, requests from a dialog or
a trunk.

Rule 1: what we write names us only: our Via, our Contact; nothing of the other leg but the parties'
        users and names.
Rule 2: text that comes from outside is cleaned here (`reason_phrase`, `name_addr_of`), or was by
        `parse_message`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import quote

import msgspec

from b2bua.call.leg import Party
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop, Transport
from b2bua.sip.message.header_values import USER, names_a_place
from b2bua.sip.message.message import Head, Request
from b2bua.sip.message.name_addr import tag_of
from b2bua.sip.message.octets import encode_octets, printable, readable
from tonewall.tokens import token

RELIABLE = "100rel"  # RFC 3262
ALLOW = (
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "OPTIONS",
    "INFO",
    "MESSAGE",
    "REFER",
    "SUBSCRIBE",
    "UPDATE",
    "PRACK",
)
ALLOW_LINE = "Allow: " + ", ".join(ALLOW)
ALLOW_EVENTS_LINE = "Allow-Events: refer"
SUPPORTED = ("timer", "replaces", RELIABLE)  # the extensions that we know (RFC 3261 section 20.37)
SUPPORTED_LINE = "Supported: " + ", ".join(SUPPORTED)
SUPPORTED_WITHOUT_100REL_LINE = "Supported: " + ", ".join(each for each in SUPPORTED if each != RELIABLE)
ACCEPT_LINE = "Accept: application/sdp, multipart/mixed, multipart/alternative"
SDP = "application/sdp"
COOKIE = "z9hG4bK"  # RFC 3261 section 8.1.1.7
_KEY = secrets.token_bytes(16)
_STAMP = re.compile(r";[ \t]*(?:rport|received)[ \t]*(?=[=;]|$)", re.IGNORECASE)
_RPORT = re.compile(r";[ \t]*rport[ \t]*(?=[=;]|$)", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[0-9*#.()-]{1,64}")
_USER_PARAMETER = re.compile(r"[A-Za-z0-9-]{1,32}(?:=[A-Za-z0-9+*#.()%_-]{1,128})?")
_PLAIN_USER = re.compile(r"[A-Za-z0-9+._-]+")
_RECEIVED = re.compile(r";[ \t]*(?:rport|received)[ \t]*(?:=[^;]*)?(?=;|$)", re.IGNORECASE)
PHRASES = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK",
    405: "Method Not Allowed", 408: "Request Timeout", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension", 422: "Session Interval Too Small",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
    483: "Too Many Hops", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    489: "Bad Event", 491: "Request Pending", 500: "Server Internal Error", 503: "Service Unavailable",
    504: "Server Time-out", 513: "Message Too Large",
    600: "Busy Everywhere", 603: "Decline",
}  # fmt: skip


def reason_phrase(code: int, given: str = "") -> str:
    """`given`, cleaned, or the default phrase of the code; that also where it names a host, which
    would be the other leg's."""
    clean = printable(given)[:80]
    if clean and not names_a_place(clean):
        return clean
    if code in PHRASES:
        return PHRASES[code]
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "Unknown"


def hostport(host: str, port: int | None) -> str:
    """`host:port`, with brackets where the host is an IPv6 address."""
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"


def new_tag() -> str:
    """Return a new tag."""
    return token(8)


def new_branch() -> str:
    """Return a new branch (RFC 3261 section 8.1.1.7)."""
    return COOKIE + token(12)


def stateless_tag(head: Head) -> str:
    """The To tag of a stateless answer: the same for the same request (RFC 3261 section 8.2.7)."""
    text = f"{head.call_id}\0{head.vias[0]}\0{head.cseq}"
    return hashlib.blake2b(encode_octets(text), key=_KEY, digest_size=8).hexdigest()


def stamp_via(via: str, source: Hop) -> str:
    """The topmost Via with where the request really came from (RFC 3261 section 18.2.1, RFC 3581
    section 4)."""
    if _STAMP.search(via) is None:
        return f"{via};received={source[0]}"
    wants_port = _RPORT.search(via) is not None
    bare = _RECEIVED.sub("", via)
    return f"{bare};received={source[0]}" + (f";rport={source[1]}" if wants_port else "")


def compose_response(
    head: Head,
    source: Hop,
    code: int,
    *,
    text: str = "",
    tag: str = "",
    lines: Iterable[str] = (),
    body: bytes = b"",
    content_type: str = SDP,
) -> bytes:
    """A response. `tag`: ours, added to To where it has none; `lines`: further headers, ready to
    send."""
    to = head.to if not tag or tag_of(head.to) else f"{head.to};tag={tag}"
    rows = [f"SIP/2.0 {code} {reason_phrase(code, text)}", f"Via: {stamp_via(head.vias[0], source)}"]
    rows += [f"Via: {via}" for via in head.vias[1:]]
    rows += [f"From: {head.from_}", f"To: {to}", f"Call-ID: {head.call_id}", f"CSeq: {head.cseq}", *lines]
    if body:
        rows.append(f"Content-Type: {content_type}")
    rows.append(f"Content-Length: {len(body)}\r\n\r\n")
    return encode_octets("\r\n".join(rows)) + body


def return_hop(request: Request) -> Hop:
    """Where responses go: back on the connection, and where that is gone to the port in sent-by;
    over UDP to the source address, and to its port where the request has rport (RFC 3261 section
    18.2.2, RFC 3581 section 4)."""
    source = request.source
    if request.via.rport and not source.transport.reliable:
        return source
    return source._replace(port=request.via.port or source.transport.default_port)


class Outgoing(msgspec.Struct, frozen=True):
    """A request of ours, kept so that its ACK, its CANCEL and its second try with credentials can
    be made from it."""

    method: str
    uri: str
    branch: str
    from_: str
    to: str
    call_id: str
    cseq: int
    route: tuple[str, ...] = ()
    max_forwards: int = 70
    lines: tuple[str, ...] = ()
    body: bytes = b""
    # Our host and port in Via; the transaction layer writes it, with the transport.
    sent_by: str = ""
    transport: Transport = Transport.UDP
    content_type: str = SDP  # of the body, where there is one

    def __repr__(self) -> str:  # without the body, which may be an INFO's
        return f"Outgoing({self.method}, {self.call_id}, {self.cseq})"

    def __bytes__(self) -> bytes:
        # RFC 5923 section 5: over TLS, where the certificate says who we are, requests to us may
        # come back the same way.
        alias = ";alias" if self.transport.secure else ""
        rows = [
            f"{self.method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {self.sent_by};rport{alias};branch={self.branch}",
            f"Max-Forwards: {self.max_forwards}",
        ]
        rows += [f"Route: {route}" for route in self.route]
        rows += [
            f"From: {self.from_}", f"To: {self.to}", f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} {self.method}",
        ]  # fmt: skip
        rows += self.lines
        if self.body and self.content_type:
            rows.append(f"Content-Type: {self.content_type}")
        rows.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return encode_octets("\r\n".join(rows)) + self.body

    def ack_for(self, to: str) -> bytes:
        """The ACK of a 300-699 response with this To (RFC 3261 section 17.1.1.3)."""
        return bytes(msgspec.structs.replace(self, method="ACK", to=to, lines=self.credentials, body=b""))

    @property
    def credentials(self) -> tuple[str, ...]:
        """Its answers to challenges, which its ACK repeats (RFC 3261 section 22.1)."""
        return tuple(
            line for line in self.lines if line.startswith(("Authorization:", "Proxy-Authorization:"))
        )

    def new_cancel(self) -> Outgoing:
        """The CANCEL of this INVITE (RFC 3261 section 9.1)."""
        return msgspec.structs.replace(self, method="CANCEL", lines=(), body=b"")

    def with_credentials(self, cseq: int, credentials: str) -> Outgoing:
        """The same request with an answer to a challenge (RFC 3261 section 22.2)."""
        kept = tuple(line for line in self.lines if line not in self.credentials)
        return msgspec.structs.replace(
            self, branch=new_branch(), cseq=cseq, lines=(*kept, credentials), sent_by=""
        )


def add_user(uri: str, user: str) -> str:
    """A SIP URI that has no user part, with this one (RFC 3261 section 25.1: user)."""
    scheme, _, rest = uri.partition(":")
    return f"{scheme}:{_escape_user(user)}@{rest}"


def replace_user(uri: str, user: str) -> str:
    """A SIP URI with this user, whether or not it had one."""
    scheme, _, rest = uri.partition(":")
    _, at, place = rest.partition("@")
    return add_user(f"{scheme}:{place if at else rest}", user)


def _escape_user(user: str) -> str:
    return user if _PLAIN_USER.fullmatch(user) else quote(readable(user), safe=USER)


def uri_of(who: Party, host: str, port: int | None, trunk: Trunk) -> str:
    """The SIP URI of somebody, as this trunk is to have it. `user_parameters` and `user_phone` of
    the trunk are about numbers."""
    if not who.user:
        return f"sip:{hostport(host, port)}"
    is_number = _NUMBER.fullmatch(who.user) is not None
    own = number_parameters(who, trunk.user_parameters) if is_number else ""
    phone = ";user=phone" if is_number and trunk.user_phone else ""
    return f"sip:{_escape_user(who.user)}{own}@{hostport(host, port)}{phone}"


def name_addr_of(who: Party, uri: str) -> str:
    """A From or To value without tag. The name is escaped as its grammar asks."""
    name = printable(who.display)[:120].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{uri}>' if name else f"<{uri}>"


def number_parameters(who: Party, names: tuple[str, ...]) -> str:
    """The parameters of a number that are among these (`*`: all). A local number keeps the area
    that makes it one."""
    kept = ""
    for each in who.parameters.split(";")[1:]:
        name, _, value = each.partition("=")
        local = name.lower() == "phone-context" and value.startswith("+") and not who.user.startswith("+")
        if (local or "*" in names or name.lower() in names) and _USER_PARAMETER.fullmatch(each):
            kept += f";{each}"
    return kept
