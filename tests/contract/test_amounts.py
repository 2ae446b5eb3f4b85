"""What an adapter makes of amounts that its provider cannot count: a refusal before anything is
sent, never a fault of its own, whatever it is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from provider_adapters.base import Flow, Request, Response
from provider_adapters.payment import Charge, Failed, FollowUp, FollowUpKind, Link, LinkRequest, Operation
from tests.contract.playing import make_card
from tests.contract.providers import CARD_TAKERS, LINK_MAKERS, TABLE, Provider

Asking = Generator[Request, Response, Any]
EACH = pytest.mark.parametrize("provider", TABLE.values(), ids=lambda row: row.adapter)
# By ISO 4217: none, two, three and four decimals; those that some providers count otherwise (ISK,
# CLP, UGX, HUF, TWD, IDR, MGA); unlisted ones.
CURRENCIES = [
    *("EUR", "GBP", "PLN", "JPY", "KRW", "ISK", "CLP", "UGX", "HUF", "TWD", "IDR", "MGA", "MRU", "BHD"),
    *("KWD", "IQD", "CLF", "UYW", "XAU", "XXX", "ZZZ"),
]
AMOUNTS = (0, 1, 5, 10, 99, 995, 1001, 99_999_999, 10**9 - 1, 10**11 - 1)
ANSWERS = [
    Response(200, b"{}"),
    Response(201, b'{"id": 7, "amount": "x", "status": null, "data": [1], "errors": {}}'),
    Response(200, b"[1, 2]"),
    Response(404, b""),
    Response(422, b"not JSON"),
    Response(500, b"<html><body>Bad gateway</body></html>"),
]
NOTES: list[dict[str, str]] = [{}, {"payment_id": "p-1", "intent": "pi_1", "order": "o-1", "id": "x"}]


def asks(
    flow: Flow[Any], charge: Charge
) -> Iterator[tuple[str, Callable[[], Generator[Request, Response, Any]]]]:
    """Everything that an adapter can be asked about a charge, by name."""
    offered = flow.OPERATIONS
    if Operation(charge.operation) in offered:
        yield "charge", lambda: flow.charge(charge, make_card())
        if Operation.CHARGE_SAVED in offered:
            yield "charge_saved", lambda: flow.charge_saved(charge, "tok-1")
    for notes in NOTES:
        yield "inquire", lambda notes=notes: flow.inquire(charge, notes)
    for request in requests(charge):
        if request.operation in offered:
            yield request.operation.value, lambda request=request: flow.follow_up(request)


def requests(charge: Charge) -> Iterator[FollowUp]:
    kinds: tuple[FollowUpKind, ...] = ("capture", "void", "refund")
    for kind in kinds:
        for amount in {charge.amount, *(each for each in AMOUNTS if 0 < each < charge.amount)}:
            yield FollowUp(key="f-1", kind=kind, charge=charge, reference="ref-1", amount=amount)


def first_step(flow: Asking) -> Any:
    """The first request, or what is returned without one."""
    try:
        return next(flow)
    except StopIteration as end:
        return end.value
    finally:
        flow.close()


def drive(flow: Asking, answer: Response) -> Any:
    """What is returned where every request gets that answer."""
    try:
        next(flow)
        for _ in range(20):
            flow.send(answer)
    except StopIteration as end:
        return end.value
    raise AssertionError("it asks for ever")


@EACH
@pytest.mark.parametrize("currency", CURRENCIES)
def test_whatever_the_amount_an_adapter_ends_with_an_outcome(provider: Provider, currency: str) -> None:
    flow = provider.flow()
    for amount in AMOUNTS:
        for operation in ("charge", "authorise", "verify"):
            charge = provider.charge(amount=amount, currency=currency, operation=operation)
            for name, ask in asks(flow, charge):
                for answer in ANSWERS:
                    try:
                        drive(ask(), answer)
                    except Exception as error:
                        raise AssertionError(f"{name} of {amount} {currency}, answer {answer}") from error


@pytest.mark.parametrize("provider", LINK_MAKERS, ids=lambda row: row.adapter)
@pytest.mark.parametrize("currency", CURRENCIES)
def test_whatever_the_amount_a_link_ends_with_an_outcome(provider: Provider, currency: str) -> None:
    flow = provider.links()
    link = Link(url="https://pay.example.com/1", reference="l-1/o-1", expires_at=2e9)
    for amount in AMOUNTS:
        for operation in ("charge", "authorise", "verify"):
            charge = provider.charge(amount=amount, currency=currency, operation=operation)
            request = LinkRequest(charge=charge, expires_at=2e9)
            for answer in ANSWERS:
                drive(flow.open_link(request), answer)
                drive(flow.inquire_link(charge, link), answer)
                drive(flow.close_link(charge, link), answer)


@pytest.mark.parametrize("provider", CARD_TAKERS, ids=lambda row: row.adapter)
@pytest.mark.parametrize("currency", CURRENCIES)
def test_an_amount_that_cannot_be_charged_is_not_sent_later_either(provider: Provider, currency: str) -> None:
    flow = provider.flow()
    whole = provider.charge(amount=AMOUNTS[-1], currency=currency)
    for amount in filter(None, AMOUNTS):
        charge = provider.charge(amount=amount, currency=currency)
        refused = first_step(flow.charge(charge, make_card()))
        if not isinstance(refused, Failed):
            continue
        if Operation.CHARGE_SAVED in flow.OPERATIONS:
            assert first_step(flow.charge_saved(charge, "tok-1")) == refused
        for request in (*requests(charge), *requests(whole)):
            if request.amount == amount and request.kind != "void" and request.operation in flow.OPERATIONS:
                found = first_step(flow.follow_up(request))
                names_none = isinstance(found, Request) and "amount" not in str(found.body)
                assert found == refused or (names_none and not request.is_partial), request
