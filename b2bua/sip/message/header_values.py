"""Sanitisers of header values: the meaning of a value crosses, the topology of its leg does not.

Rule 1: a sanitiser builds its value anew from what it understood; what it does not understand it
        withholds (None).
Rule 2: no host of one leg reaches the other: the host of a SIP URI becomes `Recipient.host`; text
        that names a place is withheld.
Rule 3: every sanitiser is bounded: the caller has cut the value's length, and no pattern here
        backtracks without end.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from b2bua.sip.message.name_addr import parse_name_addr, parse_parameters
from b2bua.sip.message.octets import encode_octets, readable
from b2bua.sip.message.uri import Uri

NOBODY = '"Anonymous" <sip:anonymous@anonymous.invalid>'  # RFC 3323 section 4.1.1.3
_KEY = secrets.token_bytes(16)
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
_TEL = re.compile(
    r"(tel:[+0-9A-Da-d*#().-]{1,32})(?:;phone-context=(\+[0-9.()-]{1,24}))?(?:;.*)?", re.IGNORECASE
)
# What could be a name or an address of a host: a dot, an at-sign or a colon between other
# characters.
_PLACE = re.compile(r"[^\s\"][.@:][^\s\"]")
_NUMBERED = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,15}")  # an index of RFC 7044
_UUI = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,1024}(?:;[A-Za-z]{1,16}=[A-Za-z0-9.!%*_+`'~-]{1,64}){0,6}")
_WARNING = re.compile(r"([0-9]{3}) ")
_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
_LANGUAGES = re.compile(r"[A-Za-z0-9*;=., -]{1,256}")
_INFO = re.compile(
    r"<((?:https?://|urn:|cid:|data:)[!-;=?-~]{1,512})>((?:;[A-Za-z-]{1,32}(?:=[!-:<-~]{1,64})?){0,6})"
)
# The location of a cause (RFC 8606 section 4).
_LOCATIONS = frozenset({"U", "LPN", "LN", "TN", "RLN", "RPN", "LOC-6", "INTL", "LOC-8", "LOC-9", "BI"})
_PRIVACIES = frozenset({"header", "session", "user", "none", "critical", "id", "history"})
# RFC 3261 section 20.43: what each code says; the text that came names whoever wrote it.
_WARNINGS = {
    300: "Incompatible network protocol", 301: "Incompatible network address formats",
    302: "Incompatible transport protocol", 303: "Incompatible bandwidth units",
    304: "Media type not available",
    305: "Incompatible media format", 306: "Attribute not understood",
    307: "Session description parameter not understood",
    330: "Multicast not available", 331: "Unicast not available", 370: "Insufficient bandwidth",
    399: "Miscellaneous warning",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a header goes. `host` stands for whatever host it named; `privacy`: what the Privacy
    header asks for."""

    host: str
    trusted: bool = False
    privacy: frozenset[str] = frozenset()


USER = "-_.!~*'()&=+$,;?/"  # beside letters and digits, what needs no escape in a user part

Sanitiser = Callable[[str, Recipient], str | None]


def names_a_place(text: str) -> bool:
    """Whether free text may name a host."""
    return _PLACE.search(text) is not None


def text(value: str, _: Recipient) -> str | None:
    """Pass text that names no place."""
    return None if names_a_place(value) else value


def opaque(value: str, _: Recipient) -> str | None:
    """As it came: what the operator asked for by name."""
    return value


def address(value: str, recipient: Recipient) -> str | None:
    """A name-addr whose host becomes ours. A tel URI has none and stays."""
    display, uri, _ = parse_name_addr(value)
    target = _target(uri, recipient)
    return None if target is None else f"{_quoted(display)}<{target}>"


def _target(uri: str, recipient: Recipient) -> str | None:
    """The URI with our host. Its parameters go, but `user` (RFC 3261 section 19.1.1) and a number's
    context."""
    telephone = _TEL.fullmatch(uri)
    if telephone is not None:
        return telephone[1] + (f";phone-context={telephone[2]}" if telephone[2] else "")
    try:
        parsed = Uri.parse(uri)
    except ValueError:
        return None
    if parsed.scheme not in {"sip", "sips"} or not parsed.user:
        return None
    if parsed.user.lower() == "anonymous":
        return "sip:anonymous@anonymous.invalid"
    is_phone = parsed.user.lstrip("+").isdigit() and parsed.parameter_map.get("user", "").lower() == "phone"
    host = f"[{recipient.host}]" if ":" in recipient.host and recipient.host[:1] != "[" else recipient.host
    return f"sip:{quote(readable(parsed.user), safe=USER)}@{host}{';user=phone' if is_phone else ''}"


def _quoted(display: str) -> str:
    if not display or names_a_place(display):
        return ""
    escaped = display[:120].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" '


def _kept(given: dict[str, str], names: tuple[str, ...]) -> str:
    """The parameters of these names whose values are tokens or quoted tokens that name no place."""
    kept = ""
    for name in names:
        value = given.get(name)
        if value is not None and _TOKEN.fullmatch(value.strip('"')) and not names_a_place(value):
            kept += f";{name}={value}"
    return kept


def diversion(value: str, recipient: Recipient) -> str | None:
    """RFC 5806. Its own `privacy` hides who diverted from trunks that are not trusted."""
    given = parse_parameters(parse_name_addr(value)[2])
    hidden = "" if recipient.trusted else given.get("privacy", "off").strip('"').lower()
    who = NOBODY if hidden in {"full", "uri"} else address(value, recipient)
    if who is not None and hidden == "name":
        who = who[who.rfind("<") :]
    rest = _kept(given, ("reason", "counter", "limit", "privacy", "screen"))
    return None if who is None else who + rest


def history(value: str, recipient: Recipient) -> str | None:
    """RFC 7044: one entry. The index always stays, so that the list stays whole; who it was may be
    hidden (section 10.1)."""
    _, uri, rest = parse_name_addr(value)
    given = parse_parameters(rest)
    embedded = parse_parameters(_embedded_headers(uri).replace("&", ";"))
    index = given.get("index", "")
    if _NUMBERED.fullmatch(index) is None:
        return None
    asked = (
        recipient.privacy & {"history", "header", "session"}
        or "history" in embedded.get("privacy", "").lower()
    )
    target: str | None = "sip:anonymous@anonymous.invalid"
    if recipient.trusted or not asked:
        target = _target(uri, recipient)
        if target is None:
            return None
        headers = [
            f"{name}={embedded[name.lower()]}"
            for name in ("Reason", "Privacy")
            if _TOKEN.fullmatch(embedded.get(name.lower(), "").replace("%3D", "").replace("%3B", ""))
            and not names_a_place(embedded[name.lower()].replace("Q.850", "Q850"))
        ]
        target += f"?{'&'.join(headers)}" if headers else ""
    ways = "".join(
        f";{way}={given[way]}" for way in ("rc", "mp", "np") if _NUMBERED.fullmatch(given.get(way, ""))
    )
    return f"<{target}>;index={index}{ways}"


def _embedded_headers(uri: str) -> str:
    """What is behind the `?` of a URI; a user part may have one of its own."""
    try:
        headers = Uri.parse(uri).headers
    except ValueError:
        headers = ""
    return headers or uri.partition("?")[2]


def reason(value: str, _: Recipient) -> str | None:
    """RFC 3326: protocol, cause, where it arose (RFC 8606), and its text unless that names a
    place."""
    protocol, _semicolon, rest = value.partition(";")
    protocol = protocol.strip()
    given = parse_parameters(rest)
    cause = given.get("cause", "")
    if _TOKEN.fullmatch(protocol) is None or not (cause.isascii() and cause.isdigit() and len(cause) <= 3):
        return None
    shaped = f"{protocol};cause={cause}"
    if given.get("location", "").upper() in _LOCATIONS:
        shaped += f";location={given['location'].upper()}"
    said = given.get("text", "").strip('"')
    if said and len(said) <= 80 and '"' not in said and "\\" not in said and not names_a_place(said):
        shaped += f';text="{said}"'
    return shaped


def user_to_user(value: str, _: Recipient) -> str | None:
    """RFC 7433: data of the two ends, a token and its parameters."""
    return value if _UUI.fullmatch(value) else None


def privacy(value: str, _: Recipient) -> str | None:
    """Pass the registered words."""
    return ";".join(sorted(privacies([value]))) or None


def privacies(values: list[str]) -> frozenset[str]:
    """What Privacy headers ask for (RFC 3323 section 4.2)."""
    if not values:
        return frozenset()
    found = {
        part.strip().lower() for value in values for part in value.replace(",", ";").split(";")
    } & _PRIVACIES
    return frozenset({"none"} if "none" in found else found)


def warning(value: str, recipient: Recipient) -> str | None:
    """RFC 3261 section 20.43: the code is theirs; whoever warns, and in which words, is ours."""
    match = _WARNING.match(value)
    code = int(match[1]) if match else 0
    return f'{code} {recipient.host} "{_WARNINGS[code]}"' if code in _WARNINGS else None


def retry_after(value: str, _: Recipient) -> str | None:
    """Seconds, a day at most; the comment goes."""
    seconds = re.match(r"[0-9]{1,9}(?=$|[ ;(])", value)
    return str(min(int(seconds[0]), 86_400)) if seconds else None


def date(value: str, _: Recipient) -> str | None:
    """Pass a SIP date."""
    return value if _DATE.fullmatch(value) else None


def languages(value: str, _: Recipient) -> str | None:
    """Pass a list of languages."""
    return value if _LANGUAGES.fullmatch(value) else None


def information(value: str, recipient: Recipient) -> str | None:
    """Call-Info, Alert-Info, Geolocation: a resource on the web, a name, or a part of the body; no
    SIP URI."""
    match = _INFO.fullmatch(value)
    if match is None:
        return None
    uri = match[1]
    return f"<{f'cid:{content_id(uri[4:], recipient.host)}' if uri.startswith('cid:') else uri}>{match[2]}"


def alert(value: str, recipient: Recipient) -> str | None:
    """An alert's URN (RFC 7462) says nothing of where it came from: it crosses to anybody."""
    return information(value, recipient) if recipient.trusted or value.startswith("<urn:alert:") else None


def content_id(given: str, host: str) -> str:
    """A Content-ID of ours for one of theirs, which names their host: the same wherever it is
    spoken of."""
    return (
        f"{hashlib.blake2b(encode_octets(given.strip('<> ')), key=_KEY, digest_size=12).hexdigest()}@{host}"
    )
