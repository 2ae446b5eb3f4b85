"""The settings of the b2bua process, and of `tonewall run` as a whole: one model a section of
sip.conf.

Rule 1: the b2bua process is handed its own sections only; `[provider]` and its credentials go to
        payers alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from b2bua.call.sdp.codecs import OtherAudio
from b2bua.config.listen import binds
from b2bua.config.trunk_settings import (
    CarrierSettings,
    PbxSettings,
    RouteSettings,
    TrunkSettings,
    faults_between,
    readable,
)
from b2bua.sip.hop import Bind, Transport
from media.mask_policy import MaskPolicy
from media.settings import MaskTimes, MediaSettings
from provider_adapters.settings import ProviderSettings
from tonewall.ini import (
    NAMED,
    ConfigError,
    Section,
    Sections,
    check_names,
    headers,
    load,
    read_file,
    to_environment,
)


class GeneralSettings(MaskTimes):
    """`[general]`: the process as a whole."""

    bind: str = Field("127.0.0.1", description="the numeric address that SIP is received on")
    port: int = Field(5060, ge=0, le=65535, description="the port for SIP, UDP and TCP")
    engine: Literal["own", "pjsua2"] = Field(
        "own", description="own or pjsua2: what speaks SIP; PJSIP needs tonewall[pjsua2], see docs/pjsua2.md"
    )
    advertised: str = Field(
        "", description="the numeric address in our Via and Contact, where it is not `bind` (NAT)"
    )
    listen: str = Field(
        "",
        description="addresses instead of bind and port: udp:192.0.2.10:5060, tls:[2001:db8::1]:5061",
    )
    tls_certificate: str = Field("", description="our certificate chain for TLS, as a PEM file")
    tls_key: str = Field("", description="its private key, as a PEM file, where it is not in the same")
    realm: str = Field(
        "tonewall",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="the realm that trunks which prove who they are log in to",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error"
    )
    directory: Path = Field(
        Path("/run/tonewall"),
        description="a directory for sockets and bindings, private to Tonewall; it is made where it is "
        "missing",
    )
    ring_time: float = Field(180.0, gt=0, description="seconds that a call may ring")
    other_audio: OtherAudio = Field(
        OtherAudio.DECODE,
        description="decode, refuse or mute: what becomes of audio codecs that the core does not know",
    )
    max_media: int = Field(
        8, ge=1, le=16, description="m-lines that a call may have at once; further ones are refused in place"
    )
    ladders: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="ended calls whose message flow is remembered (tonewall ladder); 0: none",
    )

    @field_validator("tls_certificate", "tls_key")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return readable(value)

    @field_validator("listen")
    @classmethod
    def _addresses(cls, value: str) -> str:
        binds(value, "127.0.0.1", 5060, "")
        return value

    @field_validator("bind", "advertised")
    @classmethod
    def _numeric(cls, value: str) -> str:
        if value:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError("expected a numeric IP address") from None
        return value

    @model_validator(mode="after")
    def _reachable(self) -> GeneralSettings:
        if any(bind.transport is Transport.TLS for bind in self.binds) and not self.tls_certificate:
            raise ValueError("tls_certificate: expected a PEM file, since listen has a tls address")
        if not self.listen and ipaddress.ip_address(self.bind).is_unspecified and not self.advertised:
            raise ValueError(
                "advertised: expected the address that peers reach us at, since bind is the wildcard"
            )
        return self

    @property
    def binds(self) -> list[Bind]:
        """Where SIP is received."""
        return binds(self.listen, self.bind, self.port, self.advertised)


class CdrSettings(Section):
    """`[cdr]`: call detail records."""

    section: ClassVar[str] = "cdr"

    url: SecretStr = Field(
        SecretStr("sqlite:///cdr.sqlite"),
        description="the database: sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
    )
    spool: Path = Field(Path("cdr.spool"), description="the file in which records wait for the database")
    payments: Path | None = Field(
        None,
        description="the file of payments, SQLite on a local disk; empty: payments.sqlite beside the spool",
    )
    retention: float = Field(365.0, ge=0, description="days that a record is kept; 0 for ever")

    @property
    def payments_file(self) -> Path:
        """Where payments are kept."""
        return self.payments or self.spool.with_name("payments.sqlite")


class ApiSettings(Section):
    """`[api]`: the agents' HTTP API and page."""

    section: ClassVar[str] = "api"

    address: str = Field(
        "127.0.0.1", description="the numeric address of the agents' API; put TLS in front of it"
    )
    port: int = Field(8080, ge=0, le=65535, description="the TCP port of the agents' API")
    tokens: SecretStr = Field(
        description="`name:token` of each agent, separated by commas; a token has 16 characters or more"
    )
    idle_time: float = Field(
        900.0,
        gt=0,
        le=900,
        description="seconds without an action of the agent's after which the page signs out",
    )
    connections: int = Field(1024, ge=8, le=65536, description="connections at once; more get 503")
    healthz: bool = Field(True, description="yes or no: /healthz answers without a token")
    openapi: bool = Field(True, description="yes or no: /openapi.json answers without a token")

    @property
    def guarded(self) -> frozenset[str]:
        """Paths that need a token although they hold nothing of calls."""
        given = (("/healthz", self.healthz), ("/openapi.json", self.openapi))
        return frozenset(path for path, is_open in given if not is_open)


@dataclass(frozen=True, slots=True)
class SignallingSettings:
    """All that the b2bua process may know. Trunks and routes by their headers, in their order."""

    general: GeneralSettings
    trunks: Mapping[str, TrunkSettings]
    routes: Mapping[str, RouteSettings]
    api: ApiSettings
    cdr: CdrSettings

    def environment(self) -> dict[str, str]:
        """All of it as environment variables, for the b2bua process. Secrets are in clear."""
        single: list[Section] = [self.general, self.api, self.cdr]
        several: dict[str, Section] = {**self.trunks, **self.routes}
        variables = {NAMED: ",".join(several)}
        for section in single:
            variables |= to_environment(section)
        for header, section in several.items():
            variables |= to_environment(section, header)
        return variables


@dataclass(frozen=True, slots=True)
class Settings:
    """All of sip.conf."""

    signalling: SignallingSettings
    media: MediaSettings
    provider: ProviderSettings


SECTIONS: Mapping[str, type[Section]] = {
    model.section: model
    for model in (
        GeneralSettings,
        CarrierSettings,
        PbxSettings,
        RouteSettings,
        MediaSettings,
        ApiSettings,
        CdrSettings,
        ProviderSettings,
    )
}
SEVERAL = frozenset({CarrierSettings.section, PbxSettings.section, RouteSettings.section})


def read(path: Path | None) -> Settings:
    """Everything, from the file and the environment. Raises ConfigError that names every fault, not
    only the first."""
    sections = read_file(path) if path else {}
    check_names(sections, SECTIONS, SEVERAL)
    faults: list[str] = []
    for model in SECTIONS.values():
        for header in _headers(model, sections):
            try:
                load(model, sections, header=header)
            except ConfigError as error:
                faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    settings = Settings(signalling(sections), load(MediaSettings, sections), load(ProviderSettings, sections))
    faults = [*settings.media.faults(), *_beyond_rtpengine(settings)]
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def _beyond_rtpengine(settings: Settings) -> list[str]:
    """What trunks want that this engine cannot do."""
    if settings.media.engine != "rtpengine":
        return []
    trunks = settings.signalling.trunks.items()
    muted = [
        f"[{header}] mask: expected mute, since [media] engine = rtpengine: its other ways leak, see "
        "docs/rtpengine.md"
        for header, trunk in trunks
        if isinstance(trunk, CarrierSettings) and trunk.mask is not MaskPolicy.MUTE
    ]
    wanting = [
        f"[{header}] {key}: expected {expected}, since [media] engine = rtpengine"
        for header, trunk in trunks
        for key, expected, given in (
            ("srtp", "no", trunk.srtp),
            ("media_address", "none", trunk.media_address),
            ("dtmf", "as-is", isinstance(trunk, PbxSettings) and trunk.dtmf != "as-is"),
        )
        if given
    ]
    wanting += [
        f"[{header}] {key}: expected no, since [media] engine = rtpengine"
        for header, trunk in trunks
        for key in ("capture_tones", "placeholder_tone")
        if getattr(trunk, key, False)
    ]
    if settings.signalling.general.other_audio is not OtherAudio.REFUSE:
        wanting.append("[general] other_audio: expected refuse, since [media] engine = rtpengine")
    return [*muted, *wanting]


def _beyond_pjsua2(own: SignallingSettings) -> list[str]:
    """What is wanted that this engine cannot do."""
    general = own.general
    if general.engine != "pjsua2":
        return []
    faults = []
    if general.listen and [bind.transport for bind in general.binds] != [Transport.UDP]:
        faults.append("[general] listen: expected one udp address, since engine = pjsua2: see docs/pjsua2.md")
    for header, trunk in own.trunks.items():
        for key, expected, given in (
            ("host", "a name or address", trunk.host == "dynamic"),
            ("transport", "udp", trunk.transport in {"tcp", "tls"}),
            ("registration", "no", trunk.registration),
            ("challenge", "no", trunk.challenge),
            ("username", "none", trunk.username),
            ("probe", "0", trunk.probe),
            ("redirect", "relay", trunk.redirect != "relay"),
        ):
            if given:
                faults.append(f"[{header}] {key}: expected {expected}, since [general] engine = pjsua2")
    return faults


def _headers(model: type[Section], sections: Sections) -> list[str]:
    """The headers of a model's sections. Where a trunk is missing, that of one without a name: its
    fault says so."""
    if model.section not in SEVERAL:
        return [model.section]
    return headers(model.section, sections) or ([] if model is RouteSettings else [model.section])


def signalling(sections: Sections) -> SignallingSettings:
    """The b2bua process's own part. Raises ConfigError."""
    own = SignallingSettings(
        general=load(GeneralSettings, sections),
        trunks={
            header: load(model, sections, header=header)
            for model in (CarrierSettings, PbxSettings)
            for header in _headers(model, sections)
        },
        routes={
            header: load(RouteSettings, sections, header=header)
            for header in _headers(RouteSettings, sections)
        },
        api=load(ApiSettings, sections),
        cdr=load(CdrSettings, sections),
    )
    faults = [*_unheard(own), *_beyond_pjsua2(own), *faults_between(own.trunks, own.routes)]
    if faults:
        raise ConfigError("\n".join(faults))
    return own


def _unheard(own: SignallingSettings) -> list[str]:
    heard = {bind.transport for bind in own.general.binds}
    return [
        f"[{header}] transport: nothing listens by {trunk.transport}; add {trunk.transport}:ADDRESS to "
        "[general] listen"
        for header, trunk in own.trunks.items()
        if trunk.transport and trunk.transport not in heard
    ]
