"""Defines what a route says of the charges of its calls: at which providers, and for whom."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from provider_adapters.payment import Charge


@dataclass(frozen=True, slots=True)
class ChargeDefaults:
    """`providers`: by name, tried in this order; empty: the first that there is. The others stand
    where an order names none; empty: those of the provider's account."""

    providers: tuple[str, ...] = ()
    merchant_account: str = ""
    statement: str = ""
    metadata: dict[str, str] = field(default_factory=dict)

    def complete(self, charge: Charge) -> Charge:
        """The charge with what its order does not say."""
        return msgspec.structs.replace(
            charge,
            merchant_account=charge.merchant_account or self.merchant_account,
            statement=charge.statement or self.statement,
            metadata={**self.metadata, **charge.metadata},
            providers=self.providers,
        )
