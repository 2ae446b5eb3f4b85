"""The ng protocol: what is written is read back, and whatever comes is an answer, another's, or an
NgError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtpengine.ng import NgError, NgRefused, decode_value, encode, parse_answer, request

values = st.recursive(
    st.one_of(st.integers(-(10**18), 10**18), st.binary(max_size=12)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert decode_value(encode(value)) == value  # type: ignore[arg-type]


@given(st.one_of(st.binary(max_size=60), st.text("0123456789:ideln-", max_size=60).map(str.encode)))
def test_whatever_comes_raises_nothing_else(body: bytes) -> None:
    for datagram in (body, b"1 " + body):
        try:
            parse_answer(b"1", datagram)
        except NgError:
            continue


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"i1",
        b"i e",
        b"5:abc",
        b"-1:a",
        b"d1:ae",
        b"di1ei1ee",
        b"lee",
        b"l" * 2000,
        b"i" + b"9" * 30 + b"e",
        b"0:0:",
        b"x",
        b"i1ei2e",
    ],
)
def test_what_is_no_bencode_is_an_error(body: bytes) -> None:
    with pytest.raises(NgError):
        decode_value(body)


def test_an_answer_is_ours_and_says_yes() -> None:
    assert request(b"7", "ping", {}) == b"7 d7:command4:pinge"
    assert parse_answer(b"7", b"7 d6:result4:ponge") == {"result": b"pong"}
    assert parse_answer(b"7", b"8 d6:result4:ponge") is None
    with pytest.raises(NgRefused, match="no reason given"):
        parse_answer(b"7", b"7 d6:result5:errore")
    with pytest.raises(NgRefused, match="Unknown call"):
        parse_answer(b"7", b"7 d12:error-reason12:Unknown call6:result5:errore")
    with pytest.raises(NgError):
        parse_answer(b"7", b"7 i1e")
