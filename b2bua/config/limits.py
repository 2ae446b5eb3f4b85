"""Reads limits of amounts, as settings have them."""

from __future__ import annotations

import re
from decimal import Decimal

from provider_adapters.currency import MINOR_UNITS

_LIMIT = re.compile(r"([A-Z]{3}) ([0-9]{1,9}(?:\.[0-9]{1,4})?)")


def read_limits(text: str) -> dict[str, int]:
    """Read `EUR 500.00, PLN 2000`: the minor unit, by currency. Raises ValueError with what was
    expected."""
    limits: dict[str, int] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        match = _LIMIT.fullmatch(entry)
        exponent = MINOR_UNITS.get(match[1]) if match else None
        if match is None or exponent is None or match[1] in limits:
            raise ValueError("expected a currency and an amount, each currency once, such as EUR 500.00")
        amount = Decimal(match[2]).scaleb(exponent)
        if amount != int(amount):
            raise ValueError(f"expected at most {exponent} decimals for {match[1]}")
        limits[match[1]] = int(amount)
    return limits
