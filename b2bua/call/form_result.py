"""Makes an order fit its form: what becomes of the fields once they are submitted.

Rule 1: an order that says nothing of its operation gets the form's; one that contradicts its form
        is refused, by the part that does.
Rule 2: a form that is not charged moves no money: it has no amount.
"""

from __future__ import annotations

import msgspec

from b2bua.call.order import Order
from b2bua.call.view import NotOffered
from media.events import CaptureForm


def order_for_form(order: Order, form: CaptureForm) -> Order:
    """The order as it is carried out once the form is submitted. Raises NotOffered."""
    if form.result == "charge":
        return _charged(order, form)
    if order.amount:
        raise NotOffered("amount", f"the form {form.name} moves no money; leave out the amount")
    # Without an amount, `charge` is what an order says that says nothing.
    wanted = "deliver" if form.result == "deliver" else "verify"
    if order.operation not in (wanted, "charge"):
        what = "delivered to the company's service" if wanted == "deliver" else "checked with the bank"
        raise NotOffered("operation", f"the form {form.name} is {what}; leave out the operation")
    if form.result == "deliver":
        if order.token_type not in (None, "none"):
            raise NotOffered("token_type", f"the form {form.name} has no card that could be saved")
        return msgspec.structs.replace(order, operation="deliver", currency="", token_type=None)
    if not order.currency:
        raise NotOffered("currency", "the currency is missing")
    if form.result == "token":
        if order.token_type == "none":  # noqa: S105
            raise NotOffered("token_type", f"the form {form.name} saves the card; leave out the type")
        order = msgspec.structs.replace(order, token_type=order.token_type or "reusable")
    return msgspec.structs.replace(order, operation="verify")


def providers_for(form: CaptureForm, providers: tuple[str, ...]) -> tuple[str, ...]:
    """Where it goes. `providers`: those of the call's route, by name."""
    return (form.deliver_to,) if form.result == "deliver" else providers


def _charged(order: Order, form: CaptureForm) -> Order:
    if order.operation == "deliver":
        raise NotOffered("operation", f"the form {form.name} is charged; leave out the operation")
    if order.operation != "verify" and order.amount < 1:
        raise NotOffered("amount", "the amount must be at least 1")
    if order.operation == "verify" and order.amount:
        raise NotOffered("amount", "the amount must be 0 where nothing is to be paid")
    if not order.currency:
        raise NotOffered("currency", "the currency is missing")
    return order
