"""Digest: the worked examples of the RFCs, and what must not be answered."""

from __future__ import annotations

import re

from b2bua.sip.auth.digest import Digest, Pin, parse_challenges
from tests.unit.b2bua.sip.auth.challenges import challenge

MUFASA = 'realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"'  # noqa: E501
HTTP_AUTH = 'realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"'  # noqa: E501


def parts(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', line)}


def test_the_example_of_rfc_2617_with_md5():
    digest = Digest("Mufasa", "Circle Of Life", Pin())
    line = digest.answer_challenge(
        challenge(f"Digest {MUFASA}"), "GET", "/dir/index.html", 0, "0a4f113b", opening=True
    )
    assert line.startswith("Authorization: Digest ")
    answer = parts(line)
    assert answer["response"] == "6629fae49393a05397450978507c4ef1"
    assert (answer["nc"], answer["qop"], answer["opaque"]) == ("00000001", "auth", "5ccc")


def test_the_examples_of_rfc_7616_with_sha_256_and_md5():
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    for algorithm, response in (
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
    ):
        digest = Digest("Mufasa", "Circle of Life", Pin())
        asked = challenge(f"Digest {HTTP_AUTH}, algorithm={algorithm}")
        assert (
            parts(digest.answer_challenge(asked, "GET", "/dir/index.html", 0, cnonce, opening=True))[
                "response"
            ]
            == response
        )


def test_the_stronger_of_two_challenges_is_answered():
    asked = challenge(
        f"Digest {HTTP_AUTH}, algorithm=MD5", f"Digest {HTTP_AUTH}, algorithm=SHA-256", code=407
    )
    assert [one.algorithm for one in parse_challenges(asked)] == ["sha-256", "md5"]
    line = Digest("Mufasa", "x", Pin()).answer_challenge(asked, "INVITE", "sip:a@b", 0, "c", opening=True)
    assert line.startswith("Proxy-Authorization: Digest ")
    assert parts(line)["algorithm"] == "SHA-256"


def test_without_qop_the_answer_has_no_count_and_no_cnonce():
    line = Digest("u", "p", Pin()).answer_challenge(
        challenge('Digest realm="r", nonce="n"'), "INVITE", "sip:a@b", 0, "c", opening=True
    )
    assert "nc=" not in line
    assert "cnonce" not in line


def test_the_count_goes_up_while_the_nonce_stays():
    digest = Digest("u", "p", Pin())
    asked = challenge('Digest realm="r", nonce="n", qop="auth"')
    counts = [
        parts(digest.answer_challenge(asked, "INVITE", "sip:a@b", 0, "c", opening=True))["nc"]
        for _ in range(2)
    ]
    other = challenge('Digest realm="r", nonce="m", qop="auth"')
    counts.append(parts(digest.answer_challenge(other, "INVITE", "sip:a@b", 0, "c", opening=True))["nc"])
    assert counts == ["00000001", "00000002", "00000001"]


def test_a_wrong_password_is_tried_once_and_a_stale_nonce_once_more():
    plain, stale = (challenge(f'Digest realm="r", nonce="n"{more}') for more in ("", ", stale=TRUE"))
    digest = Digest("u", "p", Pin())
    assert digest.answer_challenge(plain, "INVITE", "sip:a@b", 0, "c", opening=True)
    assert digest.answer_challenge(plain, "INVITE", "sip:a@b", 1, "c", opening=True) is None
    assert digest.answer_challenge(stale, "INVITE", "sip:a@b", 1, "c", opening=True)
    assert digest.answer_challenge(stale, "INVITE", "sip:a@b", 2, "c", opening=True) is None


def test_another_realm_later_in_the_leg_is_not_answered():
    digest = Digest("u", "p", Pin())
    assert digest.answer_challenge(
        challenge('Digest realm="r", nonce="n"'), "INVITE", "sip:a@b", 0, "c", opening=True
    )
    assert (
        digest.answer_challenge(
            challenge('Digest realm="thief", nonce="n"'), "BYE", "sip:a@b", 0, "c", opening=True
        )
        is None
    )


def test_before_the_realm_is_known_nothing_within_a_dialog_is_answered():
    asked = challenge('Digest realm="r", nonce="n"')
    digest = Digest("u", "p", Pin())
    assert digest.answer_challenge(asked, "BYE", "sip:a@b", 0, "c", opening=False) is None
    assert digest.answer_challenge(asked, "INVITE", "sip:a@b", 0, "c", opening=True)
    assert digest.answer_challenge(asked, "BYE", "sip:a@b", 0, "c", opening=False)


def test_a_configured_realm_is_the_only_one():
    digest = Digest("u", "p", Pin("own"))
    assert (
        digest.answer_challenge(
            challenge('Digest realm="r", nonce="n"'), "REGISTER", "sip:b", 0, "c", opening=True
        )
        is None
    )
    assert digest.answer_challenge(
        challenge('Digest realm="own", nonce="n"'), "BYE", "sip:b", 0, "c", opening=False
    )


def test_the_realm_is_the_trunks_not_the_legs():
    pin = Pin()
    assert Digest("u", "p", pin).answer_challenge(
        challenge('Digest realm="r", nonce="n"'), "INVITE", "sip:b", 0, "c", opening=True
    )
    other = challenge('Digest realm="thief", nonce="n"')
    assert Digest("u", "p", pin).answer_challenge(other, "INVITE", "sip:b", 0, "c", opening=True) is None


def test_a_trunk_without_credentials_answers_nothing():
    assert (
        Digest("", "", Pin()).answer_challenge(
            challenge('Digest realm="r", nonce="n"'), "INVITE", "sip:a@b", 0, "c", opening=True
        )
        is None
    )


def test_what_cannot_be_answered_is_not():
    for value in (
        "Basic realm=r",
        "Digest",
        'Digest realm="r"',
        'Digest realm="r", nonce="n", algorithm=MD5-sess',
        'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r" nonce="n"',
        'Digest realm="r, nonce="n"',
        "Digest " + 'a="",' * 500,
    ):
        assert parse_challenges(challenge(value)) == [], value


def test_quotes_and_backslashes_in_a_realm_come_back_escaped():
    line = Digest('u"', "p", Pin()).answer_challenge(
        challenge(r'Digest realm="a\"b\\c", nonce="n"'), "INVITE", "sip:a@b", 0, "c", opening=True
    )
    assert r'realm="a\"b\\c"' in line
    assert r'username="u\""' in line


def test_the_password_is_in_no_representation():
    assert "secret" not in repr(Digest("u", "secret", Pin()))
