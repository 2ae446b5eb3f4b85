"""Tokens: of the length that was asked for, and none twice, however the pool runs out."""

from __future__ import annotations

import re

import pytest

from tonewall import tokens as module
from tonewall.tokens import Tokens, identifier


def test_tokens_are_hexadecimal_of_their_length_and_none_comes_twice():
    tokens = Tokens()
    taken = [tokens.take_token(octets) for octets in (8, 12, 7, 16) * 500]  # several pools
    assert [len(token) for token in taken] == [16, 24, 14, 32] * 500
    assert all(re.fullmatch("[0-9a-f]+", token) for token in taken)
    assert len({token[:14] for token in taken}) == len(taken)


def test_an_identifier_is_never_a_number(monkeypatch: pytest.MonkeyPatch):
    drawn = iter(["4111111111111111", "0000000000000000", "411111111111111a"])
    monkeypatch.setattr(module, "token", lambda octets: next(drawn))
    assert identifier(8) == "411111111111111a"
