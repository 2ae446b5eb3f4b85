"""What an examination takes for a proof of the key: an answer of the provider's own, and nothing
that a proxy, a portal or another service says as well."""

from __future__ import annotations

from typing import Any

import pytest

from provider_adapters.base import Request, Response
from provider_adapters.payer.examine import judge
from tests.contract.anybody import OF_ANYBODY, PAGE
from tests.contract.playing import ask, play
from tests.contract.providers import TABLE, Provider

EACH = pytest.mark.parametrize("provider", TABLE.values(), ids=lambda row: row.adapter)


async def examined(provider: Provider, answer: Response, good: int) -> tuple[Any, list[Request]]:
    """What an examination comes to where `good` requests are answered by the provider, and all
    others with `answer`; and what was asked."""
    _, dialect = provider.dialect()
    flow, asked = provider.flow().examine(), []
    try:
        request = next(flow)
        while True:
            asked.append(request)
            given = await ask(dialect, request) if len(asked) <= good else answer
            assert given is not None
            request = flow.send(given)
    except StopIteration as end:
        return end.value, asked


async def requests_of(provider: Provider) -> int:
    """How many requests an examination takes."""
    _, dialect = provider.dialect()
    return len((await play(provider.flow().examine(), dialect))[1])


@EACH
@pytest.mark.parametrize("name", OF_ANYBODY)
async def test_an_answer_that_anybody_gives_proves_no_key(provider: Provider, name: str) -> None:
    for good in range(await requests_of(provider)):
        found, asked = await examined(provider, OF_ANYBODY[name], good)
        assert isinstance(found, str), (name, good)
        assert found
        assert judge("a", found).found in ("refused", "unclear")
        assert not any(each.may_charge for each in asked)


@EACH
@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_called_one_whatever_comes_with_it(provider: Provider, status: int) -> None:
    for body in (b"", PAGE, b"{}"):
        found, _ = await examined(provider, Response(status, body), 0)
        assert judge("a", found).found == "refused", body


@EACH
@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_that_fails_says_nothing_of_the_key(provider: Provider, status: int) -> None:
    found, _ = await examined(provider, Response(status, PAGE), 0)
    assert judge("a", found).found == "unclear"


@EACH
async def test_the_provider_s_own_answer_is_called_by_what_it_proves(provider: Provider) -> None:
    _, dialect = provider.dialect()
    flow = provider.flow()
    found, _ = await play(flow.examine(), dialect)
    said = judge("a", found, flow.PROVES)
    if provider.adapter == "pay_connector":
        assert (said.found, flow.PROVES) == ("unclear", "")
        assert said.says == "it does not say whether the key is good (no_key_check)"
    else:
        assert (said.found, said.says) == ("accepted", flow.PROVES)
        assert "accepted" in flow.PROVES
