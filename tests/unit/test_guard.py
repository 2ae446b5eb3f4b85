"""Challenging others: which answers are good, once, for how long, and who is no longer listened to."""

from __future__ import annotations

import re

import pytest

from b2bua.sip.auth import Digest, Pin
from b2bua.sip.guard import LIFE, MOST_GUESSES, REST, Guard, Verdict, name_in
from tests.unit.test_sip_auth import challenge

KEY = b"k" * 32


def answered(guard: Guard, now: float = 0.0, password: str = "p", method: str = "INVITE", which: int = 0) -> str:
    """What our own client makes of a challenge of the guard's."""
    asked = guard.lines(now, "WWW-Authenticate")[which].partition(": ")[2]
    line = Digest("u", password, Pin()).answer(challenge(asked), method, "sip:a@b", 0, "c", opening=True)
    assert line is not None
    return line.partition(": ")[2]


def verify(guard: Guard, value: str, now: float = 0.0, method: str = "INVITE", request: str = "1") -> Verdict:
    return guard.verify(value, method, "u", "p", request, now)


@pytest.mark.parametrize("which", [0, 1], ids=["SHA-256", "MD5"])
def test_the_right_answer_is_good_once(which: int):
    guard = Guard("tonewall", KEY)
    value = answered(guard, which=which)
    assert verify(guard, value) is Verdict.GOOD
    assert verify(guard, value) is Verdict.GOOD  # the same request, sent again
    assert verify(guard, value, request="2") is Verdict.STALE  # heard by somebody else, and used for another


def test_the_stronger_is_asked_for_first_and_both_are_of_one_nonce():
    first, second = Guard("tonewall", KEY).lines(0.0, "Proxy-Authenticate")
    assert "algorithm=SHA-256" in first
    assert "algorithm=MD5" in second
    assert re.findall('nonce="[^"]+"', first) == re.findall('nonce="[^"]+"', second)


def test_an_old_nonce_is_stale_and_one_that_is_not_ours_is_worth_nothing():
    guard = Guard("tonewall", KEY)
    assert verify(guard, answered(guard), now=LIFE + 1) is Verdict.STALE
    assert verify(guard, answered(Guard("tonewall", b"other"))) is Verdict.BAD


@pytest.mark.parametrize(
    "change",
    [
        ("username=\"u\"", "username=\"v\""),
        ("realm=\"tonewall\"", "realm=\"other\""),
        ("qop=auth", "qop=auth-int"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=00000002"),
        ("sip:a@b", "sip:a@c"),
        ("cnonce=\"c\"", "cnonce=\"d\""),
        ("algorithm=SHA-256", "algorithm=SHA-512"),
        ("algorithm=SHA-256", "algorithm=MD5"),
        ("Digest ", "Basic "),
        ("nonce=\"", "nonce=\"\u00e9"),
    ],
)  # fmt: skip
def test_an_answer_that_was_changed_is_worth_nothing(change: tuple[str, str]):
    guard = Guard("tonewall", KEY)
    value = answered(guard)
    assert change[0] in value
    assert verify(guard, value.replace(*change, 1)) is Verdict.BAD


def test_a_wrong_password_and_another_method_are_worth_nothing():
    guard = Guard("tonewall", KEY)
    assert verify(guard, answered(guard, password="q")) is Verdict.BAD
    assert verify(guard, answered(guard), method="REGISTER") is Verdict.BAD
    assert verify(guard, "") is Verdict.BAD
    assert name_in(answered(guard)) == "u"
    assert name_in("nonsense") == ""


def test_a_source_that_guesses_is_not_answered_for_a_while():
    guard = Guard("tonewall", KEY)
    for _ in range(MOST_GUESSES):
        assert guard.patient("192.0.2.1", 10.0)
        guard.guessed("192.0.2.1", 10.0)
    assert not guard.patient("192.0.2.1", 11.0)
    assert guard.patient("192.0.2.2", 11.0)
    assert guard.patient("192.0.2.1", 11.0 + REST)


def test_what_is_kept_is_bounded_and_the_key_is_in_no_representation():
    guard = Guard("tonewall", KEY)
    for number in range(5000):
        guard.guessed(f"source {number}", 0.0)
        verify(guard, answered(guard))
    assert max(len(guard._used), len(guard._guesses)) == 4096
    assert "kkkk" not in repr(guard)
