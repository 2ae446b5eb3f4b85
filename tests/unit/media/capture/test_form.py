"""The machine, the vault and the capture follow the description of a form, whatever its fields."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date

from media import form_description
from media._core import SecretMemory
from media.capture.brands import _RANGES
from media.capture.capture import Capture
from media.capture.card_form import check_expiry
from media.capture.check import COMPLETE, INCOMPLETE, Check
from media.capture.form import FieldRules, Form, Keyed
from media.capture.form_rules import CARD
from media.capture.vault import SIZE
from media.events import CaptureChanged, CaptureId, CaptureState, Field
from provider_adapters.payment import Approved, Charge, Outcome

TODAY = date(2026, 11, 30)
APPROVED = Approved(reference="r")


def six_digits(keyed: Keyed) -> Check:
    return COMPLETE if len(keyed.digits[Field.SECURITY_CODE]) == 6 else INCOMPLETE


# No card's: a code of six digits, and a month.
OTHER = Form(
    "other",
    (
        FieldRules(Field.SECURITY_CODE, max_length=20, check=six_digits),
        FieldRules(
            Field.EXPIRY,
            max_length=4,
            check=lambda keyed: check_expiry(
                keyed.digits[Field.EXPIRY], (keyed.today.year, keyed.today.month), ended=keyed.ended
            ),
        ),
    ),
)


class Pipe:
    def __init__(self) -> None:
        self.handed: dict[str, bytes] = {}

    async def _answer(self) -> Outcome:
        return APPROVED

    def spend(self, charge: Charge, digits: Mapping[str, memoryview]):
        del charge
        self.handed = {name: bytes(view) for name, view in digits.items()}
        return self._answer()


def press(capture: Capture[SecretMemory], text: str, now: float) -> CaptureChanged:
    def fill(memory: SecretMemory, offset: int) -> int:
        with memoryview(memory) as view:
            view[offset : offset + len(text)] = text.encode()
        return len(text)

    capture.keys_waiting(fill, now)
    return capture.changed()


def test_a_form_is_keyed_in_its_own_order_and_handed_over_in_that_of_the_payer() -> None:
    capture = Capture(CaptureId("c"), SecretMemory(SIZE), today=TODAY, now=0.0, form=OTHER)
    assert [each.field for each in capture.changed().fields] == [Field.SECURITY_CODE, Field.EXPIRY]
    assert press(capture, "123456", 1.0).field == Field.EXPIRY
    change = press(capture, "1229#", 5.0)
    assert change.state is CaptureState.READY
    assert (change.brand, change.last_four) == (None, None)
    capture.submit(6.0)
    pipe = Pipe()
    charge = Charge(idempotency_key="k", transaction_id="t", amount=1, currency="EUR")
    capture.settle(asyncio.run(capture.spend(pipe, charge)), 7.0)
    assert list(pipe.handed.items()) == [
        ("card_number", b""), ("expiry", b"1229"), ("security_code", b"123456"),
    ]  # fmt: skip


def test_a_key_too_many_is_refused_with_the_field_that_no_check_digit_proves() -> None:
    capture = Capture(CaptureId("c"), SecretMemory(SIZE), today=TODAY, now=0.0, form=OTHER)
    press(capture, "1234561", 1.0)
    capture.expire(2.5)
    code, expiry = capture.changed().fields
    assert (code.count, code.rejected, expiry.count) == (0, 1, 0)


def test_the_description_of_the_card_form_is_of_its_fields_and_of_brands_that_there_are() -> None:
    described = form_description.CARD.fields
    assert [each.field for each in described] == list(CARD.fields)
    names = {brand.name for *_, brand in _RANGES}
    for each in described:
        usual = [each.usual_length, *each.usual_length_by_brand.values()]
        assert all(each.min_length <= length <= each.max_length for length in usual)
        assert set(each.usual_length_by_brand) <= names
    assert [each.field for each in described if each.last_shown] == [Field.CARD_NUMBER]


def test_a_form_knows_its_neighbours() -> None:
    assert (CARD.first, CARD.last) == (Field.CARD_NUMBER, Field.SECURITY_CODE)
    assert CARD.before(Field.CARD_NUMBER) == Field.CARD_NUMBER
    assert CARD.before(Field.SECURITY_CODE) is CARD.after(Field.CARD_NUMBER) == Field.EXPIRY
    assert CARD.from_field(Field.EXPIRY) == (Field.EXPIRY, Field.SECURITY_CODE)
    assert CARD.fields == tuple(Field)
