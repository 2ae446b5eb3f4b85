"""Amounts in prompts: numbers and plurals of each language, and a recording for each of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.call.spoken_amount import LANGUAGES, speak_amount
from media.prompts.sentences import SENTENCES


def words(amount: int, currency: str, language: str) -> str:
    return " ".join(SENTENCES[language][name] for name in speak_amount(amount, currency, language))


@pytest.mark.parametrize(
    ("amount", "currency", "english"),
    [
        (0, "GBP", "zero pounds"),
        (1, "GBP", "one penny"),
        (100, "GBP", "one pound"),
        (1999, "EUR", "nineteen euros and ninety nine cents"),
        (10100, "USD", "one hundred and one dollars"),
        (100_001, "USD", "one thousand dollars and one cent"),
        (100_100, "GBP", "one thousand and one pounds"),
        (123_456_78, "GBP", "one hundred and twenty three thousand four hundred and fifty six pounds "
         "and seventy eight pence"),
        (2_000_050, "EUR", "twenty thousand euros and fifty cents"),
    ],
)  # fmt: skip
def test_an_amount_in_english(amount, currency, english):
    assert words(amount, currency, "en") == english


@pytest.mark.parametrize(
    ("amount", "currency", "polish"),
    [
        (0, "PLN", "zero złotych"),
        (100, "PLN", "jeden złoty"),
        (200, "PLN", "dwa złote"),
        (500, "PLN", "pięć złotych"),
        (1200, "PLN", "dwanaście złotych"),
        (2100, "PLN", "dwadzieścia jeden złotych"),
        (2200, "PLN", "dwadzieścia dwa złote"),
        (11200, "PLN", "sto dwanaście złotych"),
        (101, "PLN", "jeden złoty i jeden grosz"),
        (100_000, "PLN", "tysiąc złotych"),
        (234_502, "EUR", "dwa tysiące trzysta czterdzieści pięć euro i dwa centy"),
        (500_022, "GBP", "pięć tysięcy funtów i dwadzieścia dwa pensy"),
        (2_100_000, "PLN", "dwadzieścia jeden tysięcy złotych"),
    ],
)
def test_an_amount_in_polish(amount, currency, polish):
    assert words(amount, currency, "pl") == polish


@pytest.mark.parametrize(
    ("amount", "currency", "language"),
    [
        (100, "JPY", "en"),
        (100, "KWD", "en"),
        (-1, "EUR", "en"),
        (100_000_000, "EUR", "en"),
        (100, "EUR", "de"),
    ],
)
def test_what_cannot_be_said_right_is_not_said(amount, currency, language):
    assert speak_amount(amount, currency, language) == ()


@given(
    st.integers(0, 99_999_999),
    st.sampled_from(["EUR", "GBP", "PLN", "USD"]),
    st.sampled_from(sorted(LANGUAGES)),
)
def test_every_amount_is_made_of_prompts_that_are_shipped_and_fits_one_play(amount, currency, language):
    names = speak_amount(amount, currency, language)
    assert names
    assert set(names) <= SENTENCES[language].keys()
    assert len(names) <= 30  # of 64 in one play
    assert speak_amount(amount, currency, f"{language}-gb") == names


@given(
    st.lists(st.integers(0, 99_999_999), min_size=2, max_size=2, unique=True), st.sampled_from(["en", "pl"])
)
def test_two_amounts_are_never_said_alike(amounts, language):
    first, second = (speak_amount(each, "EUR", language) for each in amounts)
    assert first != second
