"""Words of ladders: every text in a ladder comes from these tables, none from a peer.

Rule 1: a word that is in no table becomes OTHER. A peer that names a method, a codec or a medium
        after a card number, or puts one into a reason phrase, gets none of it into a ladder.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from media.codecs import STATIC_AUDIO, DecodedCodec

OTHER: Final = "other"

METHODS: Final = frozenset(
    {
        "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "PRACK", "UPDATE", "INFO", "MESSAGE", "REFER", "NOTIFY",
        "SUBSCRIBE", "REGISTER", "PUBLISH",
    }
)  # fmt: skip
# Methods with session descriptions (RFC 3264).
DESCRIBING: Final = frozenset({"INVITE", "ACK", "PRACK", "UPDATE"})

PHRASES: Final = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK", 202: "Accepted", 204: "No Notification",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone", 412: "Conditional Request Failed", 413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 417: "Unknown Resource-Priority",
    420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
    423: "Interval Too Brief",
    424: "Bad Location Information", 425: "Bad Alert Message", 428: "Use Identity Header",
    429: "Provide Referrer Identity", 430: "Flow Failed", 433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential", 438: "Invalid Identity Header", 439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded", 469: "Bad Info Package", 470: "Consent Needed",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
    483: "Too Many Hops", 484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large", 555: "Push Not Supported",
    580: "Precondition Failure",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}  # fmt: skip

KINDS: Final = frozenset({"audio", "video", "image", "text", "application", "message"})
PROTOCOLS: Final = {
    name.lower(): name
    for name in (
        "RTP/AVP", "RTP/SAVP", "RTP/AVPF", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "udptl",
        "TCP",
        "UDP/BFCP", "TCP/BFCP", "TCP/TLS/BFCP", "TCP/MSRP", "TCP/TLS/MSRP", "UDP/DTLS/SCTP", "UDP/DTLS/UDPTL",
    )
}  # fmt: skip
DIRECTIONS: Final = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
# Names of the registry of RTP payload formats that trunks and phones use; t38 is the format of
# m=image.
CODECS: Final = {
    name.lower(): name
    for name in (
        *STATIC_AUDIO.values(), *(codec.encoding for codec in DecodedCodec),
        "G726-16", "G726-24", "G726-32", "G726-40", "G7221", "GSM-EFR", "iLBC", "iSAC", "SILK", "speex",
        "EVS", "L16", "CN", "telephone-event", "tone", "RED", "ulpfec", "rtx", "CLEARMODE",
        "H261", "H263", "H263-1998", "H263-2000", "H264", "H265", "VP8", "VP9", "AV1", "t140", "t38",
    )
}  # fmt: skip
STATIC: Final = {str(number): name for number, name in STATIC_AUDIO.items()} | {
    "10": "L16", "11": "L16", "13": "CN", "31": "H261", "34": "H263",
}  # fmt: skip  # RFC 3551 section 6


class NoteKind(StrEnum):
    """Events of a call between its messages."""

    BEGAN = "call began"
    MEDIA_OPENED = "media opened"
    MEDIA_REFUSED = "media refused"
    MEDIA_CLOSED = "media closed"
    MASK_ON = "mask on"
    MASK_OFF = "mask off"
    MASK_REFUSED = "mask refused"
    CAPTURE_STARTING = "payment asked for"
    CAPTURE_COLLECTING = "customer may key"
    CAPTURE_READY = "form complete"
    CAPTURE_CHARGING = "form submitted"
    CAPTURE_APPROVED = "payment approved"
    CAPTURE_PARTIALLY_APPROVED = "payment approved in part"
    CAPTURE_DECLINED = "payment declined"
    CAPTURE_FAILED = "payment failed, not charged"
    CAPTURE_UNKNOWN = "payment unknown, perhaps charged"
    CAPTURE_CANCELLED = "payment cancelled"
    CAPTURE_ABORTED = "payment aborted"
    TRANSFERRED = "leg transferred"
    JOINED = "leg joined another call"
    NO_ANSWER = "no answer"
    NO_WAY = "cannot be sent"
    FULL = "trunk is full"
    ENDED = "call ended"


def method_word(given: str) -> str:
    """The word of a ladder for this method."""
    return given if given in METHODS else OTHER


def phrase_of(code: int) -> str:
    """Our own words for a status code."""
    return PHRASES.get(code, "")
