"""The `[media]` section: where RTP is received, and how long a customer may take to key."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator, model_validator

from tonewall.address import own_address
from tonewall.ini import Section


class MediaSettings(Section):
    """What the media process is told. Times in seconds."""

    section: ClassVar[str] = "media"

    address: str = Field("127.0.0.1", description="the numeric address that RTP is received on")
    advertised: str = Field("", description="the numeric address that peers send RTP to, where it is another (NAT)")
    threads: int = Field(1, ge=1, le=64, description="threads that relay RTP; more than one for more than one core")
    realtime: bool = Field(False, description="yes or no: they run before all that is not real-time (SCHED_FIFO)")
    gather: float = Field(
        0.00025,
        ge=0,
        le=0.005,
        description="seconds that RTP waits for more where much comes, which halves the work; 0: none",
    )
    dscp: int = Field(46, ge=0, le=63, description="the DiffServ code point of RTP that we send (RFC 2474); 46: EF")
    ports: str = Field("20000-29999", description="the range of UDP ports for RTP and RTCP, as low-high")
    key_timeout: float = Field(60.0, gt=0, description="seconds without a key press that end a capture")
    capture_timeout: float = Field(300.0, gt=0, description="seconds that a capture may take in all")
    ready_timeout: float = Field(120.0, gt=0, description="seconds that complete card data waits for the agent")
    quiet_time: float = Field(
        30.0, gt=0, description="seconds without RTP after which a session that lost its b2bua ends"
    )

    @field_validator("address", "advertised")
    @classmethod
    def _numeric(cls, value: str) -> str:
        return own_address(value)

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
