"""Which prompt stands in the place of one that nobody has recorded."""

from __future__ import annotations

import pytest

from media.prompts.names import fallbacks, is_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("card_number", ["card_number", "field"]),
        ("card_number.2", ["card_number.2", "card_number", "field.2", "field"]),
        (
            "card_number.error.card_brand.2",
            [
                "card_number.error.card_brand.2",
                "card_number.error.card_brand",
                "card_number.error",
                "field.error.card_brand.2",
                "field.error.card_brand",
                "field.error",
            ],
        ),
        ("approved", ["approved"]),
        ("approved.visa", ["approved.visa", "approved"]),
        ("number-12", ["number-12"]),
        ("currency-gbp-few", ["currency-gbp-few"]),
        ("field.error", ["field.error"]),
        (
            "account_number.confirm.2",
            [
                "account_number.confirm.2",
                "account_number.confirm",
                "field.confirm.2",
                "field.confirm",
                "account_number",
                "field",
            ],
        ),
        ("confirm.2", ["confirm.2", "confirm"]),
        ("tone-complete", ["tone-complete"]),
    ],
)
def test_the_most_special_prompt_comes_first(name, expected):
    assert list(fallbacks(name)) == expected


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a..b", ".a", "a.", "a/b", "A", "a b", "a" * 65, "a.b.c.d.e.f.g", "ą"]
)
def test_what_is_no_name_of_a_file_is_none(name):
    assert not is_name(name)


def test_names_are_names():
    assert all(map(is_name, ("card_number", "a.b.c.d.e.f", "number-7", "en", "x" * 64)))
