"""Fields that are no card's, alone and in random forms: no valid value is refused, a slip that a
check promises to find is found, and nobody is told a digit that the form does not show."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from media.capture.check import Verdict, passes_luhn
from media.capture.form import Form, Keyed
from media.capture.form_rules import make_form
from media.capture.numbers import is_card_number, passes_mod11
from media.capture.transitions import IllegalEvent
from media.events import CaptureForm, CaptureState, FormField
from media.iban_countries import keyed_length
from provider_adapters.payment import Approved, Charge, Outcome
from tests.keying import TODAY, Customer

CHARGE = Charge(idempotency_key="k", transaction_id="t", amount=1, currency="EUR")
COUNTRIES = ("DE", "AT", "NO", "BE", "PL", "ES", "HU", "SI", "XK")
FIELDS = {
    "iban": FormField(name="iban", kind="iban", countries=COUNTRIES, last_shown=4),
    "nrb": FormField(name="nrb", kind="nrb"),
    "routing": FormField(name="routing", kind="routing_number", last_shown=2),
    "born": FormField(name="born", kind="date"),
    "luhn": FormField(name="luhn", kind="digits", min_length=11, max_length=11, check="luhn", last_shown=3),
    "mod11": FormField(name="mod11", kind="digits", min_length=9, max_length=9, check="mod11"),
    "free": FormField(name="free", kind="digits", min_length=6, max_length=12),
    "pin": FormField(name="pin", kind="secret", min_length=6, max_length=6),
    "sort_code": FormField(name="sort_code", kind="sort_code"),
}


def digits(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=length, max_size=length)


def iban(country: str) -> st.SearchStrategy[str]:
    """With check digits as ISO 13616 calculates them, in whole numbers."""
    letters = "".join(str(ord(letter) - 55) for letter in country)
    account = digits((keyed_length(country) or 0) - 2)
    return account.map(lambda body: f"{98 - int(f'{body}{letters}00') % 97:02d}{body}")


def completed(body: str, weights: tuple[int, ...], modulus: int) -> str | None:
    """The body and the last digit that makes the weighted sum a multiple."""
    for last in "0123456789":
        total = sum(int(digit) * weight for digit, weight in zip(body + last, weights, strict=True))
        if total % modulus == 0:
            return body + last
    return None


def values(name: str) -> st.SearchStrategy[str]:
    """Valid ones of a field."""
    match name:
        case "iban":
            return iban(COUNTRIES[0])
        case "nrb":
            return iban("PL")
        case "routing":
            made = digits(8).map(lambda body: completed(body, (3, 7, 1) * 3, 10) or "")
            return made.filter(lambda value: value.strip("0") != "")
        case "born":
            dates = st.dates(date(1900, 1, 1), TODAY - timedelta(days=1))
            return dates.map(lambda day: day.strftime("%d%m%Y"))
        case "luhn":
            return digits(10).map(lambda body: next(n for n in (body + d for d in "0123456789") if luhn(n)))
        case "mod11":
            made = digits(8).map(lambda body: completed(body, (3, 2, 7, 6, 5, 4, 3, 2, 1), 11) or "")
            return made.filter(bool)
        case "free":
            return st.integers(6, 12).flatmap(digits)
        case _:
            return digits(6)


def luhn(number: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(each - 9 * (each > 9) for each in doubled) % 10 == 0


def verdict(name: str, value: str) -> Verdict:
    rules = make_form(CaptureForm(fields=(FIELDS[name],))).rules[0]
    return rules.check(Keyed({name: value.encode()}, TODAY, ended=True)).verdict


named_values = st.sampled_from(sorted(FIELDS)).flatmap(lambda name: st.tuples(st.just(name), values(name)))


@given(named_values)
@settings(max_examples=600, deadline=None)
def test_no_valid_value_is_refused(field: tuple[str, str]) -> None:
    assert verdict(*field) is Verdict.COMPLETE


@given(st.sampled_from(COUNTRIES).flatmap(lambda country: st.tuples(st.just(country), iban(country))))
@settings(max_examples=300, deadline=None)
def test_no_iban_of_any_country_is_refused(account: tuple[str, str]) -> None:
    country, value = account
    form = CaptureForm(fields=(FIELDS["iban"],)).in_country(country)
    check = make_form(form).rules[0].check(Keyed({"iban": value.encode()}, TODAY))
    assert check.verdict is Verdict.COMPLETE


@given(
    st.sampled_from(["iban", "nrb", "routing", "luhn", "mod11"]).flatmap(
        lambda name: st.tuples(st.just(name), values(name))
    ),
    st.integers(0, 1 << 16),
    st.integers(1, 9),
)
@settings(max_examples=600, deadline=None)
def test_every_single_wrong_digit_is_found_where_there_is_a_check_digit(
    field: tuple[str, str], place: int, by: int
) -> None:
    name, value = field
    at = place % len(value)
    wrong = f"{value[:at]}{(int(value[at]) + by) % 10}{value[at + 1 :]}"
    assert verdict(name, wrong) is Verdict.INVALID


@given(st.text("0123456789", min_size=1, max_size=19))
@settings(max_examples=600, deadline=None)
def test_the_check_digits_agree_with_whole_numbers(number: str) -> None:
    weights = [1, *(2 + place % 6 for place in range(len(number) - 1))]
    total = sum(int(digit) * weight for digit, weight in zip(reversed(number), weights, strict=True))
    assert passes_mod11(number.encode()) == (len(number) > 1 and total % 11 == 0)
    assert passes_luhn(number.encode()) == luhn(number)


# --- random forms ---------------------------------------------------------------------------------


@st.composite
def forms(draw: st.DrawFn) -> CaptureForm:
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=4, unique=True))
    changed = (
        FormField(
            **{
                **{key: getattr(FIELDS[name], key) for key in FormField.__struct_fields__},
                "confirm": draw(st.booleans()),
                "optional": draw(st.booleans()),
            }
        )
        for name in names
    )
    return CaptureForm(name="random", fields=tuple(changed), result="deliver", deliver_to="crm")


class Pipe:
    def __init__(self) -> None:
        self.handed: dict[str, str] = {}

    def spend(self, charge: Charge, digits: Mapping[str, memoryview]) -> Coroutine[Any, Any, Outcome]:
        del charge
        self.handed = {name: bytes(view).decode() for name, view in digits.items()}
        return self._answer()

    async def _answer(self) -> Outcome:
        return Approved(reference="r")


def told(customer: Customer) -> str:
    """Everything that anybody could read of the capture: what was told, and what Python shows."""
    return (
        f"{customer.changes!r} {customer.capture.changed()!r} {customer.capture!r} {vars(customer.capture)!r}"
    )


def shows_more_than_it_may(text: str, meant: Mapping[str, str]) -> bool:
    """Five digits of a value in a row, forwards: no field shows more than four. Addresses of
    objects and decimals of times are digits of nobody's."""
    runs = re.findall(r"\d{5,}", re.sub(r"0x[0-9a-f]+|\d+\.\d+(e[+-]?\d+)?", "", text))
    parts = {value[at : at + 5] for value in meant.values() for at in range(len(value) - 4)}
    return any(run[at : at + 5] in parts for run in runs for at in range(len(run) - 4))


@given(forms(), st.data())
@settings(max_examples=150, deadline=None)
def test_who_keys_a_form_right_has_it_handed_over_as_keyed(wanted: CaptureForm, data: st.DataObject) -> None:
    fields = make_form(wanted)
    customer = Customer(form=fields)
    meant = {each.name: data.draw(values(each.name), label=each.name) for each in wanted.fields}
    assume(not is_card_number(meant.get("free", "").encode()))
    for rules in fields.rules:
        customer.keys(meant[fields.first_entry(rules.field)]).wait(0.5).keys("#").wait(2.0)
    assert customer.capture.state is CaptureState.READY
    assert not customer.warned
    assert not shows_more_than_it_may(told(customer), meant)
    shown = customer.capture.changed().shown
    expected = {name: meant[name][-FIELDS[name].last_shown :] for name in meant if FIELDS[name].last_shown}
    assert shown == expected
    pipe = Pipe()
    customer.capture.submit(customer.now)
    asyncio.run(customer.capture.spend(pipe, CHARGE))
    assert pipe.handed == meant
    assert not any(bytes(memoryview(customer.memory)))


@given(st.sampled_from(["nrb", "born", "mod11", "pin", "sort_code"]), st.data())
@settings(max_examples=200, deadline=None)
def test_two_values_of_a_field_that_shows_none_tell_the_same(name: str, data: st.DataObject) -> None:
    told_of = []
    for _ in range(2):
        customer = Customer(form=make_form(CaptureForm(fields=(FIELDS[name],))))
        customer.keys(data.draw(values(name))).wait(2.0)
        told_of.append(customer.changes)
    assert told_of[0] == told_of[1]


ACTIONS = st.sampled_from(["right", "right", "wrong", "*", "#", "5", "ask", "reset", "skip", "go on", "wait"])


@given(forms(), st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_happens_a_form_is_ready_only_with_what_passes_and_nobody_is_told_a_digit(
    wanted: CaptureForm, data: st.DataObject
) -> None:
    fields = make_form(wanted)
    customer = Customer(form=fields)
    meant = {each.name: data.draw(values(each.name), label=each.name) for each in wanted.fields}
    capture = customer.capture
    for _ in range(data.draw(st.integers(1, 14))):
        action = data.draw(ACTIONS)
        name = data.draw(st.sampled_from(fields.fields))
        with suppress(IllegalEvent):
            act(customer, fields, action, name, meant)
        customer.wait(data.draw(st.sampled_from([0.2, 1.1, 3.5])))
        if capture.state is CaptureState.ABORTED:
            break
        check_progress(customer, fields)
    assert not shows_more_than_it_may(told(customer), meant)
    if capture.state is not CaptureState.ABORTED:
        capture.cancel(customer.now)
    assert not any(bytes(memoryview(customer.memory)))


def act(customer: Customer, fields: Form, action: str, name: str, meant: Mapping[str, str]) -> None:
    capture = customer.capture
    match action:
        case "right" | "wrong":
            now = capture.changed().field
            value = meant[fields.first_entry(now)] if now else "9"
            customer.keys(value if action == "right" else f"{value[:-1]}{(int(value[-1]) + 1) % 10}#")
        case "ask":
            capture.ask(name, customer.now)
        case "go on":
            capture.ask(None, customer.now)
        case "reset":
            capture.reset(name, customer.now)
        case "skip":
            capture.skip(name, customer.now)
        case "wait":
            pass
        case _:
            customer.keys(action)


def check_progress(customer: Customer, fields: Form) -> None:
    change = customer.capture.changed()
    held = dict(zip(fields.fields, customer.held, strict=True))
    for progress, rules in zip(change.fields, fields.rules, strict=True):
        value = held[rules.field]
        if rules.confirms:
            assert not (progress.complete and value.strip("\0")), "a second entry outlives its comparison"
        elif progress.complete and not progress.skipped:
            keyed = {name: text.encode() for name, text in held.items()}
            assert rules.check(Keyed(keyed, TODAY, ended=True)).verdict is Verdict.COMPLETE
    assert (change.state is CaptureState.READY) == all(each.complete for each in change.fields)
