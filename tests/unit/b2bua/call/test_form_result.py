"""An order does what its form is for, or is refused by the part that contradicts it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from b2bua.call.form_result import order_for_form, providers_for
from b2bua.call.order import Order
from b2bua.call.view import NotOffered
from media.events import CaptureForm, FormField

FORMS = {
    "charge": CaptureForm(name="card"),
    "verify": CaptureForm(name="check", result="verify"),
    "token": CaptureForm(name="keep", result="token"),
    "deliver": CaptureForm(
        name="direct-debit",
        fields=(FormField(name="sort_code", kind="sort_code"),),
        result="deliver",
        deliver_to="crm",
    ),
}


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {"transaction_id": "t-1", "amount": 0, "currency": ""}
    return Order(**values | changes)


PAID = {"amount": 4990, "currency": "EUR"}
EUROS = {"currency": "EUR"}


@pytest.mark.parametrize(
    ("result", "asked", "done"),
    [
        ("charge", PAID, {}),
        ("charge", PAID | {"operation": "authorise"}, {}),
        ("charge", EUROS | {"operation": "verify"}, {}),
        ("charge", PAID | {"token_type": "reusable"}, {}),
        ("verify", EUROS, {"operation": "verify"}),
        ("verify", EUROS | {"operation": "verify"}, {}),
        ("token", EUROS, {"operation": "verify", "token_type": "reusable"}),
        ("token", EUROS | {"token_type": "one_time"}, {"operation": "verify"}),
        ("deliver", {}, {"operation": "deliver"}),
        ("deliver", {"operation": "deliver"}, {}),
        (
            "deliver",
            EUROS | {"token_type": "none"},
            {"operation": "deliver", "currency": "", "token_type": None},
        ),
    ],
)
def test_what_the_order_leaves_open_the_form_decides(result: str, asked: Any, done: Any) -> None:
    found = order_for_form(order(**asked), FORMS[result])
    assert found == msgspec.structs.replace(order(**asked), **done)
    assert order_for_form(found, FORMS[result]) == found
    assert found.moves_money == (found.amount > 0)


@pytest.mark.parametrize(
    ("result", "asked", "field"),
    [
        ("charge", EUROS, "amount"),
        ("charge", {"amount": 4990}, "currency"),
        ("charge", {"operation": "deliver"}, "operation"),
        ("charge", PAID | {"operation": "verify"}, "amount"),
        ("verify", PAID, "amount"),
        ("verify", {}, "currency"),
        ("verify", EUROS | {"operation": "authorise"}, "operation"),
        ("verify", EUROS | {"operation": "deliver"}, "operation"),
        ("token", PAID, "amount"),
        ("token", EUROS | {"token_type": "none"}, "token_type"),
        ("token", EUROS | {"operation": "authorise"}, "operation"),
        ("deliver", PAID, "amount"),
        ("deliver", {"operation": "verify"}, "operation"),
        ("deliver", {"token_type": "reusable"}, "token_type"),
    ],
)
def test_an_order_that_contradicts_its_form_is_refused_by_what_does(
    result: str, asked: Any, field: str
) -> None:
    with pytest.raises(NotOffered) as caught:
        order_for_form(order(**asked), FORMS[result])
    assert caught.value.field == field


def test_a_form_goes_where_it_says_and_a_card_where_the_route_says() -> None:
    assert providers_for(FORMS["deliver"], ("north",)) == ("crm",)
    assert providers_for(FORMS["charge"], ("north",)) == ("north",)
    assert providers_for(FORMS["token"], ()) == ()
