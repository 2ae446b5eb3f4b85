"""What each adapter makes of its provider's answers, and that none of them charges twice, shows the
card, or calls charged what is not."""

from __future__ import annotations

from typing import Any

import pytest

from provider_adapters.base import NotFound, Response
from provider_adapters.payer.charging import discreet
from provider_adapters.payment import (
    DIFFERENCES,
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUp,
    Operation,
    PartiallyApproved,
    Unknown,
)
from provider_adapters.reasons import REASONS
from tests.contract.playing import CARDS, CODE, Exchange, ask, make_card, play
from tests.contract.providers import CARD_TAKERS, Provider

EACH = pytest.mark.parametrize("provider", CARD_TAKERS, ids=lambda row: row.adapter)


async def charge_with(provider: Provider, card: str, **changes: Any) -> tuple[Any, list[Exchange], Any]:
    flow, (books, dialect) = provider.flow(), provider.dialect()
    number = CARDS.get(card, card)
    outcome, exchanges = await play(flow.charge(provider.charge(**changes), make_card(number)), dialect)
    return outcome, exchanges, books.find("k-1")


@EACH
async def test_an_approval_is_one_and_names_the_providers_reference(provider: Provider) -> None:
    outcome, _, record = await charge_with(provider, "approved")
    assert isinstance(outcome, Approved)
    assert outcome.reference == record.reference
    assert record.charges == 1
    assert record.amount == 1998


@EACH
@pytest.mark.parametrize(
    ("card", "reason"), [("declined", "declined"), ("insufficient_funds", "insufficient_funds")]
)
async def test_a_decline_has_a_word_that_the_agent_can_read(
    provider: Provider, card: str, reason: str
) -> None:
    outcome, _, record = await charge_with(provider, card)
    assert isinstance(outcome, Declined)
    assert record.charges == 0
    if provider.adapter != "connector":  # its reasons are the provider's own
        assert outcome.reason == provider.reasons.get(card, reason)
        assert outcome.reason in REASONS
        assert outcome.code


@EACH
async def test_a_part_or_another_sum_is_no_approval(provider: Provider) -> None:
    outcome, exchanges, _ = await charge_with(provider, "partial")
    if not provider.names_amount:
        assert isinstance(outcome, Approved), "nothing else can be known"
        assert not any(b"mount" in each.response.body for each in exchanges if each.response)
        return
    assert isinstance(outcome, PartiallyApproved | Unknown)
    if isinstance(outcome, PartiallyApproved):
        assert outcome.amount == 999
    if not provider.names_currency:
        outcome, exchanges, _ = await charge_with(provider, "other_currency")
        assert isinstance(outcome, Approved)
        assert not any(b"urrency" in each.response.body for each in exchanges if each.response)
    for card in ("other_currency", "too_much") if provider.names_currency else ("too_much",):
        outcome, _, _ = await charge_with(provider, card)
        assert isinstance(outcome, Unknown), card
        assert outcome.reason in DIFFERENCES


@EACH
async def test_an_error_of_the_server_leaves_it_open(provider: Provider) -> None:
    outcome, exchanges, record = await charge_with(provider, "error_charged")
    assert isinstance(outcome, Unknown)
    assert record.charges == 1
    assert sum(each.request.may_charge for each in exchanges) == 1


@EACH
async def test_an_inquiry_finds_what_was_charged_or_says_that_it_cannot(provider: Provider) -> None:
    flow, (_, dialect) = provider.flow(), provider.dialect()
    charge = provider.charge()
    charged, exchanges = await play(flow.charge(charge, make_card(CARDS["error_charged"])), dialect)
    assert isinstance(charged, Unknown)
    notes = {name: value for each in exchanges for name, value in each.request.notes.items()}
    found, asked = await play(flow.inquire(charge, notes), dialect)
    assert found is None or isinstance(found, Approved)
    if asked:
        assert isinstance(found, Approved), "what can be asked for is found"
        assert not any(each.request.may_charge for each in asked)


@EACH
async def test_an_inquiry_for_nothing_never_finds_a_charge(provider: Provider) -> None:
    flow, (_, dialect) = provider.flow(), provider.dialect()
    found, _ = await play(flow.inquire(provider.charge(), {}), dialect)
    assert found is None or isinstance(found, NotFound | Failed)


@EACH
@pytest.mark.parametrize(
    "status", [100, 204, 301, 400, 401, 403, 404, 408, 409, 410, 422, 425, 429, 500, 502, 503, 504]
)
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"<html>", b'{"error": {"code": 4111111111111111}}']
)
def test_no_status_with_a_body_that_says_nothing_is_an_approval(
    provider: Provider, status: int, body: bytes
) -> None:
    flow = provider.flow().charge(provider.charge(), make_card())
    may_charge = False
    try:
        request = next(flow)
        while True:
            may_charge |= request.may_charge
            request = flow.send(Response(status, body))
    except StopIteration as end:
        outcome = end.value
    assert isinstance(outcome, Declined | Failed | Unknown)
    if may_charge and status in (408, 409, 425, 500, 502, 503, 504):
        assert isinstance(outcome, Unknown), "nobody knows"


@EACH
@pytest.mark.parametrize("status", [100, 204, 301, 400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 503])
@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"<html>"])
async def test_nor_is_it_where_that_answers_the_request_which_charges(
    provider: Provider, status: int, body: bytes
) -> None:
    """Whatever had to go before it was answered as it should be; so is what follows, by nothing."""
    _, dialect = provider.dialect()
    flow, charging = provider.flow().charge(provider.charge(), make_card()), False
    try:
        request = next(flow)
        while True:
            charging |= request.may_charge
            response = Response(status, body) if charging else await ask(dialect, request)
            assert response is not None
            request = flow.send(response)
    except StopIteration as end:
        outcome = end.value
    assert charging
    assert isinstance(outcome, Declined | Failed | Unknown)
    if status in (100, 204, 301, 408, 409, 425, 500, 503):
        assert isinstance(outcome, Unknown), "nobody knows"


@EACH
async def test_a_provider_that_quotes_the_card_tells_nobody(provider: Provider) -> None:
    number = CARDS["declined_quoting"]
    outcome, _, record = await charge_with(provider, "declined_quoting")
    assert CODE in record.message
    said = repr(discreet(outcome, make_card(number)))
    for part in (number[:8], number[4:12], number[8:], f"{number[:4]} {number[4:8]}", f"code {CODE}"):
        assert part not in said


@EACH
def test_what_an_adapter_holds_shows_no_card(provider: Provider) -> None:
    flow = provider.flow()
    request = next(flow.charge(provider.charge(), make_card()))
    held = repr(flow).partition(" at 0x")[0]  # an address may have the same digits
    for shown in (repr(request), held, str(request.notes), request.path, request.step):
        assert "4111" not in shown
        assert CODE not in shown
        assert "local-test-key" not in shown


@EACH
@pytest.mark.parametrize("kind", ["capture", "void", "refund"])
async def test_what_is_done_later_is_done_once_by_our_reference(provider: Provider, kind: Any) -> None:
    flow, (books, dialect) = provider.flow(), provider.dialect()
    if Operation(kind) not in flow.OPERATIONS:
        return
    operation = "charge" if kind == "refund" else "authorise"
    charge = provider.charge(operation=operation)
    outcome, _ = await play(flow.charge(charge, make_card()), dialect)
    request = FollowUp(key="k-1-later", kind=kind, charge=charge, reference=outcome.reference, amount=1998)
    done, _ = await play(flow.follow_up(request), dialect)
    assert isinstance(done, Approved | Accepted)
    assert done.reference
    record = books.find("k-1")
    assert record is not None
    assert (record.captured, record.refunded, record.voided) == {
        "capture": (1998, 0, False), "refund": (0, 1998, False), "void": (0, 0, True),
    }[kind]  # fmt: skip
    refused, _ = await play(
        flow.follow_up(
            FollowUp(key="k-1-more", kind=kind, charge=charge, reference=outcome.reference, amount=1998)
        ),
        dialect,
    )
    assert isinstance(refused, Declined | Failed)


@EACH
async def test_a_saved_card_is_charged_without_its_digits(provider: Provider) -> None:
    flow, (books, dialect) = provider.flow(token_type="reusable"), provider.dialect()
    if Operation.CHARGE_SAVED not in flow.OPERATIONS:
        return
    first, _ = await play(flow.charge(provider.charge(), make_card()), dialect)
    assert first.token
    again = provider.charge("k-2", transaction_id="order-20418", amount=700)
    outcome, exchanges = await play(flow.charge_saved(again, first.token), dialect)
    assert isinstance(outcome, Approved)
    record = books.find("k-2")
    assert record is not None
    assert (record.charges, record.amount) == (1, 700)
    assert not any("4111" in repr(each.request.body) for each in exchanges)


@EACH
async def test_an_examination_moves_no_money_and_notices_a_wrong_key(provider: Provider) -> None:
    books, dialect = provider.dialect()
    wrong, exchanges = await play(provider.flow(api_key="wrong").examine(), dialect)
    assert wrong in REASONS
    right, more = await play(provider.flow().examine(), dialect)
    # A pay connector has no question that proves a key.
    assert right == ("no_key_check" if provider.adapter == "pay_connector" else None)
    assert not any(each.request.may_charge for each in exchanges + more)
    assert books.requests == 0
