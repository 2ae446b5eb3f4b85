"""Payment links of each provider that makes them: what is asked and answered, by the provider's own
description; and that nothing is called paid that is not, nor closed that is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from provider_adapters import registry
from provider_adapters.base import Response
from provider_adapters.local import hosted
from provider_adapters.payment import (
    DIFFERENCES,
    LINK_CLOSED,
    Approved,
    Failed,
    FollowUp,
    Link,
    Operation,
    PartiallyApproved,
    Unknown,
)
from tests.contract.linking import HOUR, Till, pay
from tests.contract.playing import Exchange, make_card, make_charge, play
from tests.contract.providers import LINK_MAKERS, TABLE, Provider

EACH = pytest.mark.parametrize("provider", LINK_MAKERS, ids=lambda row: row.adapter)


async def paid(till: Till) -> None:
    """Opened, asked for, paid after a decline, and asked for."""
    link = await till.opened()
    await till.inquire(link)
    await till.pay("declined")
    await till.inquire(link)
    await till.pay()
    await till.inquire(link)
    await till.close(link)


async def closed(till: Till) -> None:
    """Opened twice, visited, closed twice, and asked for."""
    link = await till.opened()
    await till.opened()
    hosted.begin_visit(till.hosted)
    await till.close(link)
    await till.close(link)
    await till.inquire(link)


async def expired(till: Till) -> None:
    """Opened, and too late."""
    link = await till.opened()
    till.hosted.expires_at = 1.0
    await till.inquire(link)
    await till.close(link)


async def authorised(till: Till) -> None:
    """Opened to be captured later, and paid."""
    link = await till.opened()
    await till.pay()
    await till.inquire(link)


async def unknown(till: Till) -> None:
    """One that the provider does not have."""
    link = Link(url="https://pay.example.com/x", reference="none/none", expires_at=2e9)
    assert await till.inquire(link) is None
    assert not isinstance(await till.close(link), Approved)


STORIES: list[Callable[[Till], Coroutine[Any, Any, None]]] = [paid, closed, expired, authorised, unknown]


async def every_exchange(provider: Provider) -> AsyncIterator[tuple[str, Exchange]]:
    for story in STORIES if provider.links_authorise else (paid, closed, expired, unknown):
        till = Till(
            provider,
            operation="authorise" if story is authorised else "charge",
            statement="SHOES LTD",
            metadata={"desk": "7"},
        )
        await story(till)
        for each in till.exchanges:
            yield story.__name__, each
    till = Till(provider)
    till.flow = provider.links(api_key="wrong")
    refused = await till.open()
    assert refused == Failed(reason="key_refused", code=refused.code)
    for each in till.exchanges:
        yield "wrong key", each


@EACH
async def test_every_request_and_answer_is_as_the_provider_describes_it(provider: Provider) -> None:
    described, seen = provider.described, 0
    assert described is not None
    async for what, each in every_exchange(provider):
        request = each.request
        faults = described.check_request(
            request.method, request.path, request.headers, request.body, is_form=request.is_form
        )
        assert not faults, (what, request.method, request.path, faults)
        assert each.response is not None
        faults = described.check_answer(
            request.method, request.path, each.response.status, each.body, request.body
        )
        assert not faults, (what, request.method, request.path, each.response.status, faults)
        seen += 1
    assert seen > 10


@EACH
async def test_a_request_that_is_spoilt_is_noticed(provider: Provider) -> None:
    till = Till(provider)
    await till.opened()
    request, described = till.exchanges[0].request, provider.described
    assert described is not None
    check = described.check_request
    path, headers = request.path, request.headers
    assert check(request.method, "/nowhere" + path, headers, request.body, is_form=request.is_form)
    spoilt = {**(request.body or {}), "line_items": 7, "amount": "much", "order": "none"}
    assert check(request.method, path, headers, spoilt, is_form=request.is_form)


@EACH
async def test_a_link_that_is_paid_is_approved_for_what_was_paid(provider: Provider) -> None:
    till = Till(provider)
    link = await till.opened()
    assert link.url.startswith("https://")
    assert abs(link.expires_at - till.request.expires_at) < 1
    assert await till.inquire(link) == link
    assert await till.pay("declined") == "declined"
    assert await till.inquire(link) == link, "the customer may try again"
    assert await till.pay() == "paid"
    found = await till.inquire(link)
    assert isinstance(found, Approved)
    # Adyen tells the reference by a webhook alone.
    assert found.reference == ("" if provider.adapter == "adyen" else till.hosted.paid[0])
    record = till.books.find("k-1")
    assert record is not None
    assert record.charges == 1


@EACH
async def test_the_same_request_opens_the_same_link(provider: Provider) -> None:
    till = Till(provider)
    assert await till.opened() == await till.opened()
    assert len(till.books.links) == 1


@EACH
async def test_a_link_that_was_closed_cannot_be_paid(provider: Provider) -> None:
    till = Till(provider)
    link = await till.opened()
    page = hosted.begin_visit(till.hosted)
    assert await till.close(link) == Failed(reason=LINK_CLOSED)
    assert await till.pay() == "closed"
    assert await pay(till.books, till.hosted, visit=page) in ("closed", "expired")
    assert till.hosted.paid == []
    assert await till.close(link) == Failed(reason=LINK_CLOSED)


@EACH
async def test_closing_a_link_that_was_paid_finds_the_payment(provider: Provider) -> None:
    till = Till(provider)
    link = await till.opened()
    await till.pay()
    assert isinstance(await till.close(link), Approved)


@EACH
async def test_a_link_is_paid_once(provider: Provider) -> None:
    till = Till(provider)
    link = await till.opened()
    pages = [hosted.begin_visit(till.hosted) for _ in range(2)]
    assert await pay(till.books, till.hosted, visit=pages[0]) == "paid"
    assert await pay(till.books, till.hosted, visit=pages[1]) == "paid", "the page says so"
    assert len(till.hosted.paid) == 1
    assert isinstance(await till.inquire(link), Approved)
    record = till.books.find("k-1")
    assert record is not None
    assert record.charges == 1


async def test_a_link_of_square_whose_order_stays_open_is_not_called_closed() -> None:
    """Square deletes the link of an order for which a payment failed, and leaves the order to be
    paid."""
    till = Till(TABLE["square"])
    link = await till.opened()
    await till.pay("declined")
    assert await till.close(link) == link
    assert till.hosted.is_deleted
    assert await till.pay() == "paid"
    found = await till.close(link)
    assert isinstance(found, Approved)
    assert found.reference == till.hosted.paid[0]


async def test_an_order_of_square_that_was_paid_twice_is_for_a_person_to_look_at() -> None:
    till = Till(TABLE["square"])
    link = await till.opened()
    till.hosted.limit = 2
    for _ in range(2):
        assert await till.pay() == "paid"
    assert await till.inquire(link) == Unknown(reason="amount_differs")


async def test_square_takes_no_card() -> None:
    flow = TABLE["square"].flow()
    for flowing in (flow.charge(make_charge(), make_card()), flow.charge_saved(make_charge(), "t")):
        with pytest.raises(StopIteration) as end:
            next(flowing)
        assert end.value.value == Failed(reason="not_supported")
    till = Till(TABLE["square"], operation="authorise")
    assert await till.open() == Failed(reason="not_supported")
    assert till.exchanges == []


async def test_a_link_of_stripe_that_was_completed_twice_is_for_a_person_to_look_at() -> None:
    till = Till(TABLE["stripe"])
    link = await till.opened()
    till.hosted.limit = 2
    for _ in range(2):
        assert await till.pay() == "paid"
    assert await till.inquire(link) == Unknown(reason="amount_differs")


async def test_the_other_visits_to_a_link_of_stripe_end_when_one_is_complete() -> None:
    """So that nobody pays a second time, whatever the limit of the link is worth."""
    till = Till(TABLE["stripe"])
    link = await till.opened()
    till.hosted.limit = 2
    pages = [hosted.begin_visit(till.hosted) for _ in range(25)]
    await pay(till.books, till.hosted, visit=pages[7])
    assert isinstance(await till.inquire(link), Approved)
    assert {till.hosted.visits[page] for page in pages} == {"complete", "expired"}
    assert await till.pay() == "closed"


@EACH
async def test_another_amount_or_currency_is_no_approval(provider: Provider) -> None:
    for card in ("partial", "too_much", "other_currency"):
        till = Till(provider)
        link = await till.opened()
        if not till.hosted.takes_parts:
            assert await till.pay(card) == "declined"
            assert await till.inquire(link) == link
            continue
        await till.pay(card)
        found = await till.inquire(link)
        if card == "partial":
            assert isinstance(found, PartiallyApproved)
            assert found.amount == 999
        else:
            assert isinstance(found, Unknown)
            assert found.reason in DIFFERENCES


@EACH
@pytest.mark.parametrize("status", [100, 200, 204, 301, 400, 401, 404, 408, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"<html>", b'{"id": "x", "url": 7}'])
def test_an_answer_that_says_nothing_decides_nothing(provider: Provider, status: int, body: bytes) -> None:
    """Neither paid nor closed; and no link is handed out."""
    till = Till(provider)
    link = Link(url="https://pay.example.com/x", reference="a/b", expires_at=2e9)
    flows: list[tuple[bool, Any]] = [
        (True, till.flow.open_link(till.request)),
        (False, till.flow.inquire_link(till.charge, link)),
        (False, till.flow.close_link(till.charge, link)),
    ]
    for opens, flow in flows:
        try:
            next(flow)
            for _ in range(50):
                flow.send(Response(status, body))
        except StopIteration as end:
            found = end.value
        if opens:
            assert isinstance(found, Failed | Unknown)
        else:
            assert found is None or found == link


@EACH
async def test_what_was_paid_by_link_is_refunded(provider: Provider) -> None:
    till = Till(provider)
    link = await till.opened()
    await till.pay()
    found = await till.inquire(link)
    reference = found.reference or till.hosted.paid[0]
    request = FollowUp(key="k-1-r", kind="refund", charge=till.charge, reference=reference, amount=1998)
    await play(provider.flow().follow_up(request), till.dialect)
    record = till.books.find("k-1")
    assert record is not None
    assert record.refunded == 1998


@EACH
async def test_a_link_for_nothing_is_refused_before_anything_is_sent(provider: Provider) -> None:
    till = Till(provider, amount=0)
    assert await till.open() == Failed(reason="amount_not_allowed")
    assert till.exchanges == []


@EACH
async def test_a_link_that_has_expired_is_closed(provider: Provider) -> None:
    till = Till(provider, life=HOUR)
    link = await till.opened()
    till.hosted.expires_at = 1.0
    assert await till.close(link) == Failed(reason=LINK_CLOSED)
    assert till.hosted.paid == []


def test_an_adapter_says_that_it_makes_links_where_it_has_a_module_for_them() -> None:
    for name, row in registry.ADAPTERS.items():
        assert bool(row.links) == (Operation.LINK in registry.flow_class(name).OPERATIONS), name
        assert (registry.load_links(TABLE[name].account_in_order()) is not None) == bool(row.links)
