"""Defines what trunk, route and agent group say of charges: by which form, at which providers, and
for whom.

Rule: of merchant account, statement and each name of the metadata the most specific counts: order,
      agent group, route, trunk (the agents' before the customers'), the provider's account.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from b2bua.call.order import Order
from b2bua.call.view import NotNow
from media.events import CaptureForm

IBAN_COUNTRY = "iban_country"  # in the metadata


@dataclass(frozen=True, slots=True)
class ChargeDefaults:
    """`providers`: by name, tried in this order; empty: the first that there is; only a route names
    them. The others stand where an order names none; empty: those of the next scope. The scope of
    every trunk has a form."""

    providers: tuple[str, ...] = ()
    merchant_account: str = ""
    statement: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    form: CaptureForm | None = None


def complete(order: Order, scopes: Iterable[ChargeDefaults], form: CaptureForm | None = None) -> Order:
    """The order with what it does not say. `scopes`: the most specific first; `form`: the one that
    is keyed, if any."""
    if form is not None:
        order = msgspec.structs.replace(order, form=form.name, country=form.country)
    for each in scopes:
        order = msgspec.structs.replace(
            order,
            merchant_account=order.merchant_account or each.merchant_account,
            statement=order.statement or each.statement,
            metadata={**each.metadata, **order.metadata},
        )
    if order.country:  # whoever gets the digits of an IBAN needs it
        order = msgspec.structs.replace(order, metadata={**order.metadata, IBAN_COUNTRY: order.country})
    return order


def choose_form(
    wanted: CaptureForm | None, scopes: Iterable[ChargeDefaults], country: str = ""
) -> CaptureForm:
    """The form of an order; `wanted`: the one that it names; `country`: of the IBAN in it, where
    the order names one. Raises NotNow where the form has none of it."""
    form = wanted or next((each.form for each in scopes if each.form), CaptureForm())
    country = country or next(iter(form.countries), "")
    if country and country not in form.countries:
        raise NotNow("In this form no account of that country can be keyed.")
    return form.in_country(country) if country else form
