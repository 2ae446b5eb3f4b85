"""Real deliveries: the payer process, its socket pair, mTLS and JWE, and a company's service that
is played.

After each test: no digit of a field stands in the payer's output or the journal.
"""

import asyncio
import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provider_adapters.payer.journal import Journal
from provider_adapters.payer.pipe import PayerPipe
from provider_adapters.payment import Approved, Charge, Declined, Failed, Outcome, Unknown
from tests.stack import until
from tests.wire.payments.till import (
    CARDS,
    LocalProvider,
    Till,
    copies,
    keyed,
    local_provider,
    spend,
    watched_till,
)

FIELDS = {"sort_code": "200415", "account_number": "4111111111111111", "pin": "739"}


def account(service: LocalProvider) -> dict[str, str]:
    """The account with a played service: both ways encrypted, and our certificate shown."""
    return {
        "adapter": "delivery", "url": service.url, "ca_file": service.ca_file, "token_type": "none",
        "tls_certificate": service.tls_certificate, "tls_key": service.tls_key,
        "encryption_key": Path(service.encryption_key_file).read_text(),
    }  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalProvider]:
    with local_provider(
        tmp_path_factory.mktemp("service"), "--adapter", "delivery", "--mutual", "--delay", "1.5"
    ) as running:
        yield running


@pytest.fixture
def till(tmp_path: Path, service: LocalProvider) -> Iterator[Till]:
    with watched_till(tmp_path, service, **account(service)) as made:
        yield made
        for digits in (FIELDS["sort_code"], FIELDS["account_number"]):
            assert digits.encode() not in made.printed
            assert not made.journal.exists() or digits.encode() not in made.journal.read_bytes()


@pytest.fixture
def key() -> str:
    return "".join(chr(ord("a") + int(sign, 16)) for sign in uuid.uuid4().hex)


async def deliver(pipe: PayerPipe, key: str, fields: dict[str, str] | None = None, **more: Any) -> Outcome:
    values: dict[str, Any] = {
        "idempotency_key": key, "transaction_id": f"t-{key}", "amount": 0, "currency": "",
        "operation": "deliver", "form": "direct-debit",
    }  # fmt: skip
    digits = {
        name: memoryview(bytearray(text, "ascii"))
        for name, text in (FIELDS if fields is None else fields).items()
    }
    return await pipe.spend(Charge(**values | more), digits)


async def send(till: Till, key: str, name: str = "approved", **changes: str) -> Outcome:
    """Deliver a form whose number has the behaviour of this name."""
    _, pipe = await till.payer(**changes)
    return await deliver(pipe, key, FIELDS | {"account_number": CARDS[name]})


async def test_fields_arrive_whole_under_the_services_own_key(
    till: Till, service: LocalProvider, key: str
) -> None:
    outcome = await send(till, key)
    assert isinstance(outcome, Approved)
    record = service.record(key)
    assert record is not None
    assert outcome.reference == record["reference"]
    assert record["beside"]["encrypted"] is True
    assert record["beside"]["names"] == list(FIELDS)
    whole = CARDS["approved"] + "".join((FIELDS | {"account_number": CARDS["approved"]}).values())
    assert record["digits_sha256"] == hashlib.sha256(whole.encode()).hexdigest()
    entry = Journal(till.journal).lookup(key)
    assert entry is not None
    assert (entry.outcome, entry.operation, entry.amount, entry.currency) == (outcome, "deliver", 0, "")


async def test_a_refusal_says_why_without_a_digit(till: Till, key: str) -> None:
    assert await send(till, key, "insufficient_funds") == Declined(
        reason="fields_refused",
        code="insufficient_funds",
        message="There is not enough money on the account.",
    )
    assert await send(till, f"{key}-q", "declined_quoting") == Declined(
        reason="fields_refused", code="invalid_number", message=""
    )


@pytest.mark.parametrize("name", ["error_charged", "closed_charged", "cut_charged", "closed_not_charged"])
async def test_what_got_no_clear_answer_is_unknown_at_once_and_never_sent_again(
    till: Till, service: LocalProvider, key: str, name: str
) -> None:
    before = service.report()["requests"]
    async with asyncio.timeout(4):  # inquiry_time is longer: there is nobody to ask
        outcome = await send(till, key, name)
    assert isinstance(outcome, Unknown)
    assert await send(till, key) == outcome  # the journal remembers
    assert service.report()["requests"] == before + 1


@pytest.mark.parametrize("name", ["error_charged", "closed_charged", "cut_charged"])
async def test_a_service_that_takes_a_key_once_is_sent_it_again(
    till: Till, service: LocalProvider, key: str, name: str
) -> None:
    outcome = await send(till, key, name, idempotent="yes")
    record = service.record(key)
    assert record is not None
    assert record["charges"] == 1
    assert isinstance(outcome, Approved | Unknown)
    if name == "error_charged":  # the played service repeats its answer, an error
        return
    assert record["state"] == "approved"


async def test_a_client_without_a_certificate_is_refused_and_nothing_arrives(
    till: Till, service: LocalProvider, key: str, tmp_path: Path
) -> None:
    before = service.report()["requests"]
    outcome = await send(till, key, tls_certificate="", tls_key="")
    assert isinstance(outcome, Failed | Unknown)
    assert service.report()["requests"] == before
    with local_provider(tmp_path / "other", "--adapter", "delivery") as other:
        files = {"tls_certificate": other.tls_certificate, "tls_key": other.tls_key}
        stranger = await send(till, f"{key}-s", **files)
    assert isinstance(stranger, Failed | Unknown)
    assert service.report()["requests"] == before


async def test_a_service_that_cannot_prove_itself_gets_nothing(till: Till, key: str, tmp_path: Path) -> None:
    with local_provider(tmp_path / "unknown", "--adapter", "delivery", "--unknown-ca") as stranger:
        outcome = await send(till, key, url=stranger.url, ca_file=stranger.ca_file)
    assert outcome == Failed(reason="certificate_not_trusted")


async def test_wrong_credentials_are_a_failure(till: Till, service: LocalProvider, key: str) -> None:
    assert await send(till, key, api_key="wrong") == Failed(reason="key_refused", code="http_401")
    assert service.record(key) is None


@pytest.mark.parametrize("name", ["card_number", "expiry", "security_code"])
async def test_no_field_of_a_card_is_delivered(
    till: Till, service: LocalProvider, key: str, name: str
) -> None:
    before = service.report()["requests"]
    _, pipe = await till.payer()
    outcome = await deliver(pipe, key, {"sort_code": "200415", name: "1129"})
    assert outcome == Failed(reason="bad_fields")
    assert service.report()["requests"] == before
    assert Journal(till.journal).lookup(key) is None


async def test_a_card_is_not_delivered_and_a_form_is_not_charged(
    till: Till, service: LocalProvider, key: str, tmp_path: Path
) -> None:
    _, pipe = await till.payer()
    card = keyed(CARDS["approved"], "1129", "8365")
    delivering = Charge(idempotency_key=key, transaction_id="t", amount=0, currency="", operation="deliver")
    assert await pipe.spend(delivering, card) == Failed(reason="bad_fields")
    _, pipe = await till.payer()
    assert await spend(pipe, "approved", key) == Failed(reason="request_refused", code="not_supported")
    with (
        local_provider(tmp_path / "provider") as provider,
        contextlib.closing(Till(tmp_path / "provider", provider)) as other,
    ):
        _, pipe = await other.payer()
        charging = Charge(idempotency_key=key, transaction_id="t", amount=100, currency="EUR")
        fields = {name: memoryview(bytearray(text, "ascii")) for name, text in FIELDS.items()}
        assert await pipe.spend(charging, fields) == Failed(reason="bad_card")
        _, pipe = await other.payer()
        assert await deliver(pipe, key) == Failed(reason="request_refused", code="not_supported")
        assert provider.report()["requests"] == 0
    assert service.record(key) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read a payer's memory")
@pytest.mark.parametrize("encrypted", [True, False])
async def test_while_the_answer_is_awaited_only_the_locked_page_has_what_was_encrypted(
    till: Till, key: str, tmp_path: Path, encrypted: bool
) -> None:
    number = CARDS["late_charged"]
    with local_provider(tmp_path / "slow", "--adapter", "delivery", "--delay", "600") as slow:
        changes = account(slow) | {"timeout": "60"} | ({} if encrypted else {"encryption_key": ""})
        process, pipe = await till.payer(**changes)
        assert copies(process.pid, number) == 0
        delivering = asyncio.create_task(deliver(pipe, key, FIELDS | {"account_number": number}))
        await until(lambda: slow.record(key) is not None, "the form to arrive")
        # In clear it stands in the request as well, and the scan finds it there.
        assert (copies(process.pid, number) == 1) == encrypted
        process.kill()
        assert await delivering == Unknown(reason="payer_gone")
