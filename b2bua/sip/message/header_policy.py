"""Header policy: which headers cross from leg to leg, as one table.

Rule 1: a header that is not in RULES, and not among a trunk's `x_headers`, crosses nowhere.
Rule 2: caller, diversion and location are accepted from trusted trunks only, and sent to others
        only where nobody asked for privacy (RFC 3323, RFC 3325).
Rule 3: a value is cut off by number and length as it comes in, and sanitised as it goes out;
        what holds a control character after that is not sent, wherever it came from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from b2bua.call.leg import Party
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.message import header_values as sanitise
from b2bua.sip.message.header_fields import KNOWN, Headers
from b2bua.sip.message.header_values import Recipient, Sanitiser
from b2bua.sip.message.name_addr import split_quoted
from b2bua.sip.message.octets import fits_a_line
from b2bua.sip.message.passport import SignedContent, keep_valid

MAX_BYTES = 8_192  # of all that crosses in one message
_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")


class MessageClass(StrEnum):
    """The messages that headers cross in. In-dialog requests other than BYE carry none on."""

    INVITE = "INVITE"
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "3xx-6xx"
    CANCEL = "CANCEL"
    BYE = "BYE"


class Trust(StrEnum):
    """The trunks that a rule speaks of."""

    ANYBODY = "any trunk"
    TRUSTED = "trusted trunks"


@dataclass(frozen=True, slots=True)
class Rule:
    """One header. `hidden_with`: with these words in Privacy it is withheld from trunks that are
    not trusted."""

    name: str
    crosses_in: frozenset[MessageClass]
    accepted_from: Trust
    sent_to: Trust
    sanitise: Sanitiser
    meaning: str
    max_values: int = 1
    max_length: int = 512
    hidden_with: frozenset[str] = frozenset()
    listed: bool = False  # several values may stand in one line, between commas


_I, _1, _2, _F, _C, _B = MessageClass
_ANY, _TRUSTED = Trust


def _in(*moments: MessageClass) -> frozenset[MessageClass]:
    return frozenset(moments)


_ID, _USER = frozenset({"id"}), frozenset({"user"})
RULES: tuple[Rule, ...] = (
    Rule("P-Asserted-Identity", _in(_I, _1, _2), _TRUSTED, _ANY, sanitise.address,
         "the identity asserted by a trusted network (RFC 3325); the host becomes ours", 2, hidden_with=_ID,
         listed=True),
    Rule("P-Preferred-Identity", _in(_I), _ANY, _TRUSTED, sanitise.address,
         "the identity that the caller prefers (RFC 3325); the host becomes ours", 2, hidden_with=_ID,
         listed=True),
    Rule("Privacy", _in(_I, _1, _2), _ANY, _ANY, sanitise.privacy,
         "the requested privacy (RFC 3323), registered words only", 4),
    Rule("Diversion", _in(_I, _1), _TRUSTED, _ANY, sanitise.diversion,
         "the diverting user (RFC 5806); the host becomes ours; its own `privacy` withholds the user from "
         "trunks that are not trusted", 8, listed=True),
    Rule("History-Info", _in(_I, _1, _2, _F), _TRUSTED, _ANY, sanitise.history,
         "earlier targets of the call (RFC 7044); hosts become ours; entries under privacy are made "
         "anonymous for trunks that are not trusted, their index stays", 16, listed=True),
    Rule("Identity", _in(_I), _ANY, _ANY, sanitise.opaque,
         "the signed caller (RFC 8224): only to trunks with `identity = yes`, and only where the signed "
         "numbers and key fingerprints are those that we send", 4, 4096),
    Rule("Date", _in(_I), _ANY, _ANY, sanitise.date, "only with an Identity that crosses", 1, 64),
    Rule("Reason", _in(_1, _F, _C, _B), _ANY, _ANY, sanitise.reason,
         "the cause (RFC 3326), also in responses (RFC 6432): protocol, cause, location (RFC 8606); its "
         "text unless it names a host",
         4, listed=True),
    Rule("User-to-User", _in(_I, _1, _2, _F, _B), _ANY, _TRUSTED, sanitise.user_to_user,
         "end-to-end data (RFC 7433)", 4, 1024, listed=True),
    Rule("Call-Info", _in(_I, _1, _2), _TRUSTED, _TRUSTED, sanitise.information,
         "pictures and pages of the caller; no SIP URI", 4, 1024, _USER, listed=True),
    Rule("Alert-Info", _in(_I, _1), _ANY, _ANY, sanitise.alert,
         "the alert: `urn:alert` (RFC 7462) to any trunk, other URIs to trusted trunks", 4, 1024,
         listed=True),
    Rule("Subject", _in(_I), _ANY, _TRUSTED, sanitise.text, "text, unless it names a host", 1, 256, _USER),
    Rule("Organization", _in(_I, _2), _ANY, _TRUSTED, sanitise.text, "text, unless it names a host", 1,
         128, _USER),
    Rule("Priority", _in(_I), _ANY, _TRUSTED, sanitise.text, "one word (RFC 3261 section 20.26)", 1, 64),
    Rule("Accept-Language", _in(_I), _ANY, _ANY, sanitise.languages, "the caller's languages", 4, 256),
    Rule("Geolocation", _in(_I), _TRUSTED, _TRUSTED, sanitise.information,
         "the caller's location (RFC 6442), by a body part or a web address", 4, 1024, listed=True),
    Rule("Geolocation-Routing", _in(_I), _TRUSTED, _TRUSTED, sanitise.text,
         "permission to route by the location (RFC 6442)", 1, 16),
    Rule("Referred-By", _in(_I), _ANY, _TRUSTED, sanitise.address,
         "the transferor (RFC 3892); the host becomes ours; its parameters are removed", 1,
         hidden_with=_USER),
    Rule("Recv-Info", _in(_I, _1, _2), _ANY, _ANY, sanitise.text,
         "the INFO packages that an end accepts (RFC 6086), unless a name looks like a host's", 8, 64,
         listed=True),
    Rule("Warning", _in(_F), _ANY, _ANY, sanitise.warning,
         "the code; warn-agent and text are ours (RFC 3261 section 20.43)", 4, listed=True),
    Rule("Retry-After", _in(_F), _ANY, _ANY, sanitise.retry_after,
         "seconds, a day at most; not with 500 and 503, where it concerns the trunk and not the call",
         1, 128),
)  # fmt: skip
_PRIVATE = Rule("X-*, P-*", frozenset(MessageClass), _ANY, _ANY, sanitise.opaque,
                "unchanged, to trunks whose `x_headers` names them; default none", 16, 512)  # fmt: skip
ALL = (*RULES, _PRIVATE)
_BY_NAME = {rule.name.lower(): rule for rule in RULES}
# Of most headers, found without a call: no rule.
_AS_WRITTEN = {name: _BY_NAME.get(name.lower()) for name in KNOWN}


def rule_of(name: str) -> Rule | None:
    """The rule of a header, whatever its case."""
    if name in _AS_WRITTEN:
        return _AS_WRITTEN[name]
    name = name.lower()
    return _BY_NAME.get(name) or (_PRIVATE if name.startswith(("x-", "p-")) else None)


def has_own_rule(name: str) -> bool:
    """Whether the table names this header, so that no trunk's `x_headers` changes what becomes of
    it."""
    return name.lower() in _BY_NAME


def extract_headers(moment: MessageClass, headers: Headers, trunk: Trunk) -> tuple[tuple[str, str], ...]:
    """What may cross of a message from `trunk`, for `Carried.headers`."""
    kept: list[tuple[str, str]] = []
    room = MAX_BYTES
    for name in headers.keys():  # noqa: SIM118 — it is no mapping
        rule = rule_of(name)
        if (
            rule is None
            or moment not in rule.crosses_in
            or (rule.accepted_from is _TRUSTED and not trunk.trusted)
        ):
            continue
        values = headers.getlist(name)
        if rule.listed:
            values = [
                part
                for value in values[: rule.max_values]
                for part in split_quoted(value[:MAX_BYTES], ",")
                if part
            ]
        for value in values[: rule.max_values]:
            room -= len(value) + len(name)
            if len(value) <= rule.max_length and room >= 0:
                kept.append((name if rule is _PRIVATE else rule.name, value))
    return tuple(kept)


def crossing_lines(
    moment: MessageClass,
    headers: Sequence[tuple[str, str]],
    trunk: Trunk,
    host: str,
    *,
    signed: SignedContent | None = None,
    code: int = 0,
) -> tuple[str, ...]:
    """The lines to send to `trunk`. `host` stands for every host that is not to be seen; `code`: of
    an answer."""
    if not headers:
        return ()
    asked = sanitise.privacies([value for name, value in headers if name == "Privacy"])
    recipient = Recipient(host, trunk.trusted, asked)
    true: tuple[str, ...] = ()
    if signed is not None and trunk.identity:
        true = keep_valid([value for name, value in headers if name == "Identity"], signed)
    sent: list[str] = []
    for name, value in headers:
        rule = rule_of(name)
        if rule is None or moment not in rule.crosses_in or not _may_send(rule, name, trunk, asked):
            continue
        if (name == "Identity" and value not in true) or (name == "Date" and not true):
            continue
        if name == "Retry-After" and code in {500, 503}:
            continue
        shaped = rule.sanitise(value, recipient)
        if shaped and fits_a_line(shaped) and _NAME.fullmatch(name):
            sent.append(f"{name}: {shaped}")
    return tuple(sent)


def _may_send(rule: Rule, name: str, trunk: Trunk, asked: frozenset[str]) -> bool:
    if rule is _PRIVATE:
        return "*" in trunk.x_headers or name.lower() in trunk.x_headers
    return trunk.trusted or (rule.sent_to is _ANY and not rule.hidden_with & asked)


def displayed_caller(
    caller: Party, headers: Sequence[tuple[str, str]], trunk: Trunk, host: str
) -> tuple[Party, str]:
    """Whom From names, and its host: nobody, where the caller is anonymous or asks to be (RFC 3323
    section 4.1.1.3)."""
    asked = sanitise.privacies([value for name, value in headers if name == "Privacy"])
    if caller.user.lower() == "anonymous" or ("user" in asked and not trunk.trusted):
        return Party("anonymous", "Anonymous"), "anonymous.invalid"
    return caller, host
