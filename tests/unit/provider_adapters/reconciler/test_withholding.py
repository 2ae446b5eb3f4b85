"""A provider that quotes the card in its answer to the reconciler tells nobody: neither journal nor
agent."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import structlog

from provider_adapters.account import Account
from provider_adapters.notice import Notice
from provider_adapters.payer import runner as runners
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Approved, Declined, Failed, Unknown
from provider_adapters.reconciler.messages import Inquiry, LaterRequest
from provider_adapters.reconciler.reconciler import Reconciler
from provider_adapters.reconciler.withholding import withhold_card_numbers, withhold_from_notice
from provider_adapters.webhook.listener import HttpRequest
from provider_adapters.webhook.reception import Reception
from provider_adapters.webhook.scheme import load_scheme
from tests.contract.playing import make_charge
from tests.signed_webhooks import ADYEN_KEY, adyen, adyen_item

CARD = "4111111111111111"
ENCODED = base64.b64encode(CARD.encode()).decode()
QUOTES = (CARD, f"card_{CARD}", "4111 1111 1111 1111", "4111-1111-1111-1111", ENCODED, CARD.encode().hex())


class Quoting(httpx.AsyncBaseTransport):
    """Answers every request with this body."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(self.body).encode()))


def play(monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]) -> None:
    class Client(httpx.AsyncClient):
        def __init__(self, **values: Any) -> None:
            super().__init__(**values | {"verify": False, "transport": Quoting(body)})

    monkeypatch.setattr(runners.httpx, "AsyncClient", Client)


def make_reconciler(path: Path) -> Reconciler:
    account = Account(
        adapter="connector", name="default", url="https://pay.example", api_key="k", journal=str(path),
        timeout=1.0, inquiry_time=0.0, token_type="none",
    )  # fmt: skip
    return Reconciler([account])


@pytest.mark.parametrize("quote", QUOTES)
@pytest.mark.parametrize("status", ["approved", "declined"])
async def test_an_answer_to_an_inquiry_that_quotes_the_card_tells_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: str, quote: str
) -> None:
    names = ("reference", "token", "authorisation_code", "reason", "message", "error")
    play(monkeypatch, {"status": status, **dict.fromkeys(names, quote)})
    path, charge = tmp_path / "journal", make_charge()
    journal = Journal(path)
    journal.begin(charge)
    journal.finish(charge, Unknown(reason="connection_lost"))
    reconciler = make_reconciler(path)
    reconciler._follow()
    [item] = reconciler._agenda.due(time.time() + 1, 4)
    await reconciler._ask(item)
    reconciler._follow()
    outcome = reconciler.inquire(Inquiry(keys=("k-1",))).found["k-1"].outcome
    assert isinstance(outcome, Approved if status == "approved" else Declined)
    for said in (path.read_text(), repr(outcome)):
        assert quote not in said
        assert CARD not in said.replace(" ", "").replace("-", "")
    await reconciler.close()


async def test_a_charge_of_a_saved_card_that_is_answered_with_its_number_tells_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    play(monkeypatch, {"status": "approved", "reference": CARD, "token": CARD})
    reconciler = make_reconciler(tmp_path / "journal")
    outcome = await reconciler.carry_out(LaterRequest(number=1, charge=make_charge(), token="tok"))
    assert outcome == Approved(reference="withheld", provider="default")
    assert CARD not in (tmp_path / "journal").read_text()
    await reconciler.close()


def test_what_a_person_reads_is_ours_alone_and_identifiers_stay() -> None:
    said = Declined(reason="declined", message="security code 739 is wrong", reference="ch_5133cd14204b6874")
    assert withhold_card_numbers(said) == Declined(reason="declined", reference="ch_5133cd14204b6874")
    kept = Approved(reference="M5N7TQ4TG5PFWR50", token="tok_reusable_898b923113ae", provider="backup")
    assert withhold_card_numbers(kept) == kept
    assert withhold_card_numbers(Failed(reason="no_such_charge")) == Failed(reason="no_such_charge")


@pytest.mark.parametrize("quote", QUOTES)
async def test_a_webhook_that_quotes_the_card_tells_nobody(tmp_path: Path, quote: str) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.begin(make_charge(), "default")
    journal.finish(make_charge(), Unknown(reason="connection_lost"), "default")
    # Of a pay connector nobody can be asked: the claim itself is believed.
    account = Account(
        adapter="pay_connector", name="default", url="https://pay.example", api_key="k", journal=str(path),
        timeout=1.0, inquiry_time=0.0, token_type="none",
    )  # fmt: skip
    reconciler = Reconciler([account])
    reconciler.notices.open(time.time())
    heard: list[Notice] = []

    async def hand_on(notices: tuple[Notice, ...]) -> bool:
        heard.extend(notices)
        return reconciler.notice(notices)

    reception = Reception("adyen", "default", load_scheme("adyen"), ADYEN_KEY, hand_on)
    right = adyen_item(merchantReference="k-1", pspReference=quote, amount={"currency": "EUR", "value": 1998})
    stranger = adyen_item(
        eventCode="CAPTURE",
        merchantReference=quote,
        pspReference=quote,
        reason=quote,
        originalReference=quote,
    )
    with structlog.testing.capture_logs() as lines:
        for signed in (adyen(right), adyen(stranger), adyen(right)):
            assert (
                await reception.respond(HttpRequest("POST", "/webhooks/adyen", {}, signed.body))
            ).status == 200
    found = reconciler.inquire(Inquiry(keys=("k-1",)))
    assert found.found["k-1"].outcome == Approved(reference="withheld", provider="default")
    assert found.noticed == 2, "the same event is known by its id when it comes again"
    kept = [each.read_text() for each in (path, path.with_name("journal.notices"))]
    for said in (*kept, repr(found), repr(heard), repr(lines), repr(reception.refusals)):
        assert quote not in said
        assert CARD not in said.replace(" ", "").replace("-", "")
    await reconciler.close()


def test_a_notice_of_ours_is_kept_as_it_is() -> None:
    ours = Notice(
        event="QFQTPCQ8HXSKGK82:AUTHORISATION:true", key="ab4111111111111111cd0123456789ef",
        reference="QFQTPCQ8HXSKGK82", claim=Approved(reference="QFQTPCQ8HXSKGK82"), currency="EUR",
    )  # fmt: skip
    assert withhold_from_notice(ours, "secret") == ours
    quoted = msgspec.structs.replace(ours, key=CARD.encode().hex(), event=CARD)
    kept = withhold_from_notice(quoted, "secret")
    assert kept.key == ""
    assert kept.event != withhold_from_notice(quoted, "another").event, "nobody finds it by trying"
