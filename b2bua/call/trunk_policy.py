"""Defines how the calls of one trunk are treated: their media, mask and keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from b2bua.call.charge_defaults import ChargeDefaults
from media.events import Masking
from media.stream_description import Interface


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """How a trunk's customers' keys come. `by_info`: as SIP INFO. `slow`: equal keys that come
    within 400 ms are one."""

    by_info: bool = False
    slow: bool = False


class PreMask(StrEnum):
    """When a call is masked before a payment begins."""

    ANSWER = "answer"  # once it is answered
    AGENT = "agent"  # when its agent announces a payment
    NEVER = "never"


USUAL_KEYS: Final = KeyPolicy()


@dataclass(frozen=True, slots=True)
class TrunkPolicy:
    """The settings of one trunk that its calls follow.

    `latch`: it is behind NAT, so media sends to where its packets come from. `encrypted`: it has
    SRTP (RFC 3711) and no RTP in clear. `kinds`: the kinds of m-lines that it may have; None for
    all. `masking`: how its customers are masked. `keys`: how its customers' keys come.
    `wants_events`: it gets keys that came as SIP INFO as telephone-event (RFC 4733).
    `feature_codes`: its agents' telephones key feature codes, which are kept from the customer.
    `pre_mask`: when its customers are masked before a payment, for `pre_mask_time` seconds without
    one at most.
    `interface`: where its RTP is received. `charging`: what it says of the charges of its calls.
    `references`: its headers that name the order of a call, and `shown_headers`: those that agents
    see, in lower case.
    """

    latch: bool = False
    encrypted: bool = False
    kinds: frozenset[str] | None = None
    masking: Masking = field(default_factory=Masking)
    keys: KeyPolicy = USUAL_KEYS
    wants_events: bool = False
    feature_codes: bool = False
    interface: Interface = field(default_factory=Interface)
    pre_mask: PreMask = PreMask.AGENT
    pre_mask_time: float = 300.0
    charging: ChargeDefaults = field(default_factory=ChargeDefaults)
    references: tuple[str, ...] = ()
    shown_headers: tuple[str, ...] = ()

    def allowed_kinds(self, other: TrunkPolicy) -> frozenset[str] | None:
        """The kinds of m-lines that a call of this trunk and another may have; None for all."""
        if self.kinds is None or other.kinds is None:
            return self.kinds if other.kinds is None else other.kinds
        return self.kinds & other.kinds
