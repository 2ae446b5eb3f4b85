"""Defines what a route says of the charges of its calls: at which providers, and for whom."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from b2bua.call.order import Order


@dataclass(frozen=True, slots=True)
class ChargeDefaults:
    """`providers`: by name, tried in this order; empty: the first that there is. The others stand
    where an order names none; empty: those of the provider's account."""

    providers: tuple[str, ...] = ()
    merchant_account: str = ""
    statement: str = ""
    metadata: dict[str, str] = field(default_factory=dict)

    def complete(self, order: Order) -> Order:
        """The order with what it does not say."""
        return msgspec.structs.replace(
            order,
            merchant_account=order.merchant_account or self.merchant_account,
            statement=order.statement or self.statement,
            metadata={**self.metadata, **order.metadata},
        )
