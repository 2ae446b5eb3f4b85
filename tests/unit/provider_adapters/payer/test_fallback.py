"""Which provider is tried, and that the next is tried only where the one before certainly did not
charge. The far ends are played at httpx's own seam."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from provider_adapters import registry
from provider_adapters.account import Account
from provider_adapters.card import Card
from provider_adapters.connector import Connector
from provider_adapters.payer.charging import Charging
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Approved, Charge, Declined, Failed, Operation, Outcome, Unknown
from provider_adapters.reconciler.reader import JournalReader
from tests.contract.playing import make_card, make_charge

APPROVED = httpx.Response(201, json={"status": "approved", "reference": "r"})
DECLINED = httpx.Response(402, json={"status": "declined", "reason": "stolen"})
REFUSED = httpx.Response(401, json={})


class FarEnd(httpx.AsyncBaseTransport):
    """Answers POSTs with `answer`, or raises it, before or after the request has left."""

    def __init__(self, answer: httpx.Response | Exception, *, leaves: bool = True) -> None:
        self.answer, self.leaves, self.charges = answer, leaves, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.leaves:
            await request.extensions["trace"]("http11.send_request_headers.started", {})
        if request.method != "POST":
            return httpx.Response(503)
        self.charges += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return httpx.Response(self.answer.status_code, stream=httpx.ByteStream(self.answer.content))


def make_account(name: str, journal: Path) -> Account:
    return Account(
        adapter="connector", name=name, url="https://pay.example.com", api_key="k", journal=str(journal),
        timeout=1.0, inquiry_time=0.1, token_type="none", breaker_failures=2,
    )  # fmt: skip


class Till:
    """Charges at the providers "one" and "two"."""

    def __init__(self, directory: Path, *ends: FarEnd) -> None:
        self.path = directory / "journal"
        self.journal, self.ends = Journal(self.path), ends
        self._number = 0

    async def pay(self, providers: Sequence[str] = ("one", "two"), **changes: Any) -> Outcome:
        accounts = [make_account(name, self.path) for name in ("one", "two")]
        charging = Charging(accounts, self.journal)
        for provider, end in zip(charging._providers.values(), self.ends, strict=True):
            provider.runner._client._transport = end
        self._number += 1
        charge = make_charge(f"k-{self._number}", providers=tuple(providers), **changes)
        return await charging.charge(charge, make_card())

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What the journal has of the newest charge: state and provider."""
        entries = [each for each in JournalReader(self.path, 0).read() if each.key == f"k-{self._number}"]
        return [(each.state, each.provider) for each in entries]


NO_CONNECTION = httpx.ConnectError("")


async def test_the_first_is_charged_at_and_the_outcome_names_it(tmp_path: Path) -> None:
    till = Till(tmp_path, FarEnd(APPROVED), FarEnd(APPROVED))
    assert await till.pay() == Approved(reference="r", provider="one")
    assert [end.charges for end in till.ends] == [1, 0]
    assert till.lines == [("sending", "one"), ("finished", "one")]


@pytest.mark.parametrize(
    "end", [FarEnd(NO_CONNECTION, leaves=False), FarEnd(REFUSED)], ids=["no connection", "key refused"]
)
async def test_the_next_is_tried_where_the_one_before_certainly_did_not_charge(
    tmp_path: Path, end: FarEnd
) -> None:
    till = Till(tmp_path, end, FarEnd(APPROVED))
    assert await till.pay() == Approved(reference="r", provider="two")
    assert till.lines == [("sending", "one"), ("sending", "two"), ("finished", "two")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.ReadTimeout(""), Unknown(reason="no_answer_in_time")),
        (httpx.ReadError(""), Unknown(reason="connection_lost")),
        (httpx.Response(500), Unknown(reason="http_500")),
        (DECLINED, Declined(reason="stolen")),
    ],
    ids=["hang", "reset", "500", "declined"],
)
async def test_the_next_is_never_tried_after_unknown_or_a_decline(
    tmp_path: Path, answer: Any, expected: Outcome
) -> None:
    till = Till(tmp_path, FarEnd(answer), FarEnd(APPROVED))
    assert await till.pay() == expected
    assert [end.charges for end in till.ends] == [1, 0]


async def test_a_provider_that_was_not_to_be_had_is_passed_by(tmp_path: Path) -> None:
    till = Till(tmp_path, FarEnd(NO_CONNECTION, leaves=False), FarEnd(APPROVED))
    for _ in range(4):
        assert await till.pay() == Approved(reference="r", provider="two")
    assert [end.charges for end in till.ends] == [2, 4], "after two faults nobody waits for the first"
    assert await till.pay(["one"]) == Failed(reason="circuit_open")


async def test_what_no_chosen_provider_offers_is_refused_and_its_key_stays_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till(tmp_path, FarEnd(APPROVED), FarEnd(APPROVED))
    for providers in ([], ["one", "two"]):
        with monkeypatch.context() as patched:
            patched.setattr(Connector, "OPERATIONS", frozenset({Operation.CHARGE}))
            refused = await till.pay(providers, operation="authorise")
        assert refused == Failed(reason="request_refused", code="not_supported")
        assert till.lines == []
        till._number -= 1
        assert isinstance(await till.pay(providers), Approved)


async def test_a_provider_that_does_not_offer_it_is_passed_over_without_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till(tmp_path, FarEnd(APPROVED), FarEnd(APPROVED))
    load = registry.load

    def limited(account: Account) -> Any:
        flow = load(account)
        if account.name == "one":
            flow.OPERATIONS = frozenset({Operation.CHARGE})
        return flow

    monkeypatch.setattr(registry, "load", limited)
    assert await till.pay(operation="authorise") == Approved(reference="r", provider="two")
    assert till.lines == [("sending", "two"), ("finished", "two")]
    assert [end.charges for end in till.ends] == [0, 1]


async def test_a_key_that_was_sent_is_known_though_no_provider_offers_it_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till(tmp_path, FarEnd(httpx.ReadTimeout("")), FarEnd(APPROVED))
    sent = await till.pay()
    assert isinstance(sent, Unknown)
    monkeypatch.setattr(Connector, "OPERATIONS", frozenset())
    for providers in (["one", "two"], ["nobody"]):
        till._number = 0
        assert await till.pay(providers) == sent
    assert [end.charges for end in till.ends] == [1, 0]


async def test_a_card_is_wiped_however_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wiped: list[Card] = []

    def wipe(card: Card) -> None:
        wiped.append(card)

    monkeypatch.setattr(Card, "wipe", wipe)
    till = Till(tmp_path, FarEnd(APPROVED), FarEnd(APPROVED))
    for number, providers in enumerate((["one"], ["nobody"]), 1):
        await till.pay(providers)
        assert len(wiped) == number


async def test_without_names_the_default_alone_is_charged_at(tmp_path: Path) -> None:
    till = Till(tmp_path, FarEnd(NO_CONNECTION, leaves=False), FarEnd(APPROVED))
    assert await till.pay([]) == Failed(reason="no_connection")
    assert await till.pay(["nobody"]) == Failed(reason="no_such_provider")
    assert [end.charges for end in till.ends] == [1, 0]


async def test_a_fallback_that_cannot_be_noted_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till(tmp_path, FarEnd(NO_CONNECTION, leaves=False), FarEnd(APPROVED))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(till.journal, "note_step", full)
    assert await till.pay() == Failed(reason="journal_failed")
    assert [end.charges for end in till.ends] == [1, 0]


async def test_a_key_that_was_sent_anywhere_is_sent_nowhere_again(tmp_path: Path) -> None:
    till = Till(tmp_path, FarEnd(httpx.ReadTimeout("")), FarEnd(APPROVED))
    assert isinstance(await till.pay(), Unknown)
    till._number = 0
    assert isinstance(await till.pay(), Unknown)
    till._number = 0
    assert isinstance(await till.pay(["two"]), Unknown)
    assert [end.charges for end in till.ends] == [1, 0]


def test_a_charge_crosses_the_processes_with_its_providers() -> None:
    charge = make_charge(providers=("one", "two"), metadata={"desk": "7"})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(charge), type=Charge) == charge
