"""Lists the adapters, a row each, and loads one when it is wanted: settings are checked without
touching card code.

Adding one: a module here, a row below, and a row of tests/contract/providers.py. docs/providers.md
has an example with remarks.
"""

from __future__ import annotations

import importlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from provider_adapters.account import Account
    from provider_adapters.base import Flow, LinkFlow


@dataclass(frozen=True, slots=True)
class TestCard:
    """A card that a provider publishes for its sandbox: number, MMYY, security code."""

    __test__ = False  # no test of pytest's

    number: str
    expiry: str = "1230"
    code: str = "123"


_VISA = TestCard("4111111111111111")


@dataclass(frozen=True, slots=True)
class Row:
    """One adapter: the class in the module of its name, which is called with an Account.

    `title`: the provider as it writes itself. `needs`: keys of `[provider]` that it cannot do
    without, and what each is there. `url` and `test_url`: where it is, where that is the same for
    every merchant. Its sandbox is at `test_url`, or at hosts below `test_host`; where live and
    sandbox share a URL, a key of the sandbox begins with `test_key`. `test_card` is charged there
    in `test_currency`. `links`: the class in the module of its name in `provider_adapters/links`,
    where it makes payment links. `is_own_service`: no payment provider, but a service of the
    company's, which may know us by a certificate alone."""

    flow: str
    title: str
    needs: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    test_url: str = ""
    test_host: str = ""
    test_key: str = ""
    test_card: TestCard = _VISA
    test_currency: str = "EUR"
    links: str = ""
    is_own_service: bool = False

    def is_sandbox(self, url: str, api_key: str) -> bool:
        """Whether no money moves there: it is the provider's sandbox, or on this machine."""
        host = urlsplit(url).hostname or ""
        if _is_loopback(host):
            return True
        is_below = bool(self.test_host) and host.endswith(f".{self.test_host}")
        is_there = is_below or (bool(self.test_url) and url == self.test_url)
        return is_there and api_key.startswith(self.test_key)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


ADAPTERS: Mapping[str, Row] = MappingProxyType(
    {
        "connector": Row("Connector", "Tonewall's own contract"),
        "adyen": Row(
            "Adyen",
            "Adyen",
            needs={"merchant_account": "the merchant account"},
            test_url="https://checkout-test.adyen.com/v72",
            test_card=TestCard("4111111111111111", "0330", "737"),
            links="AdyenLinks",
        ),
        "govuk_pay": Row(
            "GovukPay",
            "GOV.UK Pay",
            url="https://publicapi.payments.service.gov.uk",
            test_url="https://publicapi.payments.service.gov.uk",
            test_key="api_test_",
            test_card=TestCard("4242424242424242"),
            test_currency="GBP",
        ),
        "braintree": Row(
            "Braintree",
            "Braintree",
            needs={
                "api_user": "the public key",
                "merchant_account": "the merchant account, which decides the currency",
            },
            url="https://payments.braintree-api.com",
            test_url="https://payments.sandbox.braintree-api.com",
            test_currency="USD",
        ),
        "stripe": Row(
            "Stripe",
            "Stripe",
            url="https://api.stripe.com",
            test_url="https://api.stripe.com",
            test_key="sk_test_",
            test_card=TestCard("4242424242424242"),
            links="StripeLinks",
        ),
        "pay_connector": Row(
            "PayConnector",
            "a pay connector",
            needs={"api_user": "the user name of the connector's HTTP Basic authentication"},
        ),
        "worldpay": Row(
            "Worldpay",
            "Access Worldpay",
            needs={
                "api_user": "the user name beside the password in api_key",
                "merchant_account": "the merchant entity",
                "statement": "the narrative, which each payment must have",
            },
            url="https://access.worldpay.com",
            test_url="https://try.access.worldpay.com",
            test_card=TestCard("4444333322221111"),
            test_currency="GBP",
        ),
        "payu": Row(
            "Payu",
            "PayU",
            needs={"api_user": "the number of the point of sale (POS ID, client_id)"},
            url="https://secure.payu.com",
            test_url="https://secure.snd.payu.com",
            test_card=TestCard("4444333322221111"),
            test_currency="PLN",
        ),
        # Each merchant has a URL of its own: https://PREFIX.api.checkout.com
        "checkout": Row(
            "Checkout",
            "Checkout.com",
            test_host="api.sandbox.checkout.com",
            test_card=TestCard("4242424242424242", code="100"),
        ),
        # Takes no card, but the fields of other forms.
        "delivery": Row("Delivery", "the company's own service", is_own_service=True),
        # Takes no card: its row is for payment links and refunds.
        "square": Row(
            "Square",
            "Square",
            needs={"merchant_account": "the location ID"},
            url="https://connect.squareup.com",
            test_url="https://connect.squareupsandbox.com",
            links="SquareLinks",
        ),
        "fiserv": Row(
            "Fiserv",
            "Fiserv Commerce Hub",
            needs={
                "api_user": "the API key, whose secret is in api_key",
                "merchant_account": "the merchant ID and the terminal ID, with a slash between them",
            },
            url="https://connect.fiservapis.com/ch",
            test_url="https://connect-cert.fiservapis.com/ch",
            test_card=TestCard("4012001928706700", code="777"),
            test_currency="USD",
        ),
    }
)


def load(account: Account) -> Flow[Any]:
    """The adapter that the account names. Raises KeyError where there is none of that name."""
    row = ADAPTERS[account.adapter]
    module = importlib.import_module(f"provider_adapters.{account.adapter}")
    flow: Flow[Any] = getattr(module, row.flow)(account)
    return flow


def load_links(account: Account) -> LinkFlow | None:
    """What makes payment links with the account; None where its adapter makes none."""
    row = ADAPTERS[account.adapter]
    if not row.links:
        return None
    module = importlib.import_module(f"provider_adapters.links.{account.adapter}")
    flow: LinkFlow = getattr(module, row.links)(account)
    return flow


def flow_class(adapter: str) -> type[Flow[Any]]:
    """The adapter's class, for what it says of itself. Raises KeyError."""
    module = importlib.import_module(f"provider_adapters.{adapter}")
    found: type[Flow[Any]] = getattr(module, ADAPTERS[adapter].flow)
    return found
