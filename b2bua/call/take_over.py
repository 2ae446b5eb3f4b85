"""Describes how a payment passed from one agent to another."""

from __future__ import annotations

import msgspec


class TakeOver(msgspec.Struct, frozen=True, kw_only=True):
    """`by` took the payment over from `from_agent`; names of tokens. `at`: RFC 3339, UTC."""

    at: str
    by: str
    from_agent: str
