"""A customer who is not heard while a card is to be keyed: why, in words for the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from media.events import Deaf, DeafReason

DETAILS: Final[Mapping[DeafReason, str]] = {
    DeafReason.NO_PACKET: "No packet of the customer's has come since then: their phone, or a NAT or "
    "firewall on the way, "
    "sends none.",
    DeafReason.OTHER_SOURCE: "What comes is from another address than their phone named, and is refused. "
    "Where their trunk is "
    "behind NAT, its `nat` is to be set.",
    DeafReason.NOT_AUTHENTIC: "What comes is encrypted with other keys, or out of step, and is refused "
    "(SRTP).",
    DeafReason.ON_HOLD: "The call is on hold: their phone was asked to send nothing.",
}


class LineFault(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was heard of the customer since the capture began. `code` for programs, `detail` a
    sentence for the agent; `packets` were refused, the newest from `address`."""

    code: DeafReason
    detail: str
    packets: int = 0
    address: str | None = None


def line_fault(deaf: Deaf, *, held: bool) -> LineFault:
    """`held`: one end keeps the other on hold, which explains that nothing comes."""
    code = DeafReason.ON_HOLD if held and deaf.reason is DeafReason.NO_PACKET else deaf.reason
    return LineFault(code=code, detail=DETAILS[code], packets=deaf.packets, address=deaf.address)
