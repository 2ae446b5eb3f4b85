"""What the demo gives an adapter's account is what its contract tests give it."""

from __future__ import annotations

import pytest

from provider_adapters import registry
from provider_adapters.local.dialect import ACCOUNTS, CURRENCIES, DIALECTS, TAKES_NO_CARD
from provider_adapters.payment import Operation
from tests.contract.providers import TABLE


@pytest.mark.parametrize("adapter", registry.ADAPTERS)
def test_every_adapter_is_played_with_one_account(adapter: str) -> None:
    assert adapter in DIALECTS
    assert dict(ACCOUNTS.get(adapter, {})) == dict(TABLE[adapter].account)
    assert CURRENCIES.get(adapter, "EUR") == TABLE[adapter].currency


def test_those_that_take_no_card_are_named() -> None:
    offered = {name: registry.flow_class(name).OPERATIONS for name in registry.ADAPTERS}
    assert {name for name, each in offered.items() if Operation.CHARGE not in each} == TAKES_NO_CARD
