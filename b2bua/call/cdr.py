"""Call detail records: what remains of a call. Counts, codes, times and outcomes; no digit but the last four."""

from __future__ import annotations

import msgspec

from media.events import LegCounters


class CaptureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One capture of a call. `outcome` is the outcome's tag, None where nothing was submitted."""

    transaction_id: str
    amount: int
    currency: str
    stage: str
    outcome: str | None = None
    reference: str | None = None
    brand: str | None = None
    last_four: str | None = None
    reason: str | None = None


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Times are seconds since the epoch, UTC; `answered_at` is None for a call that nobody answered.

    `withheld`: SIP INFOs of the customer's side that the mask kept from the agent.
    """

    call: str
    direction: str
    caller: str
    callee: str
    started_at: float
    answered_at: float | None
    ended_at: float
    end: str
    code: int | None = None
    withheld: int = 0
    captures: tuple[CaptureRecord, ...] = ()
    caller_leg: LegCounters | None = None
    agent_leg: LegCounters | None = None
