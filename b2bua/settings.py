"""The settings of the b2bua process, and of `tonewall run` as a whole: one model a section of sip.conf.

Rule 1: the b2bua process is handed its own sections only; `[provider]` and its credentials go to payers alone.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from b2bua.listen import binds
from b2bua.sip.hop import Bind, Transport
from media.settings import MediaSettings
from provider_adapters.settings import ProviderSettings
from tonewall.ini import ConfigError, Section, Sections, check_names, load, read_file


def _readable(value: str) -> str:
    if value and not os.access(value, os.R_OK):
        raise ValueError("expected a file that can be read")
    return value


def _host(value: str) -> str:
    if not value or any(character.isspace() or character in "<>;,@\"'" for character in value):
        raise ValueError("expected a host name or a numeric IP address")
    return value


def networks(match: str) -> tuple[str, ...]:
    """The networks of a trunk's `match`."""
    return tuple(each.strip() for each in match.split(",") if each.strip())


class GeneralSettings(Section):
    """`[general]`: the process as a whole."""

    section: ClassVar[str] = "general"

    bind: str = Field("127.0.0.1", description="the numeric address that SIP is received on")
    port: int = Field(5060, ge=0, le=65535, description="the port for SIP, UDP and TCP")
    advertised: str = Field("", description="the numeric address in our Via and Contact, where it is not `bind` (NAT)")
    listen: str = Field(
        "",
        description="addresses instead of bind and port: udp:192.0.2.10:5060, tls:[2001:db8::1]:5061",
    )
    tls_certificate: str = Field("", description="our certificate chain for TLS, as a PEM file")
    tls_key: str = Field("", description="its private key, as a PEM file, where it is not in the same")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")
    directory: Path = Field(
        Path("/run/tonewall"),
        description="a directory for sockets, private to Tonewall; it is made where it is missing",
    )
    ring_time: float = Field(180.0, gt=0, description="seconds that a call may ring")
    guard_time: float = Field(1.0, ge=0.2, le=60, description="seconds that the mask stays on after a capture")

    @field_validator("tls_certificate", "tls_key")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return _readable(value)

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
            raise ValueError("advertised: expected the address that peers reach us at, since bind is the wildcard")
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
    retention: float = Field(365.0, ge=0, description="days that a record is kept; 0 for ever")


class TrunkSettings(Section):
    """`[carrier]` and `[pbx]`: a peer."""

    host: str = Field(description="the peer's host name or numeric address")
    port: int = Field(
        0, ge=0, le=65535, description="the peer's port for SIP; 0: as DNS says (SRV), or the transport's own"
    )
    transport: Literal["", "udp", "tcp", "tls"] = Field(
        "", description="udp, tcp or tls; empty for what DNS prefers (NAPTR, SRV) of what we listen on"
    )
    match: str = Field(
        "", description="networks that its requests may come from besides its host's addresses, separated by commas"
    )
    redirect: Literal["relay", "follow"] = Field(
        "relay", description="relay or follow: what becomes of a 3xx; followed only through this peer's own addresses"
    )
    bind: str = Field("", description="which address of [general] listen calls to it leave by: a host or host:port")
    tcp_switch: bool = Field(
        True, description="yes or no: requests too large for UDP go by TCP (RFC 3261 section 18.1.1)"
    )
    keepalive: float = Field(0.0, ge=0, le=3600, description="seconds between keep-alives on its connections; 0: none")
    tls_ca: str = Field("", description="certificate authorities for it instead of the public ones, as a PEM file")
    tls_certificate: str = Field("", description="our certificate towards it, where it is not that of [general]")
    tls_key: str = Field("", description="its private key, where it is not in the same file")
    tls_name: str = Field("", description="the name in its certificate, where it is neither its domain nor its host")
    tls_verify_client: bool = Field(
        False, description="yes or no: it must show a certificate also when it connects to us"
    )
    session_expires: int = Field(
        1800, ge=0, le=86400, description="seconds after which a call that nobody refreshes is over (RFC 4028); 0: none"
    )
    session_minimum: int = Field(90, ge=90, le=86400, description="the least session_expires that we agree to, seconds")
    probe: float = Field(
        0.0, ge=0, le=3600, description="seconds between OPTIONS to each of its addresses, which take it out; 0: none"
    )
    username: str = Field("", description="answers the peer's challenges, where it sends any")
    password: SecretStr = Field(SecretStr(""), description="answers the peer's challenges")
    domain: str = Field("", description="the host part of our From and To towards this peer, where it is not `host`")
    trust: bool = Field(
        False, description="yes or no: believe it who calls, and tell it what callers want to keep private"
    )
    x_headers: str = Field("", description="X- and P- headers to send to it, separated by commas, or * for all")
    identity: bool = Field(False, description="yes or no: send it signed callers (Identity) that are still true")
    nat: bool = Field(
        False, description="yes or no: the peer sits behind NAT, so take the source of its first RTP packet"
    )
    refer: bool = Field(False, description="yes or no: the peer may transfer calls (REFER)")

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        return _host(value)

    @field_validator("tls_ca", "tls_certificate", "tls_key")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return _readable(value)

    @field_validator("match")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for network in networks(value):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ValueError("expected networks such as 192.0.2.0/24, separated by commas") from None
        return value


class CarrierSettings(TrunkSettings):
    section: ClassVar[str] = "carrier"


class PbxSettings(TrunkSettings):
    section: ClassVar[str] = "pbx"

    refer: bool = Field(True, description="yes or no: the peer may transfer calls (REFER)")


class ApiSettings(Section):
    """`[api]`: the agents' HTTP API and page."""

    section: ClassVar[str] = "api"

    address: str = Field("127.0.0.1", description="the numeric address of the agents' API; put TLS in front of it")
    port: int = Field(8080, ge=0, le=65535, description="the TCP port of the agents' API")
    tokens: SecretStr = Field(
        description="`name:token` of each agent, separated by commas; a token has 16 characters or more"
    )


@dataclass(frozen=True, slots=True)
class SignallingSettings:
    """All that the b2bua process may know."""

    general: GeneralSettings
    carrier: CarrierSettings
    pbx: PbxSettings
    api: ApiSettings
    cdr: CdrSettings


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
        MediaSettings,
        ApiSettings,
        CdrSettings,
        ProviderSettings,
    )
}


def read(path: Path | None) -> Settings:
    """Everything, from the file and the environment. Raises ConfigError that names every fault, not only the first."""
    sections = read_file(path) if path else {}
    check_names(sections, SECTIONS)
    faults: list[str] = []
    for model in SECTIONS.values():
        try:
            load(model, sections)
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return Settings(signalling(sections), load(MediaSettings, sections), load(ProviderSettings, sections))


def signalling(sections: Sections) -> SignallingSettings:
    """The b2bua process's own part. Raises ConfigError."""
    general = load(GeneralSettings, sections)
    carrier, pbx = load(CarrierSettings, sections), load(PbxSettings, sections)
    heard = {bind.transport for bind in general.binds}
    faults = [
        f"[{trunk.section}] transport: nothing listens by {trunk.transport}; add {trunk.transport}:ADDRESS to [general] listen"
        for trunk in (carrier, pbx)
        if trunk.transport and trunk.transport not in heard
    ]
    if faults:
        raise ConfigError("\n".join(faults))
    return SignallingSettings(
        general=general,
        carrier=carrier,
        pbx=pbx,
        api=load(ApiSettings, sections),
        cdr=load(CdrSettings, sections),
    )
