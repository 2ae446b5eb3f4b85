"""Lists the providers, a row each: that is what a new adapter adds to get its contract tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from provider_adapters import registry
from provider_adapters.account import Account
from provider_adapters.base import Flow, LinkFlow
from provider_adapters.card import Card
from provider_adapters.keyed import KeyedFields
from provider_adapters.local import fiserv
from provider_adapters.local.books import API_KEY, Books
from provider_adapters.local.braintree import PUBLIC_KEY
from provider_adapters.local.dialect import Dialect, load_dialect
from provider_adapters.local.pay_connector import API_USER
from provider_adapters.local.payu import POS
from provider_adapters.payment import Charge, Operation
from tests.contract.described import ByPath, Described, JsonSchema, OpenApi
from tests.contract.described_checkout import Search
from tests.contract.described_graphql import GraphQl
from tests.contract.described_square import Square
from tests.contract.described_stripe import Stripe
from tests.contract.playing import make_card, make_charge, make_fields


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. `described`: its own description; None for a contract of ours. `account`: what
    the account needs beside URL and key. `currency`: what is charged in; `names_currency` and
    `names_amount`: whether its answers say what they approved. `reasons`: by card, the word of its
    decline where that is not the card's own, because the provider says less. `spoilt`: a body that
    the description refuses; an empty one, unless nothing is required there.
    `links_authorise`: whether what is paid by link can be captured later."""

    adapter: str
    described: Described | None
    account: Mapping[str, Any] = field(default_factory=dict)
    currency: str = "EUR"
    names_currency: bool = True
    names_amount: bool = True
    reasons: Mapping[str, str] = field(default_factory=dict)
    spoilt: Mapping[str, Any] = field(default_factory=dict)
    links_authorise: bool = True

    def charge(self, key: str = "k-1", **changes: Any) -> Charge:
        """A charge of 19.98 in the provider's currency; of a company's service, a delivery."""
        usual: dict[str, Any] = {"currency": self.currency}
        if self.is_service:
            usual = {"currency": "", "amount": 0, "operation": "deliver", "form": "direct-debit"}
        return make_charge(key, **usual | changes)

    @property
    def is_service(self) -> bool:
        """Whether it takes the fields of forms, and no card."""
        return registry.ADAPTERS[self.adapter].is_own_service

    def keyed(self, number: str) -> Card | KeyedFields:
        """What it takes, with this number in it."""
        return make_fields(number) if self.is_service else make_card(number)

    def account_in_order(self, **changes: Any) -> Account:
        """An account that lacks nothing."""
        values: dict[str, Any] = {
            "adapter": self.adapter, "name": self.adapter, "url": "https://pay.example.com",
            "api_key": API_KEY, "journal": "/nowhere", "timeout": 1.0, "inquiry_time": 1.0,
            "token_type": "none",
        }  # fmt: skip
        return Account(**values | dict(self.account) | changes)

    def flow(self, **changes: Any) -> Flow[Any]:
        """The adapter with an account in order."""
        return registry.load(self.account_in_order(**changes))

    def links(self, **changes: Any) -> LinkFlow:
        """What makes its payment links, with an account in order."""
        found = registry.load_links(self.account_in_order(**changes))
        assert found is not None
        return found

    def dialect(self, delay: float = 0.0) -> tuple[Books, Dialect]:
        """The provider as it is played here."""
        books = Books(delay)
        return books, load_dialect(self.adapter, books)


# The kinds of source stand in files that it names, and that are not at hand; the library's are
# compared instead.
_CHECKOUT = OpenApi(
    "checkout-2021-07-nas-payments.json",
    loose=(
        "components/schemas/PaymentRequestSource",
        "components/schemas/PaymentResponseSource",
        "components/schemas/PaymentDetailsResponseSource",
    ),
)

TABLE: Mapping[str, Provider] = MappingProxyType(
    {
        row.adapter: row
        for row in (
            Provider("connector", None),
            Provider(
                "adyen",
                OpenApi("adyen-checkout-v72-payments.json"),
                account={"merchant_account": "TonewallTest"},
            ),
            Provider(
                "govuk_pay",
                # `return_url` is required there, whose own text forbids it by phone; and values of
                # `params` are called objects, which its own example shows as words.
                OpenApi(
                    "govuk-pay-1.0.3.json",
                    allowed=("'return_url' is a required property", "params/one_time_token:"),
                ),
                currency="GBP",
                names_currency=False,
                reasons={"insufficient_funds": "declined"},
            ),
            Provider(
                "braintree",
                GraphQl(
                    "braintree-schema.graphql",
                    "/graphql",
                    headers=("Authorization", "Braintree-Version"),
                    errors=frozenset(
                        {"AUTHENTICATION", "AUTHORIZATION", "INTERNAL", "NOT_FOUND", "RESOURCE_LIMIT"}
                        | {"SERVICE_AVAILABILITY", "UNSUPPORTED_CLIENT", "VALIDATION"}
                    ),
                ),
                account={"api_user": PUBLIC_KEY, "merchant_account": "shoes"},
            ),
            Provider("stripe", Stripe()),
            Provider(
                "pay_connector",
                JsonSchema("pay-connector-family.schema.json", undescribed=frozenset({401, 405, 500})),
                account={"api_user": API_USER},
                names_currency=False,
                names_amount=False,
            ),
            Provider(
                "worldpay",
                ByPath(
                    {
                        "/api/payments": OpenApi("worldpay-access-payments.yaml"),
                        # Two dates are required there, which its own text tells to leave out beside
                        # a reference.
                        "/paymentQueries": OpenApi(
                            "worldpay-access-payment-queries.yaml",
                            allowed=("query parameter startDate", "query parameter endDate"),
                            # One of ten kinds of links, told apart by a name that is no word.
                            loose=("components/schemas/pq_querybypaymentid_200_response/properties/_links",),
                        ),
                    }
                ),
                account={
                    "api_user": "local-test-user",
                    "merchant_account": "default",
                    "statement": "SHOES LTD",
                },
            ),
            Provider(
                "payu",
                # Slips of the file: the only grant type is misspelt, and the kinds of transactions
                # exclude each other, though nothing is required of any.
                OpenApi(
                    "payu-europe-2.1.0-orders.json",
                    mended=(
                        (
                            "/components/schemas/ClientCredentials/properties/grant_type/enum",
                            '{"enum": ["client_credentials"]}',
                        ),
                        (
                            "/paths/~1api~1v2_1~1orders~1{orderId}~1transactions/get/responses/200"
                            "/content/application~1json/schema/oneOf",
                            '{"anyOf": [{"$ref": "#/components/schemas/card"}]}',
                        ),
                    ),
                ),
                account={"api_user": POS},
                currency="PLN",
            ),
            Provider(
                "checkout",
                ByPath({"/payments?": Search(_CHECKOUT), "/payments": _CHECKOUT}),
                account={"merchant_account": "pc_local"},
            ),
            # A company's own service: no money, no card.
            Provider("delivery", None, names_currency=False, names_amount=False),
            Provider(
                "square",
                Square(),
                account={"merchant_account": "LOCALSQUARE"},
                links_authorise=False,
            ),
            Provider(
                "fiserv",
                OpenApi("fiserv-commerce-hub-1.24.11-payments.json"),
                account={
                    "api_user": fiserv.API_USER,
                    "merchant_account": "100008000003683/10000001",
                },
                currency="USD",
                spoilt={"amount": {"total": "much"}},
            ),
        )
    }
)

CARD_TAKERS = tuple(row for row in TABLE.values() if Operation.CHARGE in row.flow().OPERATIONS)
"""Those that take a card."""
LINK_MAKERS = tuple(row for row in TABLE.values() if Operation.LINK in row.flow().OPERATIONS)
"""Those that make payment links."""
