"""A field that is keyed twice: the second entry is compared in the vault, and none of it stays."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest

from media.capture.form_rules import make_form
from media.capture.messages import Limits
from media.capture.transitions import IllegalEvent
from media.events import CaptureForm, CaptureState, FieldProgress, FieldReason, FormField, card_fields
from provider_adapters.payment import Approved, Charge, Outcome
from tests.keying import Customer

CHARGE = Charge(idempotency_key="k", transaction_id="t", amount=1, currency="EUR")
VISA, OTHER = "4111111111111111", "4012888888881881"


def number(name: str = "account", **changes: object) -> FormField:
    values: dict[str, object] = {"kind": "digits", "min_length": 6, "max_length": 6, "confirm": True}
    return FormField(name=name, **(values | changes))  # type: ignore[arg-type]


def keying(*fields: FormField, tries: int = 0) -> Customer:
    return Customer(form=make_form(CaptureForm(fields=fields)), limits=Limits(tries=tries))


def of(customer: Customer, name: str) -> FieldProgress:
    return next(each for each in customer.capture.changed().fields if each.field == name)


def page(customer: Customer) -> bytes:
    with memoryview(customer.memory) as view:
        return bytes(view)


class Pipe:
    """Keeps what it is handed."""

    def spend(self, charge: Charge, digits: Mapping[str, memoryview]) -> Coroutine[Any, Any, Outcome]:
        del charge
        self.handed = {name: bytes(view).decode() for name, view in digits.items()}
        return self._answer()

    async def _answer(self) -> Outcome:
        return Approved(reference="r")


def handed(customer: Customer) -> dict[str, str]:
    pipe = Pipe()
    customer.capture.submit(customer.now)
    asyncio.run(customer.capture.spend(pipe, CHARGE))
    return pipe.handed


def test_the_same_digits_twice_complete_a_field_which_is_handed_over_once() -> None:
    customer = keying(number()).keys("135790").wait(2.0)
    assert customer.capture.changed().field == "account_again"
    customer.keys("135790").wait(1.0)
    assert customer.capture.state is CaptureState.READY
    assert page(customer).count(b"135790") == 1
    assert handed(customer) == {"account": "135790"}


def test_the_second_entry_is_overwritten_with_its_last_digit() -> None:
    customer = keying(number())
    customer.keys("135790").wait(2.0).keys("13579")
    assert page(customer).count(b"13579") == 2
    customer.cadence = 0.0
    customer.keys("0")
    assert page(customer).count(b"13579") == 1
    assert customer.capture.state is CaptureState.COLLECTING  # one digit more may still come


def test_the_end_key_after_a_second_entry_that_ended_by_itself_ends_it() -> None:
    customer = keying(number()).keys("135790#").keys("135790#")
    assert customer.capture.state is CaptureState.READY
    assert of(customer, "account").rejected == 0


@pytest.mark.parametrize("second", ["135791", "035790", "13579#", "531097"])
def test_a_difference_refuses_both_with_a_reason_of_its_own(second: str) -> None:
    customer = keying(number()).keys("135790").wait(2.0).keys(second)
    refused = of(customer, "account")
    assert (refused.rejected, refused.complete, refused.count) == (1, False, 0)
    assert refused.reason is FieldReason.ENTRIES_DIFFER
    assert not of(customer, "account_again").count
    assert page(customer) == bytes(len(page(customer)))
    customer.wait(4.0).keys("246802").wait(2.0).keys("246802").wait(1.0)
    assert handed(customer) == {"account": "246802"}


def test_a_difference_is_told_as_one_also_where_both_entries_came_without_a_pause() -> None:
    refused = of(keying(number()).keys("135790135791"), "account")
    assert (refused.rejected, refused.reason) == (1, FieldReason.ENTRIES_DIFFER)


def test_a_digit_too_many_in_the_second_entry_refuses_both() -> None:
    customer = keying(number()).keys("135790").wait(2.0).keys("1357900")
    assert (of(customer, "account").rejected, of(customer, "account").complete) == (1, False)
    assert page(customer) == bytes(len(page(customer)))


def test_the_star_clears_the_second_entry_alone_and_twice_with_a_pause_the_first() -> None:
    customer = keying(number()).keys("135790").wait(2.0).keys("13*")
    assert of(customer, "account").complete
    assert of(customer, "account_again").count == 0
    customer.wait(2.0).keys("*").wait(2.0).keys("*")
    assert not of(customer, "account").complete


def test_differences_count_as_tries() -> None:
    customer = keying(number(), tries=2)
    for _ in range(2):
        customer.keys("135790").wait(2.0).keys("135791").wait(4.0)
    assert customer.capture.state is CaptureState.ABORTED


def test_a_field_that_is_asked_for_again_is_keyed_twice_and_keeps_the_old_until_both_are_there() -> None:
    customer = keying(number()).keys("135790").wait(2.0).keys("135790").wait(1.0)
    customer.capture.ask("account", customer.now)
    assert customer.capture.changed().field == "account"
    customer.wait(2.0).keys("246802").wait(2.0)
    assert of(customer, "account").kept
    customer.keys("246803").wait(4.0)  # differs: the old stays
    customer.capture.ask(None, customer.now)
    assert customer.capture.state is CaptureState.READY
    assert page(customer).count(b"2468") == 0
    customer.capture.ask("account_again", customer.now)  # as the first
    customer.wait(2.0).keys("246802").wait(2.0).keys("246802").wait(2.0)
    assert not of(customer, "account").kept
    assert not page(customer).count(b"135790")
    assert handed(customer) == {"account": "246802"}


def test_a_field_that_is_reset_loses_its_second_entry() -> None:
    customer = keying(number(), number("other")).keys("135790").wait(2.0).keys("135790").wait(2.0)
    customer.capture.reset("account", customer.now)
    customer.wait(2.0).keys("135790").wait(2.0)
    assert not of(customer, "account_again").complete
    assert customer.capture.changed().field == "account_again"


def test_the_second_entry_is_reset_with_the_first() -> None:
    customer = keying(number(), number("other")).keys("135790").wait(2.0).keys("135790").wait(2.0)
    customer.capture.reset("account_again", customer.now)
    assert customer.capture.changed().field == "account"
    assert page(customer) == bytes(len(page(customer)))


def test_a_reset_behind_a_field_that_was_asked_for_wipes_what_it_has_begun() -> None:
    plain = [number(name, confirm=False) for name in ("first", "last")]
    customer = keying(plain[0], number(), plain[1])
    customer.capture.ask("account", customer.now)
    customer.wait(2.0).keys("135790135")
    customer.capture.reset("last", customer.now)
    assert customer.capture.changed().field == "first"
    assert of(customer, "account_again").count == 0
    customer.wait(2.0).keys("1111119").wait(4.0)
    assert of(customer, "first").rejected == 1
    customer.keys("111111").wait(2.0).keys("135790").wait(2.0).keys("222222").wait(2.0)
    assert handed(customer) == {"first": "111111", "account": "135790", "last": "222222"}


def test_one_field_is_keyed_where_all_could_be_skipped() -> None:
    customer = keying(number(optional=True), number("other", optional=True, confirm=False))
    customer.capture.skip("account", customer.now)
    with pytest.raises(IllegalEvent, match="one field of this form is to be keyed"):
        customer.capture.skip("other", customer.now)
    customer.keys("246802").wait(1.0)
    assert customer.capture.state is CaptureState.READY
    customer.capture.ask("account", customer.now)
    customer.wait(2.0).keys("135790").wait(2.0).keys("135790").wait(1.0)
    customer.capture.skip("other", customer.now)
    assert handed(customer) == {"account": "135790", "other": ""}


def test_an_optional_field_is_skipped_with_its_second_entry() -> None:
    customer = keying(number(optional=True), number("other", confirm=False)).keys("135790").wait(2.0)
    customer.capture.skip("account", customer.now)
    customer.wait(2.0).keys("246802").wait(1.0)
    assert customer.capture.state is CaptureState.READY
    assert handed(customer) == {"account": "", "other": "246802"}


def test_an_account_that_does_not_fit_a_new_sort_code_is_keyed_twice_again() -> None:
    sort_code = FormField(name="sort_code", kind="sort_code")
    account = FormField(name="account", kind="uk_account", confirm=True)
    customer = keying(sort_code, account).keys("089999").wait(2.0)
    customer.keys("66374958").wait(2.0).keys("66374958").wait(1.0)
    assert customer.capture.state is CaptureState.READY
    customer.capture.ask("sort_code", customer.now)
    customer.wait(2.0).keys("203099").wait(2.0)
    refused = of(customer, "account")
    assert (refused.reason, refused.complete) == (FieldReason.ACCOUNT_NUMBER_CHECK, False)
    assert not of(customer, "account_again").complete
    assert customer.capture.changed().field == "account"


@pytest.mark.parametrize("second", ["135791", "1357900"])
def test_a_difference_refuses_both_where_another_field_was_asked_for_between_them(second: str) -> None:
    plain = [number(name, confirm=False) for name in ("other", "third")]
    customer = keying(number(), *plain).keys("135790").wait(2.0)
    customer.capture.ask("other", customer.now)
    customer.wait(2.0).keys("222222").wait(2.0)
    assert customer.capture.changed().field == "account_again"
    customer.keys(second).wait(4.0)
    assert (of(customer, "account").rejected, of(customer, "account").complete) == (1, False)
    assert of(customer, "other").complete
    customer.keys("135790").wait(2.0).keys("135790").wait(2.0).keys("333333").wait(2.0)
    assert handed(customer) == {"account": "135790", "other": "222222", "third": "333333"}


def test_a_card_number_that_is_keyed_twice_is_compared_and_shown_as_ever() -> None:
    number_field, expiry, code = card_fields()
    twice = FormField(name=number_field.name, kind="card_number", confirm=True)
    customer = keying(twice, expiry, code).keys(f"{VISA}#").wait(2.0)
    assert customer.capture.changed().last_four is None  # not before both are there
    customer.keys(f"{OTHER}#").wait(4.0)
    assert of(customer, "card_number").reason is FieldReason.ENTRIES_DIFFER
    customer.keys(f"{VISA}#").wait(2.0).keys(f"{VISA}#").wait(2.0).keys("1139").wait(2.0).keys("993").wait(
        2.0
    )
    assert customer.capture.changed().last_four == "1111"
    assert handed(customer) == {"card_number": VISA, "expiry": "1139", "security_code": "993"}
