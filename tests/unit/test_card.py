"""The secrets of a card show nothing of themselves."""

import copy
import pickle
import traceback

import pytest

from provider_adapters.card import BadCard, Card, CardBlock, Wiped

NUMBER, EXPIRY, CODE = b"4111111111111111", b"1229", b"739"


def block(number: bytes = NUMBER, expiry: bytes = EXPIRY, code: bytes = CODE) -> CardBlock:
    made = CardBlock(len(number), len(expiry), len(code))
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
        CardBlock(*lengths)


def test_what_is_no_digit_is_refused_without_being_shown() -> None:
    made = block(number=NUMBER[:-1] + b"x")
    with pytest.raises(BadCard) as caught:
        made.card()
    assert "4111" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "text", ["4111111111111111", "4111 1111 1111 1111", "no. 4111-1111-1111-1111!", "\uff14111 1111 1111 1111"]
)
def test_a_text_that_quotes_the_number_is_recognised(card: Card, text: str) -> None:
    assert card.quoted_in(text)
    assert card.told_in(text)


def test_the_security_code_counts_as_told_where_it_stands_alone(card: Card) -> None:
    assert card.told_in("code 739 is wrong")
    assert not card.told_in("reference 17390")
    assert not card.quoted_in("code 739 is wrong")
    assert not block(code=b"").card().told_in("nothing 0 here")
