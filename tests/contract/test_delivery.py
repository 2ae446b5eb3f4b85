"""Deliveries to a company's own service: what is posted, and what an answer means."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey

from provider_adapters.base import Request, Response
from provider_adapters.delivery import TEST_FORM, Delivery
from provider_adapters.keyed import KeyedFields
from provider_adapters.local.books import API_KEY
from provider_adapters.payer.charging import discreet
from provider_adapters.payment import Approved, Charge, Declined, Failed, FollowUp, Operation, Unknown
from provider_adapters.reasons import REASONS
from tests.contract.playing import CARDS, answer_with, make_fields, play
from tests.contract.providers import TABLE

ROW = TABLE["delivery"]


def fields() -> KeyedFields:
    return make_fields("20041538290008", pin="4826", house_number="")


def first(account: dict[str, Any] | None = None, **changes: Any) -> Request:
    return next(ROW.flow(**account or {}).charge(ROW.charge(**changes), fields()))


def delivered(body: Any, status: int = 200) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = answer_with(ROW.flow().charge(ROW.charge(), fields()), [Response(status, content)])
    return discreet(found, fields())


def test_what_is_posted_and_where() -> None:
    request = first(metadata={"contract": "C-7"}, call="c-1", submitted_at=1_800_000_000.25)
    assert (request.method, request.path, request.may_charge) == ("POST", "", True)
    assert request.headers["Idempotency-Key"] == "k-1"
    assert request.headers["Authorization"] == f"Bearer {API_KEY}"
    assert (request.body, request.media_type) == (
        {
            "payment": "k-1",
            "transaction_id": "order-20417",
            "description": "Shoes",
            "metadata": {"contract": "C-7"},
            "form": "direct-debit",
            "submitted_at": "2027-01-15T08:00:00.250+00:00",
            "fields": {"customer_number": "20041538290008", "pin": "4826", "house_number": None},
        },
        "application/json",
    )
    assert "2004" not in repr(request)


def test_the_call_is_named_where_the_account_allows_it() -> None:
    body: Any = first({"call_id": True}, call="c-1").body
    assert body["call"] == "c-1"


@pytest.mark.parametrize(
    ("account", "headers"),
    [
        ({"api_key": ""}, {}),
        ({"api_key": "s3cret"}, {"Authorization": "Bearer s3cret"}),
        (
            {"api_key": "s3cret", "api_user": "tonewall"},
            {"Authorization": f"Basic {b64encode(b'tonewall:s3cret').decode()}"},
        ),
        ({"api_key": "s3cret", "key_header": "X-Api-Key"}, {"X-Api-Key": "s3cret"}),
    ],
)
def test_the_secret_stands_where_the_service_wants_it(account: Any, headers: dict[str, str]) -> None:
    found = dict(first(account).headers)
    del found["Idempotency-Key"], found["Accept"]
    assert found == headers


def test_it_is_repeated_where_the_service_promises_to_take_a_key_once_and_only_there() -> None:
    assert not first().repeatable
    assert first({"idempotent": True}).repeatable


def test_with_a_public_key_nothing_stands_in_clear() -> None:
    key = ECKey.generate_key("P-256")
    request = first({"encryption_key": json.dumps(key.as_dict(private=False))})
    assert request.media_type == "application/jose"
    assert isinstance(request.body, bytes)
    for text in (b"20041538290008", b"4826", b"order-20417", b"direct-debit"):
        assert text not in request.body
    read = jwe.decrypt_compact(request.body, key, algorithms=["ECDH-ES", "A256GCM"])
    assert json.loads(read.plaintext or b"")["fields"]["pin"] == "4826"


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, {"reference": "M-1", "message": "Set up."}, Approved(reference="M-1", message="Set up.")),
        (201, {"reference": 71}, Approved(reference="71")),
        (204, b"", Approved(reference="")),
        (202, {}, Approved(reference="")),
        (200, b"<html>Sign in</html>", Unknown(reason="answer_not_understood")),
        (200, [], Unknown(reason="answer_not_understood")),
        (200, {"reference": ["M-1"]}, Unknown(reason="answer_not_understood")),
        (422, {"reason": "no_such_bank", "message": "No such bank."},
         Declined(reason="fields_refused", code="no_such_bank", message="No such bank.")),
        (400, {"reason": 17}, Declined(reason="fields_refused", code="17")),
        (404, {"reason": "no_contract"}, Declined(reason="fields_refused", code="no_contract")),
        (400, {}, Failed(reason="request_refused", code="http_400")),
        (404, b"not here", Failed(reason="request_refused", code="http_404")),
        (401, {"reason": "no_such_bank"}, Failed(reason="key_refused", code="http_401")),
        (403, b"", Failed(reason="key_refused", code="http_403")),
        (429, {"reason": "slow"}, Failed(reason="try_again_later", code="http_429")),
        (408, {"reason": "late"}, Unknown(reason="http_408")),
        (409, {"reason": "in_progress"}, Unknown(reason="http_409")),
        (302, b"", Unknown(reason="http_302")),
        (500, {"reason": "no_such_bank"}, Unknown(reason="http_500")),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, body: Any, outcome: Any) -> None:
    assert delivered(body, status) == outcome
    if isinstance(outcome, Declined):
        assert outcome.reason in REASONS


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, {"reference": "M-20041538290008", "message": "PIN 4826"}, Approved(reference="withheld")),
        (200, {"reference": "M-153829", "message": "ends in 0008"}, Approved(reference="withheld")),
        (422, {"reason": "r4826", "message": "no 2004-1538"},
         Declined(reason="fields_refused", code="withheld")),
    ],
)  # fmt: skip
def test_no_digit_comes_back_to_the_agent(status: int, body: Any, outcome: Any) -> None:
    assert delivered(body, status) == outcome


async def test_a_played_service_takes_a_key_once_and_reads_what_was_encrypted() -> None:
    books, dialect = ROW.dialect()
    public = getattr(dialect, "public_key")  # noqa: B009 - of this dialect alone
    flow = ROW.flow(encryption_key=json.dumps(public))
    for _ in range(2):
        outcome, _exchanges = await play(flow.charge(ROW.charge(), fields()), dialect)
        assert isinstance(outcome, Approved)
        assert outcome.message == "The mandate is set up."
    record = books.find("k-1")
    assert record is not None
    assert (record.charges, record.beside["encrypted"]) == (1, True)
    assert record.beside["names"] == ["customer_number", "pin", "house_number"]


async def test_a_played_service_refuses_by_the_longest_field() -> None:
    _, dialect = ROW.dialect()
    number = CARDS["declined_quoting"]
    outcome, _ = await play(ROW.flow().charge(ROW.charge(), make_fields(number)), dialect)
    assert isinstance(outcome, Declined)
    assert number[:4] in outcome.message
    assert discreet(outcome, make_fields(number)) == Declined(reason="fields_refused", code="invalid_number")


async def test_a_trial_s_delivery_is_answered_and_not_kept() -> None:
    books, dialect = ROW.dialect()
    outcome, _ = await play(ROW.flow().charge(ROW.charge(form=TEST_FORM), fields()), dialect)
    assert outcome == Approved(reference="test")
    assert books.requests == 0


def test_it_does_nothing_else() -> None:
    flow = ROW.flow()
    charge = ROW.charge()
    assert {Operation.DELIVER} == Delivery.OPERATIONS
    later = FollowUp(key="f", kind="refund", charge=charge, reference="M-1", amount=0)
    assert answer_with(flow.follow_up(later), []) == Failed(reason="not_supported")
    assert answer_with(flow.charge_saved(charge, "t"), []) == Failed(reason="not_supported")
    assert answer_with(flow.inquire(charge, {}), []) is None


@pytest.mark.parametrize("adapter", sorted(set(TABLE) - {"delivery"}))
def test_no_payment_provider_takes_a_form(adapter: str) -> None:
    assert Operation.DELIVER not in TABLE[adapter].flow().OPERATIONS


def test_a_charge_of_an_older_process_is_still_read() -> None:
    old = b'{"idempotency_key":"k","transaction_id":"t","amount":1,"currency":"EUR"}'
    assert msgspec.json.decode(old, type=Charge).form == ""
