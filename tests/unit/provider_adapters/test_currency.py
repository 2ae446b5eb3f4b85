"""Amounts as decimal numbers."""

from decimal import Decimal

import pytest

from provider_adapters.currency import MINOR_UNITS, read_decimal, write_decimal
from provider_adapters.minor_units import AmountNotPayable


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (1998, "EUR", "19.98"), (5, "EUR", "0.05"), (0, "EUR", "0.00"), (100, "PLN", "1.00"),
        (1998, "JPY", "1998"), (1998, "KWD", "1.998"), (1, "CLF", "0.0001"),
        (99_999_999_999, "EUR", "999999999.99"),
    ],
)  # fmt: skip
def test_an_amount_is_written_with_its_currencys_decimals_and_read_again(
    amount: int, currency: str, written: str
) -> None:
    assert write_decimal(amount, currency) == written
    assert read_decimal(Decimal(written), currency) == amount


@pytest.mark.parametrize("currency", sorted(MINOR_UNITS))
def test_every_currency_is_read_as_it_was_written(currency: str) -> None:
    for amount in (0, 1, 9, 10, 101, 123_456_789):
        assert read_decimal(Decimal(write_decimal(amount, currency)), currency) == amount


@pytest.mark.parametrize("value", ["19.985", "0.001", "NaN", "Infinity", "-Infinity"])
def test_what_is_no_whole_number_of_cents_is_nothing(value: str) -> None:
    assert read_decimal(Decimal(value), "EUR") is None


def test_decimals_that_say_nothing_are_read_over() -> None:
    assert read_decimal(Decimal("19.980"), "EUR") == 1998
    assert read_decimal(Decimal("2E+1"), "EUR") == 2000


def test_a_currency_that_nobody_lists_is_not_payable() -> None:
    with pytest.raises(AmountNotPayable):
        write_decimal(1998, "XXX")
    assert read_decimal(Decimal("19.98"), "XXX") is None
