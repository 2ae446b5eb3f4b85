"""Defines what one line of the audit log says.

Rule 1: no field is for a digit of a card, nor for the number of a caller.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

# What ends or wipes something, or puts a mask on: never refused because of the log.
ALWAYS_DONE: Final = frozenset(
    {
        "announce_payment",
        "ask_field",
        "cancel_payment",
        "cancel_prepared_payment",
        "close_claim",
        "close_link",
        "release_mask",
        "reset_fields",
        "sign_out",
        "sign_out_everywhere",
        "withdraw_payment",
    }
)


class Result(StrEnum):
    """What became of it. An action stands in the log twice: `asked`, before it takes effect, then
    with its result."""

    ASKED = "asked"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    NOTED = "noted"  # nobody asked: it happened


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event.

    `at`: RFC 3339, UTC, in milliseconds. `who`: the name of the token, or the part of Tonewall.
    `what`: as `operation_id` of the API. `source`: the address that the request came from. `of`:
    the number of the line that asked for it; 0: none did. `configuration`: a digest of the settings
    in force. `sealed`: `who` and `source` under the record key of the number `key`, `sealed_call`:
    `call` and `payment` under that of `call_key` (b2bua/audit/sealing.py); they are empty then.
    """

    at: str
    who: str
    what: str
    result: Result
    of: int = 0
    source: str = ""
    call: str = ""
    payment: str = ""
    configuration: str = ""
    details: dict[str, str | int] = {}
    key: int = 0
    sealed: str = ""
    call_key: int = 0
    sealed_call: str = ""


def write_time(seconds: float) -> str:
    """Seconds since the epoch as `at` has them."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
