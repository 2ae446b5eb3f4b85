"""Our flow through the payer's own HTTPS client against a server that nobody here wrote: Prism,
with Adyen's description."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provider_adapters.base import Request, Response
from provider_adapters.payer.runner import Runner
from provider_adapters.payment import Accepted, Approved, Charge, Declined, Failed, FollowUp, Outcome, Unknown
from tests.contract.playing import make_card, make_charge
from tests.contract.providers import TABLE
from tests.contract.served import Front, prism

ADYEN = TABLE["adyen"]
REFERENCE = "993617895204576J"  # of the description's example `card-direct`


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    log = tmp_path_factory.mktemp("prism") / "prism.log"
    with prism("adyen-checkout-v72-payments.json", log) as listening:
        yield listening


@pytest.fixture
async def front(port: int, tmp_path: Path) -> AsyncIterator[Front]:
    async with Front(port, tmp_path) as serving:
        yield serving


class Client:
    """A payer's runner with an account at the front."""

    def __init__(self, front: Front, inquiry_time: float = 0.5) -> None:
        account = {"url": front.url, "ca_file": front.ca_file, "timeout": 10.0}
        self.flow: Any = ADYEN.flow(inquiry_time=inquiry_time, **account)
        self.runner = Runner(self.flow._account)

    async def __aenter__(self) -> Client:
        await self.runner.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.close()

    async def charge(self, charge: Charge, spoil: dict[str, object] | None = None) -> Outcome:
        """What became of it. `spoil`: what the request says instead."""
        charging = self.flow.charge(charge, make_card())
        if spoil is not None:
            charging = _spoilt(charging, spoil)
        return await self.runner.settle(charging, lambda notes: self.flow.inquire(charge, notes))


def _spoilt(flow: Generator[Request, Response, Any], changes: dict[str, object]) -> Any:
    request = next(flow)
    assert request.body is not None
    body = {name: value for name, value in {**request.body, **changes}.items() if value is not None}
    response = yield replace(request, body=body)
    try:
        flow.send(response)
    except StopIteration as end:
        return end.value
    raise AssertionError("one request was expected")


async def test_a_telephone_payment_is_taken_as_the_description_wants_it(front: Front) -> None:
    front.prefer = "example=card-direct"
    async with Client(front) as client:
        outcome = await client.charge(make_charge(statement="SHOES LTD", metadata={"desk": "7"}))
    assert outcome == Approved(reference=REFERENCE, authorisation_code="044925")
    assert front.requests == ["POST /payments"]
    assert front.violations == []


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        ({"shopperInteraction": "Phone"}, ["request", "body", "shopperInteraction"]),
        ({"returnUrl": None}, ["request", "body"]),
        ({"amount": {"value": "19.98", "currency": "EUR"}}, ["request", "body", "amount", "value"]),
    ],
    ids=["no such channel", "a field is missing", "an amount that is none"],
)
async def test_a_wrong_request_is_refused_there(
    front: Front, spoil: dict[str, object], place: list[str]
) -> None:
    front.prefer = "example=card-direct"
    async with Client(front) as client:
        outcome = await client.charge(make_charge(), spoil)
    # The code is the one of the description's example.
    assert outcome == Failed(reason="request_refused", code="14_030")
    assert [each["location"] for each in json.loads(front.violations[0])] == [place]


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("example=card-3d-secure-2-web", ("authentication_required", "IdentifyShopper")),
        ("example=card-3d-secure-redirect", ("authentication_required", "RedirectShopper")),
        ("code=401", ("key_refused", "000")),
        ("code=403", ("account_refused", "901")),
        ("code=422", ("request_refused", "14_030")),
    ],
)
async def test_what_the_description_answers_instead_is_no_approval(
    front: Front, prefer: str, expected: tuple[str, str]
) -> None:
    front.prefer = prefer
    async with Client(front) as client:
        outcome = await client.charge(make_charge())
    assert isinstance(outcome, Declined | Failed)
    assert (outcome.reason, outcome.code) == expected


async def test_an_approval_of_another_sum_is_for_a_person(front: Front) -> None:
    front.prefer = "example=split-balanceplatform"  # 400 USD, whatever was asked for
    async with Client(front) as client:
        outcome = await client.charge(make_charge())
    assert outcome == Unknown(reason="currency_differs")
    assert front.requests == ["POST /payments"], "asked once: a repetition would change nothing"


async def test_a_fault_of_the_server_is_repeated_under_its_key(front: Front) -> None:
    front.before, front.prefer = ["code=500", "code=500"], "example=card-direct"
    async with Client(front, inquiry_time=60.0) as client:
        outcome = await client.charge(make_charge())
    assert outcome == Approved(reference=REFERENCE, authorisation_code="044925")
    assert front.requests == ["POST /payments"] * 3


async def test_a_fault_of_the_server_that_stays_leaves_it_open(front: Front) -> None:
    front.prefer = "code=500"
    async with Client(front, inquiry_time=0.0) as client:
        outcome = await client.charge(make_charge())
    assert outcome == Unknown(reason="http_500")


@pytest.mark.parametrize(
    ("kind", "path"), [("capture", "captures"), ("refund", "refunds"), ("void", "cancels")]
)
async def test_what_is_done_later_is_taken_as_the_description_wants_it(
    front: Front, kind: Any, path: str
) -> None:
    async with Client(front) as client:
        request = FollowUp(key="k-1-later", kind=kind, charge=make_charge(), reference=REFERENCE, amount=500)
        outcome = await client.runner.drive(client.flow.follow_up(request))
    assert isinstance(outcome, Accepted)
    assert outcome.reference
    assert front.requests == [f"POST /payments/{REFERENCE}/{path}"]
    assert front.violations == []


async def test_an_examination_is_taken_as_the_description_wants_it(front: Front) -> None:
    async with Client(front) as client:
        assert await client.runner.drive(client.flow.examine()) is None
    assert front.requests == ["POST /cardDetails"]
    assert front.violations == []
