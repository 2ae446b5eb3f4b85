"""The settings of sip.conf that fit what was seen, each with its reason.

Rule 1: pure; what was not seen gives no setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from b2bua.preflight.audio_facts import AudioFacts
from b2bua.preflight.key_facts import KeyFacts
from b2bua.preflight.signalling_facts import SignallingFacts

_FEW: Final = 0.25  # of the keys, which a doubled key may be by chance of the line
_SHORT_SESSION: Final = 90


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A line of sip.conf. `is_new`: the file has another value."""

    name: str
    value: str
    why: str
    is_new: bool


def advise(
    keys: Sequence[KeyFacts],
    audio: Sequence[AudioFacts],
    signalling: Sequence[SignallingFacts],
    strangers: Iterable[str],
    current: Mapping[str, str],
    *,
    is_carrier: bool,
) -> list[Setting]:
    """The settings of a trunk. `strangers`: numeric hosts outside of the trunk's that sent an
    INVITE; `current`: the values of the file."""
    found: list[tuple[str, str, str]] = []
    if is_carrier:
        found += _of_keys([each for each in keys if each.arrived])
    found += _of_signalling(signalling)
    if any(each.is_elsewhere for each in audio) or any(each.is_contact_private for each in signalling):
        why = "its packets come from another address than its SDP or Contact names"
        found.append(("nat", "yes", why))
    outside = sorted(set(strangers))
    if outside:
        networks = [*filter(None, [current.get("match", "")]), *outside]
        why = "INVITEs came from there: set it only if the carrier names that address as its own"
        found.append(("match", ", ".join(networks), why))
    return [
        Setting(name=name, value=value, why=why, is_new=current.get(name, "") != value)
        for name, value, why in found
    ]


def _of_keys(keys: list[KeyFacts]) -> list[tuple[str, str, str]]:
    if not keys:
        return []
    events, tones, infos = (
        any(getattr(each, name) for each in keys) for name in ("as_events", "as_tones", "as_infos")
    )
    tones_alone = any(each.tones_alone for each in keys)
    if infos and not events and not tones:
        rows = [("info_digits", "yes", "keys come as SIP INFO alone")]
    elif tones_alone:
        why = "keys come as tones without an event" + (", others as events" if events else "")
        rows = [("capture_tones", "yes", why)]
    elif tones:
        rows = [("capture_tones", "no", "each tone has its event: one of both is enough")]
    else:
        rows = [("capture_tones", "no", "keys come as events alone")]
    if not infos and events:
        rows.append(("info_digits", "no", "no key came as SIP INFO"))
    arrived, doubled = sum(each.arrived for each in keys), sum(each.doubled for each in keys)
    if doubled and doubled >= _FEW * arrived:
        rows.append(("slow_keys", "yes", f"{doubled} of {arrived} keys came twice"))
    return rows


def _of_signalling(signalling: Sequence[SignallingFacts]) -> list[tuple[str, str, str]]:
    rows = []
    described = [each for each in signalling if each.protocol]
    if described:
        encrypted = [each for each in described if "SAVP" in each.protocol]
        if len(encrypted) == len(described):
            rows.append(("srtp", "yes", "its media is SRTP"))
        elif not encrypted:
            rows.append(("srtp", "no", "its media is in clear"))
    reliable = {each.reliable for each in signalling}
    if "required" in reliable:
        rows.append(("prack", "required", "it requires PRACK (100rel)"))
    elif "supported" in reliable and all(each.transport == "udp" for each in signalling):
        rows.append(("prack", "supported", "it knows PRACK: no 183 is lost on UDP"))
    minimum = max((each.minimum for each in signalling), default=0)
    expires = max((each.session_expires for each in signalling), default=0)
    if minimum > _SHORT_SESSION or expires:
        rows.append(("session_expires", str(max(minimum, expires)), _why_timer(minimum, expires)))
    if any(each.is_redirected for each in signalling):
        rows.append(("redirect", "follow", "it answers with 3xx"))
    forms = {each.numbers for each in signalling} - {""}
    if forms == {"e164"}:
        rows.append(("numbers", "e164", "its callers are written with +"))
    transports = {each.transport for each in signalling} - {""}
    if len(transports) == 1:
        rows.append(("transport", transports.pop(), "its messages come so"))
    return rows


def _why_timer(minimum: int, expires: int) -> str:
    parts = [f"it asks for {expires} s"] if expires else []
    parts += [f"it allows {minimum} s at least"] if minimum else []
    return " and ".join(parts)
