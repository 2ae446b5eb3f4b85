"""Converts amounts between ISO 4217's minor units and a provider's own, where it counts some
currencies in others."""

from __future__ import annotations

from collections.abc import Mapping

Shifts = Mapping[str, int]
"""By currency: how many decimals the provider has more than ISO 4217 has; fewer, where negative."""


class AmountNotPayable(Exception):
    """The provider counts this currency in larger units, and the amount is no whole number of
    them; or nobody says how many decimals the currency has."""


def to_provider(amount: int, currency: str, shifts: Shifts) -> int:
    """The amount in the provider's units. Raises AmountNotPayable."""
    shift = shifts.get(currency, 0)
    if shift >= 0:
        return int(amount * 10**shift)
    units, rest = divmod(amount, 10**-shift)
    if rest:
        raise AmountNotPayable
    return int(units)


def from_provider(amount: int, currency: str, shifts: Shifts) -> int | None:
    """The provider's amount in ISO 4217's minor units; None where it is no whole number of them:
    then it is not what was asked for."""
    shift = shifts.get(currency, 0)
    if shift <= 0:
        return int(amount * 10**-shift)
    units, rest = divmod(amount, 10**shift)
    return None if rest else int(units)
