"""Engine context: the layers that registrations, health checks and legs of one engine send through.

Rule 1: the context is not part of a snapshot; a restored leg gets the context of its new process.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from b2bua.sip.hop import Hop
from b2bua.sip.transaction.layer import TransactionLayer
from b2bua.sip.transaction.scheduler import Scheduler
from b2bua.sip.transaction.tap import Tap
from b2bua.sip.transaction.transaction import Timers
from b2bua.sip.transport.transports import Transports


@dataclass(slots=True)
class EngineContext:
    """One per engine. `count`: the engine's counters, by name."""

    layer: TransactionLayer
    scheduler: Scheduler
    timers: Timers
    transports: Transports
    user_agent: str
    tap: Tap
    count: Counter[str]

    def send_response(self, message: bytes, hop: Hop) -> bool:
        """Send a response outside of any transaction. False: there is no way to that hop."""
        self.tap.record_stateless(message, hop)
        return self.transports.send_message(message, hop)
