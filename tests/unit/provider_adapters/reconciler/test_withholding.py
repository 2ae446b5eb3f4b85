"""A provider that quotes the card in its answer to the reconciler tells nobody: neither journal nor
agent."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from provider_adapters.account import Account
from provider_adapters.payer import runner as runners
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Approved, Declined, Failed, Unknown
from provider_adapters.reconciler.messages import Inquiry, LaterRequest
from provider_adapters.reconciler.reconciler import Reconciler
from provider_adapters.reconciler.withholding import withhold_card_numbers
from tests.contract.playing import make_charge

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
