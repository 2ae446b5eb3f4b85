"""The secrets of a card show nothing of themselves."""

import base64
import copy
import pickle
import time
import traceback

import pytest

from media.capture.form_rules import CARD
from provider_adapters.card import FIELDS, BadCard, Card, CardBlock
from provider_adapters.keyed import BadFields, Wiped

NUMBER, EXPIRY, CODE = b"4111111111111111", b"1229", b"739"


def block(number: bytes = NUMBER, expiry: bytes = EXPIRY, code: bytes = CODE) -> CardBlock:
    made = CardBlock(list(zip(FIELDS, map(len, (number, expiry, code)), strict=True)))
    made.space()[:] = number + expiry + code
    return made


@pytest.fixture
def card() -> Card:
    return block().card()


def test_an_adapter_reads_what_was_received(card: Card) -> None:
    assert card.pan.reveal().encode() == NUMBER
    assert card.expiry.reveal() == (12, 2029)
    assert card.security_code.reveal().encode() == CODE


def test_a_card_without_a_security_code_is_a_card() -> None:
    assert block(code=b"").card().security_code.reveal() == ""


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, lambda secret: f"{secret}"])
def test_no_representation_holds_a_digit(card: Card, show) -> None:
    for thing in (card, card.pan, card.expiry, card.security_code, block()):
        assert not any(sign.isdigit() for sign in show(thing))


def test_secrets_are_neither_pickled_nor_copied(card: Card) -> None:
    for thing in (card, card.pan, card.expiry, card.security_code, block()):
        for way in (pickle.dumps, copy.copy, copy.deepcopy):
            if thing is card and way is copy.copy:
                continue  # a second frame around the same three secrets
            with pytest.raises(TypeError) as caught:
                way(thing)
            assert not any(sign.isdigit() for sign in str(caught.value))


def test_a_secret_equals_only_itself(card: Card) -> None:
    assert card.pan != NUMBER.decode()
    assert card.pan != block().card().pan
    assert card.pan == card.pan


def test_wiping_overwrites_the_page_itself() -> None:
    made = block()
    card = made.card()
    card.wipe()
    assert bytes(made.space()) == bytes(len(NUMBER + EXPIRY + CODE))
    for secret in (card.pan, card.expiry, card.security_code):
        with pytest.raises(Wiped):
            secret.reveal()
    card.wipe()  # twice is harmless
    other = block()
    other.wipe()
    assert not any(other.space())


@pytest.mark.parametrize("lengths", [(11, 4, 3), (20, 4, 3), (16, 3, 3), (16, 4, 2), (16, 4, 5), (-1, 4, 3)])
def test_lengths_that_no_card_has_are_refused(lengths: tuple[int, int, int]) -> None:
    with pytest.raises(BadCard):
        CardBlock(list(zip(FIELDS, lengths, strict=True)))


@pytest.mark.parametrize(
    "names", [("card_number", "expiry"), ("expiry", "card_number", "security_code"), (*FIELDS, "expiry"), ()]
)
def test_fields_that_no_card_has_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(BadCard):
        CardBlock([(name, FIELDS[name][0]) for name in names])


def test_the_payer_takes_every_card_that_the_form_lets_through() -> None:
    assert list(FIELDS) == [rules.field.value for rules in CARD.rules]
    for rules in CARD.rules:
        assert rules.max_length == max(FIELDS[rules.field])


def test_what_is_no_digit_is_refused_without_being_shown() -> None:
    made = block(number=NUMBER[:-1] + b"x")
    with pytest.raises(BadFields) as caught:
        made.card()
    assert "4111" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "text",
    ["4111111111111111", "4111 1111 1111 1111", "no. 4111-1111-1111-1111!", "\uff14111 1111 1111 1111"],
)
def test_a_text_that_quotes_the_number_is_recognised(card: Card, text: str) -> None:
    assert card.quoted_in(text)
    assert card.told_in(text)


def test_the_security_code_counts_as_told_where_it_stands_alone(card: Card) -> None:
    assert card.told_in("code 739 is wrong")
    assert not card.told_in("reference 17390")
    assert not card.quoted_in("a739b-17390")
    assert card.quoted_in("739")
    assert card.quoted_in("auth-739")
    assert not block(code=b"").card().told_in("nothing 0 here")


@pytest.mark.parametrize(
    "text",
    [
        "first half 41111111",
        "11111111",
        "4111x1111y1111z1111",
        "1111111111111114",  # backwards
        "%34%31%31%31%31%31%31%31%31%31%31%31%31%31%31%31",
        "&#52;&#49;&#49;&#49;&#49;&#49;&#49;&#49;&#49;",
        "34313131313131313131313131313131",
        "34:31:31:31:31:31:31:31:31:31:31:31:31:31:31:31",
        "NDExMTExMTExMTExMTExMQ==",
        "tok_" + base64.urlsafe_b64encode(b"x4111111111111111").decode(),
        base64.b32encode(b"4111111111111111").decode(),
        base64.b64encode(b"pan=4111111111111111;").hex(),
        base64.b64encode("4111111111111111".encode("utf-16-le")).decode(),
        "\u0664\u0661\u0661\u0661\u0661\u0661\u0661\u0661",
        "NzM5",  # the code
        "373339",
    ],
)
def test_halves_and_encodings_are_recognised(card: Card, text: str) -> None:
    assert card.quoted_in(text)
    assert card.told_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "ch_3PqK2eLkdIwHu7ix0A1b2C3d",
        "9d7b6e1a-7390-4c1d-8e22-1f0a739b5c11",
        "authorisation 100234",
        "4111 11** **** 1234",
        "\u00a0\u0000%zz&#x;====",
        "x" * 100_000,
    ],
)
def test_identifiers_of_providers_are_left_alone(card: Card, text: str) -> None:
    assert not card.quoted_in(text)


def test_much_text_costs_little(card: Card) -> None:
    began = time.process_time()
    for text in ("4" * 65536, "41 " * 20000, "NDEx" * 16000, "%34" * 20000, "&#52;" * 12000):
        card.told_in(text)
    assert time.process_time() - began < 5
