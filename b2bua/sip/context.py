"""What the legs of an engine stand on: what they send through, what they report to, and how each is
found again.

Rule 1: of it nothing is written out with a leg: whoever reads a leg stands it on a ground of its
        own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from b2bua.call.leg import LegEvent, LegId
from b2bua.sip.hop import Hop
from b2bua.sip.late_prack import LatePracks
from b2bua.sip.tap import Tap
from b2bua.sip.transaction.layer import TransactionLayer
from b2bua.sip.transaction.scheduler import Scheduler
from b2bua.sip.transaction.transaction import Timers
from b2bua.sip.transport.transports import Transports

if TYPE_CHECKING:
    from b2bua.sip.leg.leg_base import Leg


@dataclass(slots=True)
class Ground:
    """One an engine."""

    layer: TransactionLayer
    scheduler: Scheduler
    timers: Timers
    transports: Transports
    emit: Callable[[LegId, LegEvent], None]
    user_agent: str
    tap: Tap
    legs: dict[LegId, Leg] = field(default_factory=dict)
    dialogs: dict[tuple[str, str, str], Leg] = field(default_factory=dict)
    outgoing: dict[tuple[str, str], Leg] = field(
        default_factory=dict
    )  # by Call-ID and From tag, to know them again
    count: Counter[str] = field(default_factory=Counter)
    late_pracks: LatePracks = field(default_factory=LatePracks)

    def send(self, message: bytes, hop: Hop) -> bool:
        """Send a response that belongs to no transaction any more, or to none at all."""
        self.tap.outside(message, hop)
        return self.transports.send(message, hop)
