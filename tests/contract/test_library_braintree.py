"""What Braintree's own library sends: the envelope of its GraphQL client beside ours, and the sale
by phone of its older interface, which has the same fields under other names; and that the library
understands the Braintree that is played here."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

import braintree
import pytest
from braintree.exceptions.authentication_error import AuthenticationError
from braintree.util.xml_util import XmlUtil

from provider_adapters import registry
from provider_adapters.answers.braintree_documents import ACCOUNT, CHARGE, TOKENIZE
from provider_adapters.local.books import API_KEY
from provider_adapters.local.braintree import PUBLIC_KEY
from provider_adapters.local.dialect import Dialect
from tests.contract.playing import CARDS, CODE, make_card, make_charge, play
from tests.contract.providers import TABLE

ROW = TABLE["braintree"]
URL = registry.ADAPTERS["braintree"].test_url

# What only the library sends, and why.
HEADERS_OF_THE_LIBRARY = {
    "user-agent": "names the library; our runner sends its own",
    "accept-encoding": "our runner takes none",
    "x-apiversion": "of the older interface",
}
VERSION_OF_THE_LIBRARY = "2018-09-10"  # ours is the day of the schema that it is checked against
# The older interface's names of what we send, by ours. `type` says that it is a sale, and
# `submit_for_settlement` that it is charged; in GraphQL the mutation says both.
SALE = {
    "amount": "amount",
    "merchantAccountId": "merchant_account_id",
    "orderId": "order_id",
    "descriptor": "descriptor",
    "customFields": "custom_fields",
    "paymentInitiator": "transaction_source",
}


class Strategy:
    """The library's network, replaced by the Braintree that is played here."""

    dialect: ClassVar[Dialect]
    sent: ClassVar[list[tuple[str, str, dict[str, str], str]]]

    def __init__(self, *_: object) -> None:
        pass

    def http_do(self, method: str, url: str, headers: dict[str, Any], body: str) -> tuple[int, str]:
        read = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in headers.items()
        }
        self.sent.append((method, url, read, body))
        if "/graphql" not in url:
            refusal = {"message": "only GraphQL is played here", "errors": {"errors": []}, "params": {}}
            return 422, XmlUtil.xml_from_dict({"api_error_response": refusal})
        path = "/graphql"
        answer = asyncio.run(self.dialect.handle(method, path, read, body.encode()))
        assert answer is not None
        return answer.status, json.dumps(answer.body)

    def handle_exception(self, exception: Exception) -> None:
        raise exception


def open_library(dialect: Dialect, private_key: str = API_KEY) -> Any:
    """The library's gateway."""
    Strategy.dialect, Strategy.sent = dialect, []
    return braintree.BraintreeGateway(
        braintree.Configuration(
            environment=braintree.Environment.Sandbox,
            merchant_id="shoes",
            public_key=PUBLIC_KEY,
            private_key=private_key,
            http_strategy=Strategy,
        )
    )


def ours(dialect: Dialect, **changes: Any) -> list[Any]:
    flow = ROW.flow(url=URL, statement="SHOES*LTD")
    charging = flow.charge(make_charge(metadata={"desk": "7"}, **changes), make_card())
    return asyncio.run(play(charging, dialect))[1]


def test_the_envelope_is_the_one_of_the_librarys_graphql_client() -> None:
    _, dialect = ROW.dialect()
    exchanges = ours(dialect)
    _, other = ROW.dialect()
    gateway = open_library(other)
    for each, document in zip(exchanges, (ACCOUNT, TOKENIZE, CHARGE), strict=True):
        request = each.request
        gateway.graphql_client.query(document, request.body["variables"])
        method, url, headers, body = Strategy.sent[-1]
        assert (request.method, URL + request.path) == (method, url.replace(":443", ""))
        assert request.body == json.loads(body)
        mine = {name.lower(): value for name, value in request.headers.items()}
        assert set(headers) - set(mine) - {"content-type"} == set(HEADERS_OF_THE_LIBRARY)
        assert headers["content-type"] == "application/json"
        assert headers["braintree-version"] == VERSION_OF_THE_LIBRARY
        assert {name: value for name, value in mine.items() if name != "braintree-version"} == {
            name: headers[name] for name in mine if name != "braintree-version"
        }


def test_a_sale_by_phone_has_the_same_fields_in_the_older_interface() -> None:
    _, dialect = ROW.dialect()
    transaction = ours(dialect)[-1].request.body["variables"]["input"]["transaction"]
    gateway = open_library(dialect)
    gateway.transaction.sale(
        {
            "amount": "19.98",
            "merchant_account_id": "shoes",
            "order_id": "k-1",
            "transaction_source": "moto",
            "descriptor": {"name": "SHOES*LTD"},
            "custom_fields": {"desk": "7"},
            "credit_card": {
                "number": CARDS["approved"],
                "expiration_month": "03",
                "expiration_year": "2030",
                "cvv": CODE,
            },
            "options": {"submit_for_settlement": True},
        }
    )
    method, url, _, body = Strategy.sent[-1]
    assert method == "POST"
    assert url.endswith("/transactions")
    theirs = XmlUtil.dict_from_xml(body)["transaction"]
    assert set(theirs) == {*SALE.values(), "credit_card", "options", "type"}
    assert set(transaction) == set(SALE)
    for name in ("amount", "merchantAccountId", "orderId", "descriptor"):
        assert transaction[name] == theirs[SALE[name]], name
    assert transaction["paymentInitiator"].lower() == theirs["transaction_source"]
    assert {each["name"]: each["value"] for each in transaction["customFields"]} == theirs["custom_fields"]
    card = ours(ROW.dialect()[1])[1].request.body["variables"]["input"]["creditCard"]
    assert theirs["credit_card"] == {
        "number": card["number"],
        "expiration_month": card["expirationMonth"],
        "expiration_year": card["expirationYear"],
        "cvv": card["cvv"],
    }


def test_the_librarys_errors_are_those_that_are_meant() -> None:
    _, dialect = ROW.dialect()
    gateway = open_library(dialect, private_key="wrong")
    with pytest.raises(AuthenticationError):
        gateway.graphql_client.query(ACCOUNT, {"id": "shoes"})
    gateway = open_library(dialect)
    card = {"number": "x", "expirationMonth": "03", "expirationYear": "2030"}
    refused = gateway.graphql_client.query(TOKENIZE, {"input": {"creditCard": card}})
    (fault,) = gateway.graphql_client.get_validation_errors(refused)["errors"]
    assert fault["code"] == "81715"
