"""The adapters by name, loaded when one is wanted, so that settings can be checked without touching
card code."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provider_adapters.account import Account
    from provider_adapters.base import Flow

ADAPTERS: Mapping[str, str] = MappingProxyType({"connector": "Connector"})
"""The module in this package, and the class in it, which is called with an Account."""


def load(account: Account) -> Flow[Any]:
    """The adapter that the account names. Raises KeyError where there is none of that name."""
    module = importlib.import_module(f"provider_adapters.{account.adapter}")
    flow: Flow[Any] = getattr(module, ADAPTERS[account.adapter])(account)
    return flow
