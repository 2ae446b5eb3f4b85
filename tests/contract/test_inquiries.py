"""What an inquiry takes for the provider's word: an answer of its own, and nothing that a proxy, a
portal or another service says as well. Money has moved here: nobody may call that failed."""

from __future__ import annotations

from typing import Any

import pytest

from provider_adapters.base import NotFound, Request, Response
from provider_adapters.payment import Approved, Declined, Failed, Operation, PartiallyApproved
from tests.contract.anybody import OF_ANYBODY
from tests.contract.playing import ask, make_card, play
from tests.contract.providers import TABLE, Provider

CHARGING = [row for row in TABLE.values() if Operation.CHARGE in row.flow().OPERATIONS]
EACH = pytest.mark.parametrize("provider", CHARGING, ids=lambda row: row.adapter)
WRONG = (NotFound, Failed, Declined, Approved, PartiallyApproved)


async def inquired(provider: Provider, answer: Response | None, good: int) -> tuple[Any, list[Request]]:
    """What an inquiry about an approved charge comes to where `good` requests are answered by the
    provider, and all others with `answer`."""
    _, dialect = provider.dialect()
    charge = provider.charge()
    outcome, sent = await play(provider.flow().charge(charge, make_card()), dialect)
    assert isinstance(outcome, Approved)
    notes: dict[str, str] = {}
    for exchange in sent:
        notes |= exchange.request.notes
    flow, asked = provider.flow().inquire(charge, notes), []
    try:
        request = next(flow)
        while True:
            asked.append(request)
            given = await ask(dialect, request) if len(asked) <= good else answer
            assert given is not None
            request = flow.send(given)
    except StopIteration as end:
        return end.value, asked


@EACH
@pytest.mark.parametrize("name", OF_ANYBODY)
async def test_an_answer_that_anybody_gives_decides_nothing(provider: Provider, name: str) -> None:
    _, asked = await inquired(provider, None, 99)
    for good in range(len(asked)):
        found, _ = await inquired(provider, OF_ANYBODY[name], good)
        assert not isinstance(found, WRONG), (name, good, found)
