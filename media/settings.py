"""The `[media]` section: where RTP is received, and how long a customer may take to key; and the
`[prompts]` sections: a company's own recordings."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from tonewall.address import own_address
from tonewall.ini import Section


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where an rtpengine server takes commands (`listen-ng`), and its share of the sessions."""

    host: str
    port: int
    weight: float = 1.0

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _server(text: str) -> ServerAddress:
    where, slash, share = text.strip().partition("/")
    host, _, port = where.rpartition(":")
    try:
        host = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
        address = ServerAddress(host, int(port), float(share) if slash else 1.0)
    except ValueError:
        address = None
    if address is None or not 0 < address.port < 65536 or not 0 < address.weight < 1000:
        raise ValueError("expected numeric addresses with ports, as 10.0.0.1:2223, 10.0.0.2:2223/0.5")
    return address


class MaskTimes(Section):
    """How long a mask stays on after its capture, in seconds: the part of `[general]` that media
    knows too."""

    section: ClassVar[str] = "general"

    guard_time: float = Field(
        default=1.0,
        ge=0.2,
        le=60,
        description="seconds without a key before a mask goes off after an approved payment or a release",
    )
    release_time: float = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="seconds without a key before a mask goes off after any other end, unless released",
    )


class MediaSettings(Section):
    """The settings of the media process. Times in seconds."""

    section: ClassVar[str] = "media"

    address: str = Field("127.0.0.1", description="the numeric address that RTP is received on")
    advertised: str = Field(
        "", description="the numeric address that peers send RTP to, where it is another (NAT)"
    )
    threads: int = Field(
        1, ge=1, le=64, description="threads that relay RTP; more than one for more than one core"
    )
    realtime: bool = Field(
        False, description="yes or no: they run before all that is not real-time (SCHED_FIFO)"
    )
    coalescing: float = Field(
        0.00025,
        ge=0,
        le=0.005,
        description="seconds that RTP waits for more where much comes, which halves the work; 0: none",
    )
    masked_coalescing: float = Field(
        0.002,
        ge=0,
        le=0.01,
        description="seconds that RTP of masked streams waits for more, which are held anyway; 0: as all "
        "other RTP",
    )
    dscp: int = Field(
        46, ge=0, le=63, description="the DiffServ code point of RTP that we send (RFC 2474); 46: EF"
    )
    ports: str = Field("20000-29999", description="the range of UDP ports for RTP and RTCP, as low-high")
    engine: Literal["own", "rtpengine"] = Field(
        "own",
        description="own or rtpengine: what relays and masks; see docs/rtpengine.md for what rtpengine "
        "cannot do",
    )
    rtpengine: str = Field(
        "",
        description="the rtpengine servers, as ADDRESS:PORT/WEIGHT of their listen-ng, separated by commas",
    )
    rtpengine_digits: str = Field(
        "", description="our ADDRESS:PORT to which the servers report keys: their dtmf-log-dest"
    )
    key_timeout: float = Field(60.0, gt=0, description="seconds without a key press that end a capture")
    capture_timeout: float = Field(300.0, gt=0, description="seconds that a capture may take in all")
    ready_timeout: float = Field(
        120.0, gt=0, description="seconds that complete card data waits for the agent"
    )
    field_pause: float = Field(
        1.0, gt=0, le=10, description="seconds without a key that part one field of a card from the next"
    )
    refusal_pause: float = Field(
        3.0,
        gt=0,
        le=30,
        description="seconds without a key after which a field that was refused is keyed anew",
    )
    number_pause: float = Field(
        6.0, gt=0, le=60, description="seconds without a key that end a card number which could be longer"
    )
    media_timeout: float = Field(
        90.0,
        ge=0,
        description="seconds without RTP or RTCP from either side that end a call, but on hold; 0: never",
    )
    quiet_time: float = Field(
        30.0,
        gt=0,
        description="seconds without RTP from a side after which a session that lost its b2bua ends",
    )

    @field_validator("address", "advertised")
    @classmethod
    def _numeric(cls, value: str) -> str:
        return own_address(value)

    @field_validator("rtpengine")
    @classmethod
    def _servers(cls, value: str) -> str:
        return ", ".join(text.strip() for text in value.split(",") if _server(text)) if value else value

    @field_validator("rtpengine_digits")
    @classmethod
    def _digits(cls, value: str) -> str:
        if value and "/" in value:
            raise ValueError("expected one address with a port, as 10.0.0.9:2230")
        return str(_server(value)) if value else value

    @model_validator(mode="after")
    def _range(self) -> MediaSettings:
        low, high = self.port_range()
        if low % 2 or high - low < 3 or high > 65535 or low < 1024:
            raise ValueError(
                "ports: expected low-high with an even low above 1023, at least two pairs, high up to 65535"
            )
        return self

    def port_range(self) -> tuple[int, int]:
        """First and last port. Raises ValueError."""
        low, dash, high = self.ports.partition("-")
        if not (dash and low.strip().isdigit() and high.strip().isdigit()):
            raise ValueError("ports: expected low-high, for example 20000-29999")
        return int(low), int(high)

    def faults(self) -> list[str]:
        """What is wrong between its keys, as ConfigError has it."""
        if self.engine == "rtpengine" and not (self.rtpengine and self.rtpengine_digits):
            key = "rtpengine_digits" if self.rtpengine else "rtpengine"
            return [f"[media] {key}: expected ADDRESS:PORT, since engine = rtpengine"]
        return []

    def servers(self) -> list[ServerAddress]:
        """The rtpengine servers."""
        return [_server(text) for text in self.rtpengine.split(",")] if self.rtpengine else []

    def digits_address(self) -> tuple[str, int]:
        """Where rtpengine servers report keys."""
        address = _server(self.rtpengine_digits)
        return address.host, address.port


SHIPPED_PROMPTS: Final = "placeholder"  # the set that Tonewall ships


class PromptSettings(Section):
    """`[prompts NAME]`: one set of recordings; `[prompts]` is the set `own`."""

    section: ClassVar[str] = "prompts"

    directory: Path = Field(
        Path("/etc/tonewall/prompts"),
        description="the directory of the recordings: a folder for each language, a file for each prompt",
    )
    placeholders: bool = Field(
        True, description="yes or no: prompts that are missing there are taken from those that Tonewall ships"
    )


def prompt_set(header: str) -> str:
    """The name of a set of prompts: `[prompts house]` is house, `[prompts]` is own."""
    return header.partition(" ")[2] or "own"
