"""Retry-After: reading it, and making one at random (RFC 3261 section 20.33)."""

from __future__ import annotations

import random

from b2bua.sip.message.message import Response


def read_retry_after(response: Response) -> int:
    """Return its seconds; 0 where there is no header that can be read."""
    for value in response.headers.getlist("Retry-After")[:1]:
        number = value.partition(";")[0].partition("(")[0].strip()
        if number.isascii() and number.isdigit() and len(number) < 7:
            return int(number)
    return 0


def random_retry_after() -> str:
    """Return a header line of 0 to 10 seconds at random (RFC 3261 section 14.2)."""
    return f"Retry-After: {random.randint(0, 10)}"  # noqa: S311 — spreads retries, hides nothing
