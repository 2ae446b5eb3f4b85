"""Every request that an adapter yields, in every operation, and every answer that is played here,
against the provider's own description."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from provider_adapters.payment import FollowUp, Operation
from tests.contract.playing import CARDS, Exchange, make_card, play
from tests.contract.providers import CARD_TAKERS, Provider

DESCRIBED = [row for row in CARD_TAKERS if row.described is not None]
BY_CARD = {Operation.CHARGE, Operation.AUTHORISE, Operation.VERIFY}


def follow_ups(operation: Operation) -> tuple[str, int]:
    """Kind and amount of what is done later with 1998."""
    return {
        Operation.CAPTURE: ("capture", 1998),
        Operation.CAPTURE_PART: ("capture", 500),
        Operation.VOID: ("void", 1998),
        Operation.REFUND: ("refund", 1998),
        Operation.REFUND_PART: ("refund", 500),
    }[operation]


async def perform(provider: Provider, operation: Operation) -> list[Exchange]:
    """The exchanges of one operation, with whatever has to go before it."""
    flow = provider.flow(token_type="reusable" if operation is Operation.CHARGE_SAVED else "none")
    _, dialect = provider.dialect()
    if operation in BY_CARD:
        charge = provider.charge(
            operation=operation.value,
            amount=0 if operation is Operation.VERIFY else 1998,
            statement="SHOES LTD",
            metadata={"desk": "7"},
        )
        outcome, exchanges = await play(flow.charge(charge, make_card()), dialect)
        assert outcome is not None
        return exchanges
    first = provider.charge(
        operation="authorise"
        if operation in (Operation.CAPTURE, Operation.CAPTURE_PART, Operation.VOID)
        else "charge"
    )
    outcome, exchanges = await play(flow.charge(first, make_card()), dialect)
    if operation is Operation.CHARGE_SAVED:
        assert outcome.token
        again = provider.charge("k-2", transaction_id="order-20418")
        _, more = await play(flow.charge_saved(again, outcome.token), dialect)
    else:
        kind, amount = follow_ups(operation)
        request: Any = FollowUp(
            key="k-1-later", kind=kind, charge=first, reference=outcome.reference, amount=amount
        )
        _, more = await play(flow.follow_up(request), dialect)
    return exchanges + more


async def inquire(provider: Provider) -> list[Exchange]:
    flow, (_, dialect) = provider.flow(), provider.dialect()
    charge = provider.charge()
    _, exchanges = await play(flow.charge(charge, make_card()), dialect)
    notes = {name: value for each in exchanges for name, value in each.request.notes.items()}
    _, more = await play(flow.inquire(charge, notes), dialect)
    _, none = await play(flow.inquire(provider.charge("k-none"), {}), dialect)
    _, examined = await play(flow.examine(), dialect)
    return exchanges + more + none + examined


async def every_exchange(provider: Provider) -> AsyncIterator[tuple[str, Exchange]]:
    """What is said in every operation, and of every card."""
    for operation in sorted(provider.flow().OPERATIONS - {Operation.LINK}):
        for each in await perform(provider, operation):
            yield operation.value, each
    for each in await inquire(provider):
        yield "inquiry", each
    for name, number in CARDS.items():
        flow, (_, dialect) = provider.flow(), provider.dialect()
        for each in (await play(flow.charge(provider.charge(), make_card(number)), dialect))[1]:
            yield name, each
    flow, (_, dialect) = provider.flow(api_key="wrong"), provider.dialect()
    for each in (await play(flow.charge(provider.charge(), make_card()), dialect))[1]:
        yield "wrong key", each


@pytest.mark.parametrize("provider", DESCRIBED, ids=lambda row: row.adapter)
async def test_every_request_is_as_the_provider_describes_it(provider: Provider) -> None:
    assert provider.described is not None
    seen = 0
    async for what, each in every_exchange(provider):
        request = each.request
        faults = provider.described.check_request(
            request.method, request.path, request.headers, request.body, is_form=request.is_form
        )
        assert not faults, (what, request.method, request.path, faults)
        seen += 1
    assert seen > len(provider.flow().OPERATIONS)


@pytest.mark.parametrize("provider", DESCRIBED, ids=lambda row: row.adapter)
async def test_every_answer_that_is_played_is_as_the_provider_describes_it(provider: Provider) -> None:
    assert provider.described is not None
    async for what, each in every_exchange(provider):
        if each.response is not None:
            faults = provider.described.check_answer(
                each.request.method, each.request.path, each.response.status, each.body, each.request.body
            )
            assert not faults, (what, each.request.path, each.response.status, faults)


@pytest.mark.parametrize("provider", DESCRIBED, ids=lambda row: row.adapter)
async def test_a_request_that_is_spoilt_is_noticed(provider: Provider) -> None:
    """So that the checks above are known to check: at a path that is not, and with another body
    (of which one at least must be refused)."""
    assert provider.described is not None
    noticed = []
    for each in await perform(provider, Operation.CHARGE):
        request, check = each.request, provider.described.check_request
        nowhere = check(
            request.method, "/nowhere" + request.path, request.headers, request.body, is_form=request.is_form
        )
        assert nowhere, request.path
        noticed += check(
            request.method, request.path, request.headers, provider.spoilt, is_form=request.is_form
        )
    assert noticed
