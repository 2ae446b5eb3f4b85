"""What the reconciler finds at one of several providers names it: a refund goes there."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import pytest

from provider_adapters.account import Account
from provider_adapters.payer import runner as runners
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Approved, Failed, FollowUp, Unknown
from provider_adapters.reconciler.messages import Inquiry, LaterRequest
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
