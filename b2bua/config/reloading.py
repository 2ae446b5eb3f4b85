"""Compares the settings in force with those of a file that changed: what is reloaded, and what
waits for a restart.

Rule 1: every key of every section is in RELOADED or in RESTARTED.
Rule 2: a setting that needs a restart stays as it was, and is named.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from b2bua.config.consistency import find_faults, find_signalling_faults
from b2bua.config.settings import SECTIONS, Settings, SignallingSettings
from b2bua.config.trunk_settings import CarrierSettings, PbxSettings, TrunkSettings
from tonewall.ini import ConfigError, Section

S = TypeVar("S", bound=Section)

# Of a trunk that registers here, and with PJSIP: what no engine has to know.
_OF_CALLS: Final = frozenset(
    {
        "max_calls", "max_rate", "numbers", "country", "national_prefix", "international_prefix", "media",
        "srtp", "media_address", "media_advertised", "reference_headers", "shown_headers", "form",
        "merchant_account", "statement", "metadata", "mask", "key_pause", "capture_tones",
        "placeholder_tone", "slow_keys", "pre_mask", "pre_mask_time", "dtmf",
    }
)  # fmt: skip
# By section, where some of its keys wait for a restart.
_WAITING: Final[Mapping[str, frozenset[str]]] = {
    "general": frozenset(
        {
            "advertised", "bind", "directory", "engine", "guard_time", "ladders", "listen", "log_format",
            "log_level", "manifest_key", "max_media", "other_audio", "port", "realm", "release_time", "spare",
            "tls_certificate", "tls_key",
        }
    ),
    "carrier": frozenset({"info_digits"}),
    "pbx": frozenset({"feature_codes"}),
    "api": frozenset(
        {
            "address", "client_ca", "client_crl", "connections", "frame_ancestors", "healthz", "idle_time",
            "language", "messages", "openapi", "origins", "plain_http", "port", "refund_limit", "teams",
            "tls_certificate", "tls_key", "trusted_proxies",
        }
    ),
}  # fmt: skip
RELOADED: Final[Mapping[str, frozenset[str]]] = {
    "general": frozenset({"ring_time", "drain_time"}),
    "carrier": frozenset(CarrierSettings.model_fields) - _WAITING["carrier"],
    "pbx": frozenset(PbxSettings.model_fields) - _WAITING["pbx"],
    "route": frozenset(SECTIONS["route"].model_fields),
    "agent_group": frozenset(SECTIONS["agent_group"].model_fields),
    "api": frozenset({"tokens", "roles", "extensions"}),
}  # fmt: skip
_WHOLLY_WAITING: Final = (
    "access", "audit", "cdr", "client", "feature_codes", "field", "form", "links", "media", "notify", "oauth",
    "oidc", "prompts", "provider", "shared", "webhook", "webhooks",
)  # fmt: skip
RESTARTED: Final[Mapping[str, frozenset[str]]] = {
    **_WAITING,
    **{name: frozenset(SECTIONS[name].model_fields) for name in _WHOLLY_WAITING},
}


@dataclass(frozen=True, slots=True)
class Reloading:
    """What becomes of a changed file. `settings`: those in force from now on; `reloaded`,
    `restart`: the names of what changed, as `[section] key`."""

    settings: Settings
    reloaded: tuple[str, ...]
    restart: tuple[str, ...]


def compare(old: Settings, new: Settings) -> Reloading:
    """What becomes of `new` while `old` is in force. Raises ConfigError where what is reloaded does
    not fit what stays as it was."""
    changes = _Changes()
    own, given = old.signalling, new.signalling
    signalling = replace(
        own,
        general=changes.section(own.general, given.general),
        api=changes.section(own.api, given.api),
        trunks=changes.trunks(own, given.trunks),
        routes=changes.whole(own.routes, given.routes),
        agent_groups=changes.whole(own.agent_groups, given.agent_groups),
    )
    signalling = replace(signalling, retired=_retired(own, signalling.trunks))
    for one, other in _kept(own, given):
        changes.section(one, other)
    for kept, others in (
        (own.forms, given.forms), (own.fields, given.fields), (own.clients, given.clients),
        (own.webhooks, given.webhooks), (old.providers, new.providers), (old.webhooks, new.webhooks),
        (old.prompts, new.prompts),
    ):  # fmt: skip
        changes.sections(kept, others)
    changes.section(old.media, new.media)
    settings = replace(old, signalling=signalling)
    if faults := [*find_signalling_faults(signalling), *find_faults(settings)]:
        waiting = ", ".join(changes.restart)
        raise ConfigError("\n".join(faults) + f"\nThis needs a restart first: {waiting}")
    return Reloading(settings, tuple(changes.reloaded), tuple(changes.restart))


def _retired(own: SignallingSettings, trunks: Mapping[str, TrunkSettings]) -> dict[str, TrunkSettings]:
    """The trunks that reloads have taken out since the start, and none has brought back."""
    return {header: each for header, each in {**own.retired, **own.trunks}.items() if header not in trunks}


def _kept(own: SignallingSettings, given: SignallingSettings) -> list[tuple[Section, Section]]:
    """The single sections of b2bua that no reload changes."""
    return [
        (own.cdr, given.cdr), (own.links, given.links), (own.feature_codes, given.feature_codes),
        (own.notify, given.notify), (own.audit, given.audit), (own.access, given.access),
        (own.oauth, given.oauth), (own.oidc, given.oidc), (own.shared, given.shared),
    ]  # fmt: skip


class _Changes:
    def __init__(self) -> None:
        self.reloaded: list[str] = []
        self.restart: list[str] = []

    def section(self, old: S, new: S, header: str = "", only: Container[str] | None = None) -> S:
        """The section with what a reload changes in it; of that `only` these keys."""
        section, changed = header or old.section, {}
        for key in type(new).model_fields:
            if getattr(old, key) == getattr(new, key):
                continue
            if key in RELOADED.get(old.section, frozenset()) and (only is None or key in only):
                changed[key] = getattr(new, key)
                self.reloaded.append(f"[{section}] {key}")
            else:
                self.restart.append(f"[{section}] {key}")
        return old.model_copy(update=changed)

    def sections(self, old: Mapping[str, S], new: Mapping[str, S]) -> dict[str, S]:
        """Sections of which none comes, goes, or changes its place."""
        self.restart += [f"[{header}]" for header in [*old, *new] if (header in old) != (header in new)]
        common = [header for header in new if header in old]
        if common != [header for header in old if header in new]:
            self.restart.append(f"the order of {', '.join(f'[{header}]' for header in common)}")
        return {
            header: self.section(each, new[header], header) if header in new else each
            for header, each in old.items()
        }

    def trunks(self, own: SignallingSettings, new: Mapping[str, TrunkSettings]) -> dict[str, TrunkSettings]:
        """Trunks that come, go and change, but for those whose engine, or whose registration here,
        is made at the start."""
        old, found = own.trunks, dict[str, TrunkSettings]()
        for header in new:
            given, known = new[header], old.get(header)
            is_fixed = own.general.engine != "own" or "dynamic" in {given.host, known and known.host}
            if known is not None:
                found[header] = self.section(known, given, header, _OF_CALLS if is_fixed else None)
            elif is_fixed:
                self.restart.append(f"[{header}]")
            else:
                found[header] = given
                self.reloaded.append(f"[{header}]")
        for header in [each for each in old if each not in new]:
            if own.general.engine != "own" or old[header].host == "dynamic":
                found[header] = old[header]
                self.restart.append(f"[{header}]")
            else:
                self.reloaded.append(f"[{header}]")
        return found

    def whole(self, old: Mapping[str, S], new: Mapping[str, S]) -> dict[str, S]:
        """Sections that come, go and change as the file says."""
        headers = [header for header in {**old, **new} if old.get(header) != new.get(header)]
        if not headers and list(old) != list(new):
            headers = list(new)
        self.reloaded += [f"[{header}]" for header in headers]
        return dict(new)
