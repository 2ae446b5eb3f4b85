"""Model of `[general]`: the process as a whole."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from b2bua.call.sdp.codecs import OtherAudio
from b2bua.config.listen import parse_binds
from b2bua.config.values import check_numeric, check_readable
from b2bua.sip.hop import Bind
from media.settings import MaskTimes
from tonewall.minisign import PublicKey


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
    log_format: Literal["json", "text"] = Field(
        "json", description="json or text: lines for programs, or for people at a terminal"
    )
    directory: Path = Field(
        Path("/run/tonewall"),
        description="a directory for sockets and bindings, private to Tonewall; it is made where it is "
        "missing",
    )
    drain_time: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="seconds that calls may go on after the first SIGTERM, while no new ones are accepted; "
        "0: they end at once",
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

    spare: bool = Field(
        True,
        description="whether a second b2bua and media wait, loaded, to go on where the first ends; about "
        "115 MB",
    )
    manifest_key: str = Field(
        "",
        description="the public key of whoever signed the release (minisign, RW...): files are compared with "
        "what it signed",
    )

    @field_validator("manifest_key")
    @classmethod
    def _is_public_key(cls, value: str) -> str:
        if value:
            PublicKey.parse(value)
        return value

    @field_validator("tls_certificate", "tls_key")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return check_readable(value)

    @field_validator("listen")
    @classmethod
    def _addresses(cls, value: str) -> str:
        parse_binds(value, "127.0.0.1", 5060, "")
        return value

    @field_validator("bind", "advertised")
    @classmethod
    def _numeric(cls, value: str) -> str:
        return check_numeric(value) if value else value

    @model_validator(mode="after")
    def _reachable(self) -> GeneralSettings:
        if any(bind.transport.secure for bind in self.binds) and not self.tls_certificate:
            raise ValueError("tls_certificate: expected a PEM file, since listen has a tls address")
        if not self.listen and ipaddress.ip_address(self.bind).is_unspecified and not self.advertised:
            raise ValueError(
                "advertised: expected the address that peers reach us at, since bind is the wildcard"
            )
        return self

    @property
    def signer(self) -> PublicKey | None:
        """Whoever signed the release, where that is given."""
        return PublicKey.parse(self.manifest_key) if self.manifest_key else None

    @property
    def binds(self) -> list[Bind]:
        """Where SIP is received."""
        return parse_binds(self.listen, self.bind, self.port, self.advertised)
