"""Names the events of payments that `[webhook NAME]` sends, and which of them a pattern means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

PREFIX: Final = "tonewall."
RECEIPT: Final = "payment.receipt"
KINDS: Final = (
    "payment.prepared",
    "payment.started",
    "payment.linked",  # a payment link is opened for it
    "payment.charged",
    "payment.authorised",
    "payment.verified",
    "payment.delivered",  # your own service has the fields of a form
    "payment.declined",
    "payment.failed",  # certainly not charged
    "payment.unknown",  # perhaps charged: an event of how it is decided follows
    "payment.cancelled",
    "payment.aborted",
    "payment.captured",
    "payment.voided",
    "payment.refunded",
    "payment.capture_failed",
    "payment.void_failed",
    "payment.refund_failed",
    "payment.capture_unknown",
    "payment.void_unknown",
    "payment.refund_unknown",
    RECEIPT,  # an agent sends one to the address in it
)
# A service that only follows payments sends no receipt: these are meant by their whole name alone.
_BY_NAME: Final = frozenset({RECEIPT})


def choose(patterns: Iterable[str]) -> frozenset[str]:
    """The kinds that are meant, each by its name or by what it begins with and an asterisk:
    `payment.refund*`; a receipt by its name alone. Raises ValueError where a pattern means none."""
    chosen: set[str] = set()
    for pattern in patterns:
        plain = pattern.removeprefix(PREFIX)
        start, star, rest = plain.partition("*")
        begun = [each for each in KINDS if star and not rest and each.startswith(start)]
        found = ({plain} & set(KINDS)) | (set(begun) - _BY_NAME)
        if not found:
            raise ValueError(f"expected some of {', '.join(KINDS)}, or payment.* and the like")
        chosen |= found
    return frozenset(chosen)
