"""Models of `[carrier]` and `[pbx]`: the peers.

Rule 1: each may stand several times, as `[carrier NAME]`; NAME is then the trunk's own, else it is
        the section's.
"""

from __future__ import annotations

import ipaddress
import re
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from b2bua.call.reference import MAX_SHOWN_HEADERS, USER_TO_USER
from b2bua.call.routing.numbers import Form
from b2bua.call.trunk_policy import PreMask
from b2bua.config.charge_settings import ChargeSection
from b2bua.config.values import check_host, check_readable, split_list
from b2bua.sip.message.header_policy import has_own_rule
from media.mask_policy import MaskPolicy
from tonewall.address import own_address

_USER_PARAMETER = re.compile(r"\*|[A-Za-z0-9-]{1,32}")
_PRIVATE_HEADER = re.compile(r"\*|[XP]-[A-Za-z0-9.!%*_+`'~-]{1,62}", re.IGNORECASE)


class TrunkSettings(ChargeSection):
    """`[carrier]` and `[pbx]`: a peer."""

    host: str = Field(description="the peer's host name or numeric address; dynamic: it registers here")
    port: int = Field(
        0, ge=0, le=65535, description="the peer's port for SIP; 0: as DNS says (SRV), or the transport's own"
    )
    transport: Literal["", "udp", "tcp", "tls"] = Field(
        "", description="udp, tcp or tls; empty for what DNS prefers (NAPTR, SRV) of what we listen on"
    )
    match: str = Field(
        "",
        description="networks that its requests may come from besides its host's addresses, separated by "
        "commas",
    )
    redirect: Literal["relay", "follow"] = Field(
        "relay",
        description="relay or follow: what becomes of a 3xx; followed only through this peer's own addresses",
    )
    bind: str = Field(
        "",
        description="the address of [general] listen that its calls come in on and leave by: a host or "
        "host:port",
    )
    tcp_switch: bool = Field(
        True, description="yes or no: requests too large for UDP go by TCP (RFC 3261 section 18.1.1)"
    )
    keepalive: float = Field(
        0.0, ge=0, le=3600, description="seconds between keep-alives on its connections; 0: none"
    )
    tls_ca: str = Field(
        "", description="certificate authorities for it instead of the public ones, as a PEM file"
    )
    tls_certificate: str = Field(
        "", description="our certificate towards it, where it is not that of [general]"
    )
    tls_key: str = Field("", description="its private key, where it is not in the same file")
    tls_name: str = Field(
        "", description="the name in its certificate, where it is neither its domain nor its host"
    )
    tls_verify_client: bool = Field(
        False, description="yes or no: it must show a certificate also when it connects to us"
    )
    session_expires: int = Field(
        1800,
        ge=0,
        le=86400,
        description="seconds after which a call that nobody refreshes is over (RFC 4028); 0: none",
    )
    session_minimum: int = Field(
        90, ge=90, le=86400, description="the least session_expires that we agree to, seconds"
    )
    probe: float = Field(
        0.0,
        ge=0,
        le=3600,
        description="seconds between OPTIONS to each of its addresses, which take it out; 0: none",
    )
    username: str = Field("", description="user name for digest authentication with this trunk")
    password: SecretStr = Field(
        SecretStr(""), description="password for digest authentication with this trunk"
    )
    domain: str = Field(
        "", description="the host part of our From and To towards this peer, where it is not `host`"
    )
    contact_host: str = Field(
        "", description="our own name in Contact towards this peer, where it wants one (Microsoft Teams)"
    )
    realm: str = Field(
        "",
        description="the realm whose challenges are answered; empty: that of the first to a REGISTER or a "
        "new call",
    )
    registration: bool = Field(False, description="yes or no: register at the peer, so that it calls us")
    user: str = Field(
        "", description="who we are there: the user that is registered, where it is not `username`"
    )
    expires: int = Field(3600, ge=60, le=86400, description="seconds that a registration is asked for")
    challenge: bool = Field(
        False,
        description="yes or no: its calls prove that it knows username and password; always, where it "
        "registers",
    )
    trust: bool = Field(
        False, description="yes or no: believe it who calls, and tell it what callers want to keep private"
    )
    x_headers: str = Field(
        "", description="X- and P- headers to send to it, separated by commas, or * for all"
    )
    reference_headers: str = Field(
        "",
        description="its headers that name the order of a call: User-to-User, X- and P- headers, the "
        "preferred first, separated by commas",
    )
    shown_headers: str = Field(
        "",
        description="its headers whose values agents and programs see with a call: User-to-User, X- and P- "
        f"headers, separated by commas; {MAX_SHOWN_HEADERS} at most",
    )
    user_parameters: str = Field(
        "",
        description="parameters of numbers to send to it (npdi, rn, cpc, isub), separated by commas, or * "
        "for all",
    )
    user_phone: bool = Field(False, description="yes or no: mark numbers with user=phone in URIs sent to it")
    identity: bool = Field(
        False, description="yes or no: send it signed callers (Identity) that are still true"
    )
    media_address: str = Field(
        "",
        description="the numeric address that RTP of its calls is received on, where it is not that of "
        "[media]",
    )
    media_advertised: str = Field(
        "", description="the numeric address that it sends RTP to, where it is another (NAT)"
    )
    nat: bool = Field(
        False,
        description="yes or no: the peer is behind NAT: SIP and RTP go where they came from, whatever "
        "Contact and SDP say",
    )
    srtp: bool = Field(
        False, description="yes or no: encrypt all RTP (SRTP, keys in SDP); no takes what the peer offers"
    )
    media: str = Field(
        "*",
        description="kinds of m-lines that calls may have, such as audio, video; the others are refused; * "
        "for all",
    )
    refer: bool = Field(False, description="yes or no: the peer may transfer calls (REFER)")

    prack: Literal["never", "required", "supported"] = Field(
        "required",
        description="never, required or supported: when it gets provisional answers that ask for its PRACK",
    )
    numbers: Form = Field(
        Form.AS_IS,
        description="as-is, e164, plain, national or international: how it writes telephone numbers",
    )
    country: str = Field(
        "", pattern="^[1-9][0-9]{0,2}$|^$", description="its country calling code, 1 to 3 digits"
    )
    national_prefix: str = Field("0", pattern="^[0-9]*$", description="digits before a national number")
    international_prefix: str = Field(
        "00", pattern="^[0-9]*$", description="digits before an international number"
    )
    max_calls: int = Field(0, ge=0, description="calls at once on this trunk; more get 503; 0: no limit")
    max_rate: float = Field(
        0.0, ge=0, description="new calls a second on this trunk; more get 503; 0: no limit"
    )

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        return check_host(value)

    @field_validator("domain", "contact_host")
    @classmethod
    def _is_host_or_empty(cls, value: str) -> str:
        return check_host(value) if value else value

    @field_validator("media_address", "media_advertised")
    @classmethod
    def _is_an_interface(cls, value: str) -> str:
        return own_address(value)

    @field_validator("tls_ca", "tls_certificate", "tls_key")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return check_readable(value)

    @field_validator("media")
    @classmethod
    def _are_kinds(cls, value: str) -> str:
        if not split_list(value) or not all(each == "*" or each.isalpha() for each in split_list(value)):
            raise ValueError("expected kinds of media such as audio, video, or *")
        return value

    @field_validator("match")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for network in split_list(value):
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ValueError("expected networks such as 192.0.2.0/24, separated by commas") from None
        return value

    @field_validator("user_parameters")
    @classmethod
    def _are_parameters(cls, value: str) -> str:
        if not all(_USER_PARAMETER.fullmatch(name) for name in split_list(value)):
            raise ValueError(
                "expected names of parameters such as npdi, rn, separated by commas, or * for all"
            )
        return value

    @field_validator("x_headers")
    @classmethod
    def _are_private_headers(cls, value: str) -> str:
        if not all(_PRIVATE_HEADER.fullmatch(name) for name in split_list(value)):
            raise ValueError(
                "expected names of headers that begin with X- or P-, separated by commas, or * for all"
            )
        if any(has_own_rule(name) for name in split_list(value)):
            raise ValueError(
                "expected none that has a rule of its own in docs/headers.md: that rule holds, so leave it "
                "out"
            )
        return value

    @field_validator("shown_headers")
    @classmethod
    def _are_few(cls, value: str) -> str:
        if len(split_list(value)) > MAX_SHOWN_HEADERS:
            raise ValueError(f"expected {MAX_SHOWN_HEADERS} headers at most")
        return value

    @field_validator("reference_headers", "shown_headers")
    @classmethod
    def _are_private(cls, value: str) -> str:
        for name in split_list(value):
            private = _PRIVATE_HEADER.fullmatch(name) and name != "*" and not has_own_rule(name)
            if not private and name.lower() != USER_TO_USER:
                raise ValueError(
                    "expected User-to-User, or headers that begin with X- or P- and have no rule of their "
                    "own in docs/headers.md, separated by commas"
                )
        return value

    @model_validator(mode="after")
    def _is_a_plan(self) -> TrunkSettings:
        if self.numbers is Form.NATIONAL and not self.country:
            raise ValueError("country: expected the country calling code, since numbers are national")
        return self


class CarrierSettings(TrunkSettings):
    """`[carrier]`: a trunk on the customers' side."""

    section: ClassVar[str] = "carrier"

    mask: MaskPolicy = Field(
        MaskPolicy.MASK,
        description="mask, mute-on-key or mute: what agents hear of its callers while a card is keyed",
    )
    key_pause: float = Field(
        2.0, ge=0.2, le=30, description="seconds after a key until a caller is heard again under mute-on-key"
    )
    capture_tones: bool = Field(
        False,
        description="yes or no: keys that its callers' phones send as tones are captured too, each once",
    )
    placeholder_tone: bool = Field(
        False,
        description="yes or no: agents hear a flat tone, the same for all keys, where a key was pressed",
    )
    info_digits: bool = Field(
        False,
        description="yes: its callers' keys come as SIP INFO, and not as telephone-event; a card is "
        "captured from there",
    )

    slow_keys: bool = Field(
        False,
        description="yes or no: two equal keys of its callers that come within 400 ms count as one",
    )
    pre_mask: PreMask = Field(
        PreMask.AGENT,
        description="answer, agent or never: when its callers are masked before a payment begins",
    )
    pre_mask_time: float = Field(
        300.0, ge=10, le=3600, description="seconds of such a mask without a payment, at most"
    )


class PbxSettings(TrunkSettings):
    """`[pbx]`: a trunk on the agents' side."""

    section: ClassVar[str] = "pbx"

    refer: bool = Field(True, description="yes or no: the peer may transfer calls (REFER)")
    dtmf: Literal["as-is", "rfc4733"] = Field(
        "as-is",
        description="as-is or rfc4733: what callers' keys that come as SIP INFO become, outside of a payment",
    )
    feature_codes: bool = Field(
        False,
        description="yes or no: its agents' telephones key feature codes, which callers do not get; see "
        "[feature_codes]",
    )
