"""What the reconciler finds at one of several providers names it: a refund goes there."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import pytest

from provider_adapters.account import Account
from provider_adapters.connector import Connector
from provider_adapters.payer import runner as runners
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Approved, Failed, FollowUp, Operation, Unknown
from provider_adapters.reconciler.messages import Inquiry, LaterInquiry, LaterRequest
from provider_adapters.reconciler.reconciler import Reconciler
from tests.contract.playing import make_charge


def make_account(name: str, journal: Path) -> Account:
    return Account(
        adapter="connector", name=name, url=f"https://{name}.example", api_key="k", journal=str(journal),
        timeout=1.0, inquiry_time=0.0, token_type="none",
    )  # fmt: skip


class Far(httpx.AsyncBaseTransport):
    """Approves whatever it is asked about, and notes at which host."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        self.asked.append((request.method, request.url.host))
        status = "done" if request.method == "POST" else "approved"
        content = json.dumps({"status": status, "reference": "r"}).encode()
        return httpx.Response(201 if status == "done" else 200, stream=httpx.ByteStream(content))


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Far:
    end = Far()

    class Client(httpx.AsyncClient):
        def __init__(self, **values: object) -> None:
            super().__init__(**values | {"verify": False, "transport": end})  # type: ignore[arg-type]

    monkeypatch.setattr(runners.httpx, "AsyncClient", Client)
    return end


async def test_a_charge_that_was_lost_at_the_second_is_asked_for_there_and_refunded_there(
    far: Far, tmp_path: Path
) -> None:
    path, charge = tmp_path / "journal", make_charge(providers=("one", "two"))
    journal = Journal(path)
    journal.begin(charge, "one")
    journal.note_step(charge, "two", "fallback", {})
    journal.finish(charge, Unknown(reason="connection_lost"), "two")
    reconciler = Reconciler([make_account("one", path), make_account("two", path)])
    reconciler._follow()
    [item] = reconciler._agenda.due(time.time() + 1, 4)
    await reconciler._ask(item)
    reconciler._follow()
    assert far.asked == [("GET", "two.example")]
    found = reconciler.inquire(Inquiry(keys=("k-1",))).found["k-1"]
    assert found.outcome == Approved(reference="r", provider="two")
    refund = FollowUp(key="k-1-refund", kind="refund", charge=charge, reference="r", amount=1998)
    request = LaterRequest(number=1, provider="two", follow_up=refund)
    assert isinstance(await reconciler.carry_out(request), Approved)
    assert far.asked[-1] == ("POST", "two.example")
    assert await reconciler.carry_out(LaterRequest(number=2, provider="three", follow_up=refund)) == Failed(
        reason="no_such_provider"
    )
    await reconciler.close()


def make_refund(key: str = "k-1") -> FollowUp:
    return FollowUp(key=f"{key}-refund", kind="refund", charge=make_charge(key), reference="r", amount=1998)


def taken_unnamed(journal: Journal, by: str) -> None:
    """A charge as the only provider took it, before approvals had its name."""
    journal.begin(make_charge(), by)
    journal.finish(make_charge(), Approved(reference="r", token="tok"), by)


def make_reconciler(path: Path, *names: str) -> Reconciler:
    return Reconciler([make_account(name, path) for name in names])


async def test_a_payment_without_a_name_goes_to_who_took_it_by_the_journal(far: Far, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    taken_unnamed(journal, "one")
    reconciler = make_reconciler(path, "two", "one")
    request = LaterRequest(number=1, follow_up=make_refund())
    assert await reconciler.carry_out(request) == Approved(reference="r", provider="one")
    saved = make_charge("k-2")
    request = LaterRequest(number=2, charge=saved, token="tok", saved_from="k-1")
    assert isinstance(await reconciler.carry_out(request), Approved | Unknown)
    assert {host for _, host in far.asked} == {"one.example"}
    assert [journal.lookup(key).provider for key in ("k-1-refund", "k-2")] == ["one", "one"]  # type: ignore[union-attr]
    await reconciler.close()


async def test_what_the_journal_does_not_know_goes_to_the_first(far: Far, tmp_path: Path) -> None:
    reconciler = make_reconciler(tmp_path / "journal", "two", "one")
    request = LaterRequest(number=1, follow_up=make_refund())
    assert await reconciler.carry_out(request) == Approved(reference="r", provider="two")
    await reconciler.close()


async def test_nothing_is_sent_where_who_took_it_is_gone_by_the_journal(far: Far, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    taken_unnamed(journal, "gone")
    reconciler = make_reconciler(path, "two", "one")
    for request in (
        LaterRequest(number=1, follow_up=make_refund()),
        LaterRequest(number=2, charge=make_charge("k-2"), token="tok", saved_from="k-1"),
    ):
        assert await reconciler.carry_out(request) == Failed(reason="no_such_provider")
    assert far.asked == []
    assert (journal.lookup("k-1-refund"), journal.lookup("k-2")) == (None, None)
    await reconciler.close()


async def test_what_is_closed_is_noted_with_who_took_the_payment(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    taken_unnamed(journal, "one")
    reconciler = make_reconciler(path, "two", "one")
    result = reconciler.later.resolve(
        LaterInquiry(number=1, follow_up=make_refund(), handed_at=time.time() + 1)
    )
    assert result.outcome == Failed(reason="not_sent")
    assert journal.lookup("k-1-refund").provider == "one"  # type: ignore[union-attr]
    await reconciler.close()


async def test_what_the_provider_does_not_offer_uses_no_key_up(
    far: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    reconciler = make_reconciler(path, "one")
    requests = [
        LaterRequest(number=1, follow_up=make_refund()),
        LaterRequest(number=2, charge=make_charge("k-2"), token="tok"),
    ]
    with monkeypatch.context() as patched:
        patched.setattr(Connector, "OPERATIONS", frozenset({Operation.CHARGE, Operation.REFUND_PART}))
        for request in requests:
            assert await reconciler.carry_out(request) == Failed(
                reason="request_refused", code="not_supported"
            )
    assert far.asked == []
    assert isinstance(await reconciler.carry_out(requests[0]), Approved)
    await reconciler.close()


async def test_of_a_single_provider_too_an_outcome_that_was_found_names_it(far: Far, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.begin(make_charge(), "one")
    journal.finish(make_charge(), Unknown(reason="connection_lost"), "one")
    reconciler = make_reconciler(path, "one")
    reconciler._follow()
    [item] = reconciler._agenda.due(time.time() + 1, 4)
    await reconciler._ask(item)
    assert journal.lookup("k-1").outcome == Approved(reference="r", provider="one")  # type: ignore[union-attr]
    await reconciler.close()
