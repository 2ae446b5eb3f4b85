"""Short codes: of one use, short-lived, and not to be guessed."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.call.agent_phone import Claim
from b2bua.call.view import NotNow
from b2bua.switchboard.claims import CALL_TRIES, LIFETIME, LOCKED, MAX_OPEN, TRIES, Claims


def in_order() -> Callable[[int], int]:
    numbers = itertools.count()
    return lambda below: next(numbers) % below


def keyed(claims: Claims, code: str, call: str, now: float) -> Claim | None:
    """As a telephone's code is looked up."""
    found = claims.take(code, call, now)
    if found is None and not claims.is_locked(call, now):
        claims.count_wrong(call, now)
    return found


def test_a_code_links_once_and_its_own_agent_reads_where() -> None:
    claims = Claims(draw=in_order())
    shown = claims.open("anna", None, 0.0)
    assert shown.code == "000000"
    assert claims.find(shown.id, "anna", 1.0) is not None
    assert claims.find(shown.id, "ben", 1.0) is None
    taken = keyed(claims, "000000", "call-1", 1.0)
    assert taken is not None
    assert taken.agent == "anna"
    found = claims.find(shown.id, "anna", 1.0)
    assert found is not None
    assert (found.code, found.call) == ("", "call-1")
    assert claims.find(shown.id, "ben", 1.0) is None
    assert keyed(claims, "000000", "call-1", 1.0) is None


def test_a_new_code_takes_the_place_of_the_agents_last_one_and_a_closed_one_links_nothing() -> None:
    claims = Claims(draw=in_order())
    first, second = claims.open("anna", None, 0.0), claims.open("anna", None, 0.0)
    assert keyed(claims, first.code, "a", 0.0) is None
    claims.close(second.id, "ben")
    assert claims.find(second.id, "anna", 0.0) is not None
    claims.close(second.id, "anna")
    assert keyed(claims, second.code, "a", 0.0) is None


def test_a_code_expires() -> None:
    claims = Claims(draw=in_order())
    shown = claims.open("anna", None, 0.0)
    assert keyed(claims, shown.code, "a", LIFETIME) is None
    assert claims.find(shown.id, "anna", LIFETIME) is None


def test_open_codes_differ_also_where_chance_repeats_itself() -> None:
    drawn = iter([7, 7, 7, 8])
    claims = Claims(length=4, draw=lambda _below: next(drawn))
    assert [claims.open(agent, None, 0.0).code for agent in ("anna", "ben")] == ["0007", "0008"]


def test_no_more_are_open_than_is_safe() -> None:
    claims = Claims(length=4, draw=in_order())
    for number in range(MAX_OPEN):
        claims.open(f"agent-{number}", None, 0.0)
    with pytest.raises(NotNow):
        claims.open("one-more", None, 0.0)
    claims.open("one-more", None, LIFETIME)  # once the others have expired


def test_a_call_is_locked_after_wrong_codes_and_others_are_not() -> None:
    claims = Claims(draw=in_order())
    shown = claims.open("anna", None, 0.0)
    for _ in range(CALL_TRIES):
        assert keyed(claims, "999999", "call-1", 0.0) is None
    assert keyed(claims, shown.code, "call-1", 0.0) is None
    assert keyed(claims, shown.code, "call-2", 0.0) is not None
    again = claims.open("anna", None, LOCKED + 1)
    assert keyed(claims, again.code, "call-1", LOCKED + 1) is not None


def test_all_are_locked_after_many_wrong_codes_of_many_calls() -> None:
    claims = Claims(draw=in_order())
    for number in range(TRIES):
        assert keyed(claims, "999999", f"call-{number}", 0.0) is None
    shown = claims.open("anna", None, 1.0)
    assert keyed(claims, shown.code, "another", 1.0) is None
    later = claims.open("anna", None, LOCKED + 1)
    assert keyed(claims, later.code, "another", LOCKED + 1) is not None


steps = st.lists(
    st.tuples(st.sampled_from(["open", "take", "close", "wait"]), st.integers(0, 3), st.integers(0, 12)),
    max_size=80,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_whatever_is_keyed_a_code_links_its_own_agent_and_once(
    given_steps: list[tuple[str, int, int]],
) -> None:
    claims, now = Claims(length=4, draw=in_order()), 0.0
    shown: dict[str, tuple[str, str]] = {}  # code: agent and claim
    used: set[str] = set()
    for what, who, number in given_steps:
        agent = f"agent-{who}"
        if what == "open":
            view = claims.open(agent, None, now)
            shown[view.code] = agent, view.id
        elif what == "close":
            for _, (whose, claim) in list(shown.items()):
                claims.close(claim, whose)
        elif what == "wait":
            now += 30 * number
        else:
            code = f"{number:04d}"
            taken = keyed(claims, code, f"call-{who}", now)
            if taken is not None:
                assert shown[code] == (taken.agent, taken.id)
                assert taken.id not in used
                used.add(taken.id)
