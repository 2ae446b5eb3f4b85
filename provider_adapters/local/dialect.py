"""Says what a played provider is: one dialect over the books. Each is made from the provider's own
description, and each of its answers is checked against it in the tests."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from provider_adapters.local.books import Answer, Books


class Dialect(Protocol):
    """One provider's way of answering. `headers` are in lower case; `path` has the query."""

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Answer one request; None: close without an answer."""
        ...


DIALECTS: Mapping[str, str] = MappingProxyType(
    {
        "connector": "LocalConnector",
        "adyen": "LocalAdyen",
        "govuk_pay": "LocalGovukPay",
        "braintree": "LocalBraintree",
        "stripe": "LocalStripe",
        "pay_connector": "LocalPayConnector",
        "worldpay": "LocalWorldpay",
        "payu": "LocalPayu",
        "checkout": "LocalCheckout",
        "fiserv": "LocalFiserv",
        "square": "LocalSquare",
        "delivery": "LocalDelivery",
    }
)
"""The class in the module of that name in this package, by adapter."""

TAKES_NO_CARD = frozenset({"delivery", "square"})
"""The adapters that a card cannot be charged at."""

ACCOUNTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "adyen": {"merchant_account": "TonewallTest"},
        "braintree": {"api_user": "local-test-user", "merchant_account": "shoes"},
        "checkout": {"merchant_account": "pc_local"},
        "fiserv": {"api_user": "local-test-user", "merchant_account": "100008000003683/10000001"},
        "pay_connector": {"api_user": "tonewall"},
        "payu": {"api_user": "145227"},
        "square": {"merchant_account": "LOCALSQUARE"},
        "worldpay": {
            "api_user": "local-test-user",
            "merchant_account": "default",
            "statement": "SHOES LTD",
        },
    }
)
"""What an account needs here beside URL and key, by adapter."""

CURRENCIES: Mapping[str, str] = MappingProxyType({"fiserv": "USD", "govuk_pay": "GBP", "payu": "PLN"})
"""What is charged in where that is not the euro, by adapter."""


def load_dialect(adapter: str, books: Books) -> Dialect:
    """The dialect that answers an adapter. Raises KeyError where none is played."""
    module = importlib.import_module(f"provider_adapters.local.{adapter}")
    dialect: Dialect = getattr(module, DIALECTS[adapter])(books)
    return dialect
