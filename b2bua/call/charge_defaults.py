"""Defines what trunk, route and agent group say of charges: at which providers, and for whom.

Rule: of merchant account, statement and each name of the metadata the most specific counts: order,
      agent group, route, trunk (the agents' before the customers'), the provider's account.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from b2bua.call.order import Order


@dataclass(frozen=True, slots=True)
class ChargeDefaults:
    """`providers`: by name, tried in this order; empty: the first that there is; only a route names
    them. The others stand where an order names none; empty: those of the next scope."""

    providers: tuple[str, ...] = ()
    merchant_account: str = ""
    statement: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


def complete(order: Order, scopes: Iterable[ChargeDefaults]) -> Order:
    """The order with what it does not say. `scopes`: the most specific first."""
    for each in scopes:
        order = msgspec.structs.replace(
            order,
            merchant_account=order.merchant_account or each.merchant_account,
            statement=order.statement or each.statement,
            metadata={**each.metadata, **order.metadata},
        )
    return order
