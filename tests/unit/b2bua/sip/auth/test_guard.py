"""Challenging others: which answers are good, once, for how long, and who is no longer listened
to."""

from __future__ import annotations

import re
from typing import Any

import pytest

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.auth.challenger import (
    BLOCK_TIME,
    MAX_GUESSES,
    NONCE_LIFE,
    CredentialStatus,
    DigestChallenger,
    username_in,
)
from b2bua.sip.auth.digest import Digest, Pin
from b2bua.sip.hop import Hop
from b2bua.sip.message.message import Request, parse_message
from tests.unit.b2bua.sip.auth.challenges import challenge

KEY = b"k" * 32
TRUNK = Trunk("pbx", "dynamic", 0, username="u", password="p")
HERE = Hop("192.0.2.9", 5060)


def answered(
    guard: DigestChallenger, now: float = 0.0, password: str = "p", method: str = "INVITE", which: int = 0
) -> str:
    """What our own client makes of a challenge of the guard's."""
    asked = guard.challenge_lines(now, HERE.host, "WWW-Authenticate")[which].partition(": ")[2]
    line = Digest("u", password, Pin()).answer_challenge(
        challenge(asked), method, "sip:a@b", 0, "c", opening=True
    )
    assert line is not None
    return line.partition(": ")[2]


def verify(
    guard: DigestChallenger,
    value: str,
    now: float = 0.0,
    method: str = "INVITE",
    uri: str = "sip:a@b",
    request: tuple[str, int, str] = ("1", 1, "t"),
    source: Hop = HERE,
) -> CredentialStatus:
    """`request`: Call-ID, CSeq and From tag."""
    call_id, cseq, tag = request
    text = (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:u@b>;tag={tag}\r\nTo: "
        "<sip:a@b>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nAuthorization: {value}\r\n\r\n"
    )
    read_ = parse_message(text.encode(), source)
    assert isinstance(read_, Request)
    return guard.check_credentials(read_, "Authorization", TRUNK, now)


@pytest.mark.parametrize("which", [0, 1], ids=["SHA-256", "MD5"])
def test_the_right_answer_is_good_once(which: int):
    guard = DigestChallenger("tonewall", KEY)
    value = answered(guard, which=which)
    assert verify(guard, value) is CredentialStatus.GOOD
    assert verify(guard, value) is CredentialStatus.GOOD  # the same request, sent again


@pytest.mark.parametrize(
    "other",
    [
        {"request": ("2", 1, "t")},
        {"request": ("1", 2, "t")},
        {"request": ("1", 1, "u")},
        {"uri": "sip:a@c"},
        {"source": HERE._replace(port=5070)},
    ],
)
def test_an_answer_that_somebody_heard_is_not_good_for_another_request(other: dict[str, Any]):
    guard = DigestChallenger("tonewall", KEY)
    value = answered(guard)
    assert verify(guard, value) is CredentialStatus.GOOD
    assert verify(guard, value, **other) is CredentialStatus.STALE
    assert verify(guard, value, uri="sip:0900@b") is CredentialStatus.BAD
    assert verify(guard, value, source=Hop("192.0.2.66", 5060)) is CredentialStatus.FOREIGN


def test_a_proxy_may_write_another_host_into_the_request_uri():
    guard = DigestChallenger("tonewall", KEY)
    assert verify(guard, answered(guard), uri="sip:a@192.0.2.1:5080;transport=tcp") is CredentialStatus.GOOD


def test_the_stronger_is_asked_for_first_and_both_are_of_one_nonce():
    first, second = DigestChallenger("tonewall", KEY).challenge_lines(0.0, HERE.host, "Proxy-Authenticate")
    assert "algorithm=SHA-256" in first
    assert "algorithm=MD5" in second
    assert re.findall('nonce="[^"]+"', first) == re.findall('nonce="[^"]+"', second)


def test_an_old_nonce_is_stale_and_one_that_is_not_ours_is_worth_nothing():
    guard = DigestChallenger("tonewall", KEY)
    assert verify(guard, answered(guard), now=NONCE_LIFE + 1) is CredentialStatus.STALE
    assert verify(guard, answered(DigestChallenger("tonewall", b"other"))) is CredentialStatus.FOREIGN


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
    ],
)  # fmt: skip
def test_an_answer_that_was_changed_is_worth_nothing(change: tuple[str, str]):
    guard = DigestChallenger("tonewall", KEY)
    value = answered(guard)
    assert change[0] in value
    assert verify(guard, value.replace(*change, 1)) is CredentialStatus.BAD


def test_a_wrong_password_and_another_method_are_worth_nothing():
    guard = DigestChallenger("tonewall", KEY)
    assert verify(guard, answered(guard, password="q")) is CredentialStatus.BAD
    assert verify(guard, answered(guard), method="REGISTER") is CredentialStatus.BAD
    assert verify(guard, "junk") is CredentialStatus.FOREIGN
    assert verify(guard, answered(guard).replace("Digest ", "Basic ")) is CredentialStatus.FOREIGN
    assert verify(guard, answered(guard).replace('nonce="', 'nonce="\u00e9')) is CredentialStatus.FOREIGN
    assert username_in(answered(guard)) == "u"
    assert username_in("nonsense") == ""


def test_a_source_that_guesses_is_not_answered_for_a_while():
    guard = DigestChallenger("tonewall", KEY)
    for _ in range(MAX_GUESSES):
        assert guard.still_answers(HERE.host, 10.0)
        assert verify(guard, answered(guard, password="q", now=10.0), 10.0) is CredentialStatus.BAD
    assert not guard.still_answers(HERE.host, 11.0)
    assert verify(guard, answered(guard, now=11.0), 11.0) is CredentialStatus.BAD  # right, and too late
    assert guard.still_answers("192.0.2.2", 11.0)
    assert guard.still_answers(HERE.host, 11.0 + BLOCK_TIME)


def test_what_answers_no_nonce_that_the_source_was_given_is_no_guess_of_its():
    guard = DigestChallenger("tonewall", KEY)
    for value in ("junk", answered(DigestChallenger("tonewall", b"other"), password="q")):
        for _ in range(MAX_GUESSES + 1):
            assert verify(guard, value) is CredentialStatus.FOREIGN
    assert verify(guard, answered(guard)) is CredentialStatus.GOOD


def test_what_is_kept_is_bounded_and_the_key_is_in_no_representation():
    guard = DigestChallenger("tonewall", KEY)
    for number in range(4200):
        guard._count_guess(f"source {number}", 0.0)
        verify(guard, answered(guard))
    assert max(len(guard._used), len(guard._guesses)) == 4096
    assert "kkkk" not in repr(guard)
