"""The fields of a form on their way: nothing shows a digit, and none of a card's is among them."""

from __future__ import annotations

import copy
import pickle
import time
import traceback

import pytest

from provider_adapters.keyed import (
    CARD_FIELDS,
    MAX_DIGITS,
    MAX_FIELDS,
    BadFields,
    FormBlock,
    KeyedFields,
    Wiped,
)

VALUES = {"sort_code": "200415", "account_number": "38290008", "house_number": "17", "pin": "4826"}


def block(values: dict[str, str] | None = None) -> FormBlock:
    values = VALUES if values is None else values
    made = FormBlock([(name, len(text)) for name, text in values.items()])
    made.space()[:] = "".join(values.values()).encode()
    return made


@pytest.fixture
def fields() -> KeyedFields:
    return block().fields()


def test_each_field_is_revealed_whole_and_in_its_place(fields: KeyedFields) -> None:
    assert {name: each.reveal() for name, each in fields.fields.items()} == VALUES


@pytest.mark.parametrize("name", CARD_FIELDS)
def test_a_field_of_a_card_is_refused(name: str) -> None:
    with pytest.raises(BadFields):
        FormBlock([("sort_code", 6), (name, 4)])


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("a", 1), ("a", 1)],
        [("a", -1)],
        [("a", MAX_DIGITS + 1)],
        [("a", 0), ("b", 0)],
        [("Upper", 1)],
        [("", 1)],
        [("x" * 65, 1)],
        [("card number", 1)],
        [(f"f{number}", 1) for number in range(MAX_FIELDS + 1)],
    ],
)
def test_what_no_form_has_is_refused(fields: list[tuple[str, int]]) -> None:
    with pytest.raises(BadFields):
        FormBlock(fields)


def test_the_largest_form_fits_into_its_page() -> None:
    made = block({f"f{number}": "7" * MAX_DIGITS for number in range(MAX_FIELDS)})
    assert [len(each) for each in made.fields().fields.values()] == [MAX_DIGITS] * MAX_FIELDS


def test_what_is_no_digit_is_refused_without_being_shown() -> None:
    made = block(VALUES | {"pin": "48x6"})
    with pytest.raises(BadFields) as caught:
        made.fields()
    assert "48" not in "".join(traceback.format_exception(caught.value))


def test_nothing_of_it_is_shown_pickled_or_copied(fields: KeyedFields) -> None:
    made = block()
    each = fields.fields["account_number"]
    for text in (repr(fields), str(fields), f"{fields}", repr(each), f"{each}", repr(made)):
        assert not set(text) & set("0123456789")
    for secret in (fields, each, made):
        with pytest.raises(TypeError):
            pickle.dumps(secret)
        with pytest.raises(TypeError):
            copy.deepcopy(secret)


def test_wiping_overwrites_the_page_itself() -> None:
    made = block()
    fields = made.fields()
    fields.wipe()
    assert not any(made.space())
    for each in fields.fields.values():
        with pytest.raises(Wiped):
            each.reveal()
    fields.wipe()  # twice is harmless
    other = block()
    other.wipe()
    assert not any(other.space())


@pytest.mark.parametrize(
    "text",
    ["200415", "M-38290008", "829000 is wrong", "38-29-00-08", "8000928", "MzgyOTAwMDg=", "4826",
     "no 17 here", "6-2-8-4"],
)  # fmt: skip
def test_an_identifier_that_quotes_a_field_is_recognised(fields: KeyedFields, text: str) -> None:
    assert fields.quoted_in(text)
    assert fields.told_in(text)


@pytest.mark.parametrize("text", ["account 3829", "ends in 0008", "20-04"])
def test_four_digits_in_a_row_are_enough_in_a_text_for_people(fields: KeyedFields, text: str) -> None:
    assert fields.told_in(text)
    assert not fields.quoted_in(text)


@pytest.mark.parametrize("text", ["", "The mandate is set up.", "ref 9d7b18a1-7390", "M-20271130", "DD 117"])
def test_texts_without_a_field_are_left_alone(fields: KeyedFields, text: str) -> None:
    assert not fields.quoted_in(text)
    assert not fields.told_in(text)


def test_a_skipped_field_is_in_no_text() -> None:
    fields = block({"sort_code": "200415", "house_number": ""}).fields()
    assert not fields.told_in("nothing 0 here")
    assert fields.fields["house_number"].reveal() == ""


def test_much_text_costs_little() -> None:
    fields = block({f"f{number}": "7812" * 16 for number in range(MAX_FIELDS)}).fields()
    began = time.process_time()
    for text in ("9" * 65536, "91 " * 20000, "NDEx" * 16000, "%34" * 20000, "&#52;" * 12000):
        fields.told_in(text)
    assert time.process_time() - began < 10
