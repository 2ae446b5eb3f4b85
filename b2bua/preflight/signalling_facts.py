"""What the peer's SIP says: early media, reliability, timers, SRTP, NAT, numbers, and how fast it
is.

Rule 1: pure; of a header only what is named here is kept, cut to a length, and printable."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import msgspec

from b2bua.preflight.observation import Leg, Message

_MAX_TEXT: Final = 60
_PRIVATE: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
    )
)
_EXPIRES = re.compile(r"(\d{1,9})")
_REFRESHER = re.compile(r"refresher[ \t]*=[ \t]*(uac|uas)", re.IGNORECASE)
_REASON_CAUSE = re.compile(r"Q\.850[ \t]*;[ \t]*cause[ \t]*=[ \t]*(\d{1,3})", re.IGNORECASE)


class SignallingFacts(msgspec.Struct, kw_only=True):
    """The signalling of a leg, as received. Times in ms, 0 where there was none; `session_expires`
    and `minimum` in seconds. `reliable`: what its messages say of 100rel: "required", "supported"
    or "". `numbers`: how its callers are written: e164, international, national, plain or other, or
    "" where we called."""

    direction: str
    transport: str = ""
    source: str = ""
    product: str = ""
    codecs: list[str] = msgspec.field(default_factory=list)
    code: int = 0
    cause: int = 0  # of Q.850, where a Reason header has one
    trying: float = 0.0
    ringing: float = 0.0
    answer: float = 0.0
    has_early_description: bool = False
    provisionals: list[int] = msgspec.field(default_factory=list)
    reliable: str = ""
    timer: bool = False
    session_expires: int = 0
    refresher: str = ""
    minimum: int = 0
    protocol: str = ""
    suites: list[str] = msgspec.field(default_factory=list)
    contact_host: str = ""
    is_contact_private: bool = False
    is_contact_elsewhere: bool = False
    media_host: str = ""
    is_media_private: bool = False
    is_media_elsewhere: bool = False
    numbers: str = ""
    methods: list[str] = msgspec.field(default_factory=list)
    is_redirected: bool = False


def measure_signalling(leg: Leg) -> SignallingFacts:
    """What the messages of a leg say."""
    facts = SignallingFacts(direction="out" if leg.is_ours else "in")
    answers = [each for each in leg.messages if each.code and each.method == "INVITE"]
    invites = [each for each in leg.messages if each.method == "INVITE" and not each.code]
    main = invites[:1] or [each for each in answers if 200 <= each.code < 300][:1] or answers[-1:]
    if not main:
        return facts
    _add_answers(facts, leg, answers)
    (message,) = main
    facts.transport, facts.source = message.transport, _join(*message.source)
    facts.product = _clean(message.one("user-agent") or message.one("server"))
    facts.methods = sorted(each.upper() for each in message.tokens("allow"))[:20]
    facts.timer = "timer" in message.tokens("supported") | message.tokens("require")
    facts.session_expires = _number(message.one("session-expires"))
    refresher = _REFRESHER.search(message.one("session-expires"))
    facts.refresher = refresher[1].lower() if refresher else ""
    facts.minimum = max(_number(each.one("min-se")) for each in leg.messages)
    facts.reliable = _reliable(invites + answers)
    description = leg.remote
    facts.codecs = [each.encoding for each in description.codecs]
    facts.protocol, facts.suites = description.protocol, list(description.suites)
    facts.media_host = description.host
    facts.is_media_private = _is_private(description.host)
    facts.is_media_elsewhere = bool(description.port) and description.host != message.source[0]
    _, facts.contact_host = _read_uri(message.one("contact"))
    if facts.contact_host:
        facts.is_contact_private = _is_private(facts.contact_host)
        is_numeric = _is_numeric(facts.contact_host)
        facts.is_contact_elsewhere = is_numeric and facts.contact_host != message.source[0]
    if invites:
        facts.numbers = number_form(_read_uri(message.one("from"))[0])
    return facts


def number_form(user: str) -> str:
    """How a number is written: e164 (+49...), international (0049...), national (030...), plain
    (4930...), or other."""
    if not user.removeprefix("+").isascii() or not user.removeprefix("+").isdecimal():
        return "other"
    if user.startswith("+"):
        return "e164"
    if user.startswith("00"):
        return "international"
    return "national" if user.startswith("0") else "plain"


def _add_answers(facts: SignallingFacts, leg: Leg, answers: list[Message]) -> None:
    for each in answers:
        after = round((each.at - leg.began_at) * 1000, 1)
        if each.code == 100:
            facts.trying = facts.trying or after
        elif each.code < 200:
            facts.ringing = facts.ringing or after
            facts.provisionals.append(each.code)
            facts.has_early_description |= "\nm=audio" in each.body
        elif each.code < 300:
            facts.answer = facts.answer or after
        facts.is_redirected |= 300 <= each.code < 400
    del facts.provisionals[20:]
    finals = [each for each in answers if each.code >= 200 and each.code not in (401, 407)]
    if finals:
        facts.code = finals[-1].code
        cause = _REASON_CAUSE.search(finals[-1].one("reason"))
        facts.cause = int(cause[1]) if cause else 0


def _read_uri(value: str) -> tuple[str, str]:
    """User and host of the SIP URI in a header; both are empty where there is none."""
    inner = value.rpartition("<")[2].partition(">")[0].strip()
    scheme, _, rest = inner.partition(":")
    if scheme.lower() not in ("sip", "sips"):
        return "", ""
    user, _, host = rest.partition("?")[0].rpartition("@")
    host = host.partition(";")[0]
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return user.partition(";")[0][:80], _clean(host)


def _reliable(messages: list[Message]) -> str:
    if any("100rel" in each.tokens("require") for each in messages):
        return "required"
    return "supported" if any("100rel" in each.tokens("supported") for each in messages) else ""


def _number(value: str) -> int:
    found = _EXPIRES.match(value)
    return int(found[1]) if found else 0


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_private(host: str) -> bool:
    """Whether an address is of a private network, of a carrier's NAT, or of a link (RFC 1918, 4193,
    6598)."""
    if not _is_numeric(host):
        return False
    address = ipaddress.ip_address(host)
    return any(address in network for network in _PRIVATE if network.version == address.version)


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:_MAX_TEXT])
