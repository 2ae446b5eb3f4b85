"""Commerce Hub: signed requests, what an answer means, and inquiries by our own key."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from provider_adapters.base import NotFound, Response
from provider_adapters.codes.fiserv import ABSENT, ERRORS, OPEN, RESPONSES
from provider_adapters.local.fiserv import API_USER
from provider_adapters.payment import Approved, Declined, Failed, FollowUp, PartiallyApproved, Unknown
from provider_adapters.reasons import REASONS
from tests.contract.playing import CARDS, CODE, answer_with, ask, encode, make_card, play
from tests.contract.providers import TABLE

ROW = TABLE["fiserv"]
REFERENCE = "84356531338"


def answer(status: int, body: Any = None) -> Response:
    return Response(status, b"" if body is None else json.dumps(body).encode())


def transaction(
    state: str = "CAPTURED", approval: str = "APPROVED", code: str = "000", **changes: Any
) -> dict[str, Any]:
    amount = {"total": changes.get("total", 19.98), "currency": changes.get("currency", "USD")}
    return {
        "gatewayResponse": {
            "transactionState": state,
            "transactionProcessingDetails": {
                "clientRequestId": changes.get("key", "k-1"),
                "transactionId": REFERENCE,
            },
        },
        "source": {"card": {"expirationMonth": "03", "expirationYear": "2030"}},
        "paymentReceipt": {
            "approvedAmount": amount,
            "processorResponseDetails": {
                "approvalStatus": approval,
                "approvalCode": "OK3483" if approval == "APPROVED" else "",
                "responseCode": code,
                "responseMessage": "A message",
            },
        },
        "paymentTokens": changes.get("tokens", []),
    }


def failure(code: str | None) -> dict[str, Any]:
    return {"error": [{"type": "GATEWAY", "message": "No."} | ({} if code is None else {"code": code})]}


def charged(response: Response, **changes: Any) -> Any:
    return answer_with(ROW.flow().charge(ROW.charge(**changes), make_card()), [response])


APPROVED = Approved(reference=REFERENCE, authorisation_code="OK3483")


def test_a_telephone_charge_is_one_request_under_our_key() -> None:
    request = next(ROW.flow().charge(ROW.charge(), make_card()))
    assert (request.method, request.path) == ("POST", "/payments/v1/charges")
    assert request.may_charge
    assert not request.repeatable
    assert request.body == {
        "amount": {"total": 19.98, "currency": "USD"},
        "source": {
            "sourceType": "PaymentCard",
            "card": {
                "cardData": CARDS["approved"],
                "expirationMonth": "03",
                "expirationYear": "2030",
                "securityCode": CODE,
                "securityCodeIndicator": "PROVIDED",
            },
        },
        "transactionDetails": {
            "captureFlag": True,
            "merchantTransactionId": "k-1",
            "merchantOrderId": "order-20417",
        },
        "transactionInteraction": {
            "origin": "MOTO",
            "motoType": "PHONE",
            "posEntryMode": "MANUAL",
            "posConditionCode": "CARD_NOT_PRESENT_MOTO",
        },
        "merchantDetails": {"merchantId": "100008000003683", "terminalId": "10000001"},
    }


def test_a_request_is_signed_over_key_id_time_and_octets() -> None:
    request = next(ROW.flow().charge(ROW.charge(), make_card()))
    headers = request.all_headers(b'{"a":1}', 1_700_000_000.1234)
    assert headers["Api-Key"] == API_USER
    assert headers["Client-Request-Id"] == "k-1"
    assert headers["Timestamp"] == "1700000000123"
    assert headers["Auth-Token-Type"] == "HMAC"
    # As `openssl dgst -sha256 -hmac local-test-key -binary | base64` says of
    # local-test-userk-11700000000123{"a":1}
    assert headers["Authorization"] == "/C+ISTIrBbXo04Wehp9LmK5KaTZbHO8XZYI+8kQkT6Y="


async def test_a_signature_counts_for_its_octets_its_time_and_its_secret() -> None:
    books, dialect = ROW.dialect()
    request = next(ROW.flow().charge(ROW.charge(), make_card()))
    body = encode(request)

    async def asked(sent: bytes, at: float) -> int:
        headers = {name.lower(): value for name, value in request.all_headers(body, at).items()}
        found = await dialect.handle(request.method, request.path, headers, sent)
        assert found is not None
        return found.status

    assert await asked(body + b" ", time.time()) == 401
    assert await asked(body, time.time() - 600) == 401
    wrong, _ = await play(ROW.flow(api_key="wrong").charge(ROW.charge(), make_card()), dialect)
    assert wrong == Failed(reason="key_refused", code="http_401")
    assert books.requests == 0
    assert await asked(body, time.time()) == 201


def test_what_the_order_and_the_account_add() -> None:
    charge = ROW.charge(
        operation="authorise", statement="SHOES", customer="c-7", token_type="reusable",
        metadata={"desk": "7"}, merchant_account="other",
    )  # fmt: skip
    body = next(ROW.flow().charge(charge, make_card(code=""))).body
    assert body is not None
    assert body["transactionDetails"]["captureFlag"] is False  # type: ignore[index]
    assert body["transactionDetails"]["createToken"] is True  # type: ignore[index]
    assert body["dynamicDescriptors"] == {"merchantName": "SHOES"}
    assert body["customer"] == {"merchantCustomerId": "c-7"}
    assert body["additionalDataCommon"] == {"customFields": [{"key": "desk", "value": "7"}]}
    assert body["merchantDetails"] == {"merchantId": "other"}
    assert "securityCode" not in body["source"]["card"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("amount", "currency", "total"),
    [(5, "USD", 0.05), (1998, "JPY", 1998.0), (1998, "KWD", 1.998), (99_999_999_999, "USD", 999999999.99)],
)
def test_amounts_are_decimal_numbers_and_exact(amount: int, currency: str, total: float) -> None:
    body = next(ROW.flow().charge(ROW.charge(amount=amount, currency=currency), make_card())).body
    assert body is not None
    assert body["amount"] == {"total": total, "currency": currency}
    answered = answer(201, transaction(total=total, currency=currency))
    assert charged(answered, amount=amount, currency=currency) == APPROVED


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (transaction(), APPROVED),
        (transaction("AUTHORIZED"), APPROVED),
        (transaction(total="19.98"), APPROVED),
        (
            transaction(total=10),
            PartiallyApproved(amount=1000, reference=REFERENCE, authorisation_code="OK3483"),
        ),
        (transaction(total=19.985), Unknown(reason="amount_differs")),
        (transaction(total=20), Unknown(reason="amount_differs")),
        (transaction(currency="EUR"), Unknown(reason="currency_differs")),
        (transaction("CHECKED"), Unknown(reason="answer_not_understood")),
        (transaction("", "WAITING", "002"), Unknown(reason="answer_not_understood")),
        (transaction("", "PROCESSING_FAILED", "039"), Unknown(reason="answer_not_understood")),
        (transaction("", "VALIDATION_FAILED", "230"), Failed(reason="moto_not_enabled", code="230")),
        (
            transaction("DECLINED", "DECLINED", "008"),
            Declined(reason="insufficient_funds", message="A message", reference=REFERENCE, code="008"),
        ),
        (
            transaction("DECLINED", "DECLINED", "048"),
            Declined(reason="authentication_required", message="A message", reference=REFERENCE, code="048"),
        ),
        (
            transaction("DECLINED", "DECLINED", "999"),
            Declined(reason="declined", message="A message", reference=REFERENCE, code="999"),
        ),
        (transaction("VOIDED"), Declined(reason="cancelled", reference=REFERENCE, code="VOIDED")),
        ({}, Unknown(reason="answer_not_understood")),
        ([], Unknown(reason="answer_not_understood")),
    ],
)
def test_what_an_answer_means(body: Any, expected: Any) -> None:
    assert charged(answer(201, body)) == expected


def test_an_approval_without_an_amount_is_for_a_person() -> None:
    body = transaction()
    del body["paymentReceipt"]["approvedAmount"]
    assert charged(answer(201, body)) == Unknown(reason="amount_differs")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "103", Failed(reason="invalid_number", code="103")),
        (400, "115", Failed(reason="invalid_expiry", code="115")),
        (400, "201", Failed(reason="account_refused", code="201")),
        (400, "230", Failed(reason="moto_not_enabled", code="230")),
        (400, "247", Failed(reason="currency_not_supported", code="247")),
        (400, "999", Failed(reason="request_refused", code="999")),
        (401, None, Failed(reason="key_refused", code="http_401")),
        (429, None, Failed(reason="try_again_later", code="http_429")),
        (400, "613", Unknown(reason="error_613")),
        (400, "757", Unknown(reason="error_757")),
        (400, "759", Unknown(reason="error_759")),
        (408, None, Unknown(reason="http_408")),
        (425, None, Unknown(reason="http_425")),
        (500, "703", Unknown(reason="error_703")),
        (504, None, Unknown(reason="http_504")),
    ],
)
def test_a_request_that_was_refused(status: int, code: str | None, expected: Any) -> None:
    assert charged(answer(status, failure(code))) == expected


def test_every_code_has_a_word_and_is_either_clear_or_open() -> None:
    assert {*RESPONSES.values(), *ERRORS.values()} <= set(REASONS)
    assert not (OPEN & set(ERRORS))
    assert not (ABSENT & set(ERRORS))


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer(201, [transaction()]), APPROVED),
        (answer(201, [transaction(key="another"), transaction()]), APPROVED),
        (answer(201, [transaction(), transaction()]), None),
        (answer(201, [transaction(key="another")]), None),
        (answer(201, [transaction("", "WAITING")]), None),
        (answer(201, []), NotFound()),
        (answer(404, failure("764")), NotFound()),
        (answer(400, failure("801")), NotFound()),
        (answer(404, failure(None)), None),
        (answer(404), None),
        (answer(401), None),
        (answer(500, failure("703")), None),
    ],
)
def test_what_an_inquiry_says(response: Response, expected: Any) -> None:
    assert answer_with(ROW.flow().inquire(ROW.charge(), {}), [response]) == expected


def test_an_inquiry_asks_for_our_key_under_an_id_of_its_own() -> None:
    request = next(ROW.flow().inquire(ROW.charge(), {}))
    assert request.body == {
        "referenceTransactionDetails": {"referenceClientRequestId": "k-1"},
        "merchantDetails": {"merchantId": "100008000003683", "terminalId": "10000001"},
    }
    assert not request.may_charge
    ids = {request.all_headers(b"", now)["Client-Request-Id"] for now in (1.0, 2.0)}
    assert len(ids | {"k-1"}) == 3


def test_a_token_goes_with_its_source_and_its_expiry() -> None:
    tokens = [{"tokenData": "8519371934460009", "tokenSource": "TRANSARMOR"}]
    outcome = charged(answer(201, transaction(tokens=tokens)), token_type="reusable")
    assert outcome.token == "TRANSARMOR:8519371934460009:032030"
    body = next(ROW.flow().charge_saved(ROW.charge(), outcome.token)).body
    assert body is not None
    assert body["source"] == {
        "sourceType": "PaymentToken",
        "tokenData": "8519371934460009",
        "tokenSource": "TRANSARMOR",
        "card": {"expirationMonth": "03", "expirationYear": "2030"},
    }


@pytest.mark.parametrize(
    ("kind", "path", "more"),
    [
        (
            "capture",
            "/payments/v1/charges",
            {"amount": {"total": 5.0, "currency": "USD"}, "transactionDetails": {"captureFlag": True}},
        ),
        ("void", "/payments/v1/cancels", {"transactionDetails": {"reversalReasonCode": "VOID"}}),
        ("refund", "/payments/v1/refunds", {"amount": {"total": 5.0, "currency": "USD"}}),
    ],
)
def test_what_is_done_later_names_the_transaction(kind: Any, path: str, more: Any) -> None:
    request = FollowUp(key="r-1", kind=kind, charge=ROW.charge(), reference=REFERENCE, amount=500)
    sent = next(ROW.flow().follow_up(request))
    assert (sent.path, sent.may_charge, sent.repeatable) == (path, True, False)
    assert sent.all_headers(b"", 1.0)["Client-Request-Id"] == "r-1"
    assert sent.body == more | {
        "referenceTransactionDetails": {"referenceTransactionId": REFERENCE},
        "merchantDetails": {"merchantId": "100008000003683", "terminalId": "10000001"},
    }

    def became(response: Response) -> Any:
        return answer_with(ROW.flow().follow_up(request), [response])

    assert became(answer(201, transaction("VOIDED"))) == Approved(reference=REFERENCE)
    declined = became(answer(201, transaction("DECLINED", "DECLINED", "006")))
    assert isinstance(declined, Declined)
    assert became(answer(400, failure("829"))) == Failed(reason="request_refused", code="829")
    assert became(answer(201, {})) == Unknown(reason="answer_not_understood")
    assert became(answer(500, failure("703"))) == Unknown(reason="error_703")


async def test_the_same_charge_again_is_answered_from_the_books() -> None:
    books, dialect = ROW.dialect()
    request = next(ROW.flow().charge(ROW.charge(), make_card()))
    first, second = [await ask(dialect, request) for _ in range(2)]
    assert first is not None
    assert second is not None
    assert first.body == second.body
    assert books.report()["charges"] == 1
