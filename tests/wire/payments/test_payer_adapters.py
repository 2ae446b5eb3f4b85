"""Real charges through each adapter: the payer process over HTTPS with each provider that is played
here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provider_adapters import registry
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Approved, Declined, Failed, Operation, Unknown
from tests.contract.providers import CARD_TAKERS, TABLE, Provider
from tests.wire.payments.till import LocalProvider, Till, local_provider, spend, watched_till

AFTER_A_BREAK = {"connector": Approved, "pay_connector": Unknown}
"""What becomes of a charge whose answer was cut short; the others find out, or say Unknown."""


@pytest.fixture(scope="module", params=sorted(row.adapter for row in CARD_TAKERS))
def playing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory = tmp_path_factory.mktemp(request.param)
    with local_provider(directory, "--adapter", request.param) as running:
        yield TABLE[request.param], running


@pytest.fixture
def provider(playing: tuple[Provider, LocalProvider]) -> Provider:
    return playing[0]


@pytest.fixture
def till(playing: tuple[Provider, LocalProvider], tmp_path: Path) -> Iterator[Till]:
    row, running = playing
    account = {name: str(value) for name, value in row.account.items()}
    with watched_till(
        tmp_path, running, adapter=row.adapter, inquiry_time="3", token_type="none", **account
    ) as made:
        yield made


@pytest.fixture
def key() -> str:
    return "".join(chr(ord("a") + int(sign, 16)) for sign in uuid.uuid4().hex)


async def pay(till: Till, provider: Provider, name: str, key: str, **changes: Any) -> Any:
    _, pipe = await till.payer()
    return await spend(pipe, name, key, currency=provider.currency, **changes)


async def test_a_card_is_charged_once_and_another_declined(till: Till, provider: Provider, key: str) -> None:
    approved = await pay(till, provider, "approved", key)
    declined = await pay(till, provider, "declined", f"{key}-d")
    assert isinstance(approved, Approved)
    assert isinstance(declined, Declined)
    record = till.provider.record(key)
    assert record is not None
    assert (record["charges"], record["amount"], record["reference"]) == (1, 1999, approved.reference)
    assert Journal(till.journal).lookup(key).outcome == approved  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["cut_charged", "closed_charged"])
async def test_a_charge_whose_answer_breaks_off_is_never_called_unpaid(
    till: Till, provider: Provider, key: str, name: str
) -> None:
    outcome = await pay(till, provider, name, key)
    assert isinstance(outcome, AFTER_A_BREAK.get(provider.adapter, Approved | Unknown))
    record = till.provider.record(key)
    assert record is not None
    assert record["charges"] == 1


async def test_what_an_adapter_cannot_do_is_refused_before_anything_is_sent(
    till: Till, provider: Provider, key: str
) -> None:
    offered = registry.flow_class(provider.adapter).OPERATIONS
    for operation in ("authorise", "verify"):
        amount = 0 if operation == "verify" else 1999
        outcome = await pay(
            till, provider, "approved", f"{key}-{operation}", operation=operation, amount=amount
        )
        if Operation(operation) in offered:
            assert isinstance(outcome, Approved)
        else:
            assert outcome == Failed(reason="request_refused", code="not_supported")
            assert Journal(till.journal).lookup(f"{key}-{operation}") is None, "the key is not used up"
            assert till.provider.record(f"{key}-{operation}") is None
