"""What a customer owes who keys without an agent, read from a header that strangers may have
written."""

from __future__ import annotations

import time

import pytest

from b2bua.call.leg import NOTHING, Carried
from b2bua.call.order import Order
from b2bua.call.owed import find_order
from b2bua.call.routing.form_end import Owed

ROUTE = Owed(4995, "EUR", "Shoes", "X-Order")
CALL = "call-1"


def owed(value: str, route: Owed = ROUTE, name: str = "X-Order") -> Order | None:
    return find_order(route, Carried(headers=((name, value),)), CALL)


def in_hex(value: str) -> str:
    return f"{value.encode().hex()};encoding=hex"


def test_without_a_header_the_route_says_it_all():
    assert find_order(Owed(4995, "EUR", "Shoes"), NOTHING, CALL) == Order(
        transaction_id=CALL, amount=4995, currency="EUR", description="Shoes"
    )


@pytest.mark.parametrize("call", ["4929580173642084", "4a929580173642f0", "5c105105a105105100"])
def test_an_id_of_ours_is_no_card_number_whatever_its_digits(call: str):
    order = find_order(Owed(4995, "EUR"), NOTHING, call)
    assert order is not None
    assert order.transaction_id == call


@pytest.mark.parametrize("route", [Owed(), Owed(currency="EUR"), Owed(amount=5)])
def test_a_route_that_does_not_say_it_all_says_nothing(route: Owed):
    assert find_order(route, NOTHING, CALL) is None


@pytest.mark.parametrize(
    ("value", "reference", "amount", "currency", "description"),
    [
        ("INV-2041", "INV-2041", 4995, "EUR", "Shoes"),
        ("INV-2041;amount=1250", "INV-2041", 1250, "EUR", "Shoes"),
        (
            " INV/2 ; amount=1250 ; currency=GBP ; description=Two hats ",
            "INV/2",
            1250,
            "GBP",
            "Two hats",
        ),
        ("a;amount=1", "a", 1, "EUR", "Shoes"),
        ("a;amount=99999999999", "a", 99_999_999_999, "EUR", "Shoes"),
        ("x" * 64, "x" * 64, 4995, "EUR", "Shoes"),
        ("a;description=b=c", "a", 4995, "EUR", "b=c"),
        ("a;description=Zażółć", "a", 4995, "EUR", "Zażółć"),
    ],
)
def test_a_header_says_what_the_route_does_not(
    value: str, reference: str, amount: int, currency: str, description: str
):
    order = owed(value)
    assert order == Order(transaction_id=reference, amount=amount, currency=currency, description=description)


def test_the_name_of_the_header_has_no_case():
    assert owed("INV-1", name="x-oRdEr") is not None


EVIL = {
    "empty": "",
    "only semicolons": ";;;",
    "no reference": ";amount=1",
    "amount of nothing": "a;amount=",
    "nought": "a;amount=0",
    "below nought": "a;amount=-5",
    "a fraction": "a;amount=12.50",
    "an exponent": "a;amount=1e3",
    "underscores": "a;amount=1_000",
    "a sign": "a;amount=+5",
    "a space inside": "a;amount=1 0",
    "too much": "a;amount=100000000000",
    "digits of another script": "a;amount=١٢٣",
    "amount twice": "a;amount=1;amount=2",
    "an unknown name": "a;price=1",
    "a name in capitals": "a;AMOUNT=1",
    "a currency that there is not": "a;currency=XXY",
    "a currency in small letters": "a;currency=eur",
    "an empty parameter": "a;",
    "a name alone": "a;amount",
    "a long reference": "x" * 65,
    "a reference that begins with a dash": "-a",
    "a space in the reference": "INV 2041",
    "a quoted reference": '"INV-2041"',
    "a path": "../../etc/passwd",
    "a line feed": "INV-1\nX: y",
    "a carriage return behind": "a;description=x\ry",
    "a NUL": "a;description=x\x00y",
    "a direction mark": "a;description=x\u202ey",
    "a surrogate": "a;description=x\udcffy",
    "a card number": "4929580173642084",
    "a card number with slashes": "4929/5801/7364/2084",
    "a card number in the description": "a;description=4929 5801 7364 2084",
    "a value that is too long": "a;description=" + "x" * 512,
}


@pytest.mark.parametrize("value", EVIL.values(), ids=EVIL.keys())
def test_a_header_that_does_not_fit_as_a_whole_is_no_order(value: str):
    assert owed(value) is None


@pytest.mark.parametrize("value", EVIL.values(), ids=EVIL.keys())
def test_nor_is_it_one_in_hexadecimal(value: str):
    coded = value.encode("utf-8", "surrogateescape").hex()
    assert owed(f"{coded};encoding=hex") is None


@pytest.mark.parametrize("name", ["hex", "HEX", "Hex"])
def test_hexadecimal_says_the_same(name: str):
    text = "INV-2041;amount=1250;currency=GBP"
    assert owed(text.encode().hex() + f";encoding={name}") == owed(text)
    assert owed(text.encode().hex().upper() + f";encoding={name}") == owed(text)


@pytest.mark.parametrize(
    "value",
    [
        ";encoding=hex",
        "4;encoding=hex",
        "zz;encoding=hex",
        "49 4e;encoding=hex",
        "c5bc;encoding=hex",
        "0x494e56;encoding=hex",
        in_hex(in_hex("INV-2041")),
        in_hex("INV-2041;encoding=hex"),
    ],
    ids=["empty", "half an octet", "other letters", "spaces", "no ASCII", "a prefix", "twice", "named twice"],
)
def test_hexadecimal_that_is_none_is_no_order(value: str):
    assert owed(value) is None


def test_two_headers_of_the_name_are_no_order():
    twice = Carried(headers=(("X-Order", "INV-1"), ("x-order", "INV-2")))
    assert find_order(ROUTE, twice, CALL) is None


def test_a_missing_header_is_no_order_whatever_the_route_says():
    assert find_order(ROUTE, Carried(headers=(("X-Other", "INV-1"),)), CALL) is None


def test_a_long_description_of_the_route_is_cut():
    order = find_order(Owed(1, "EUR", "x" * 300), NOTHING, CALL)
    assert order is not None
    assert len(order.description) == 140


LONG = {
    "parameters": "a;" * 250_000,
    "hexadecimal": "61" * 250_000 + ";encoding=hex",
    "an amount": "a;amount=" + "9" * 500_000,
}


@pytest.mark.parametrize("value", LONG.values(), ids=LONG.keys())
def test_a_header_of_any_length_takes_no_time(value: str):
    began = time.process_time()
    assert owed(value) is None
    assert time.process_time() - began < 0.05
