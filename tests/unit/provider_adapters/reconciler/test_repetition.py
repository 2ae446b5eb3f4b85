"""A refund of unknown outcome is sent again under its key, where that is promised to be safe."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from provider_adapters.account import Account
from provider_adapters.payer import runner as runners
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Approved, Charge, Failed, FollowUp, Unknown
from provider_adapters.reconciler.messages import LaterInquiry, Settle
from provider_adapters.reconciler.reconciler import Reconciler
from tests.contract.providers import TABLE

CHARGE = Charge(idempotency_key="p-1", transaction_id="t", amount=1000, currency="EUR")
REFUND = FollowUp(key="f-1", kind="refund", charge=CHARGE, reference="pi_1", amount=250)
MADE = (
    b'{"id": "re_1", "object": "refund", "amount": 250, "currency": "eur", "status": "succeeded",'
    b' "payment_intent": "pi_1"}'
)


class Far(httpx.AsyncBaseTransport):
    """Gives the answers in turn, the last for ever; notes each request's key, path and body."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = [(200, MADE)]
        self.asked: list[tuple[str, str, bytes]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        self.asked.append((request.headers["idempotency-key"], request.url.path, request.content))
        status, content = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return httpx.Response(status, stream=httpx.ByteStream(content))


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Far:
    end = Far()

    class Client(httpx.AsyncClient):
        def __init__(self, **values: Any) -> None:
            super().__init__(**values | {"verify": False, "transport": end})

    monkeypatch.setattr(runners.httpx, "AsyncClient", Client)
    return end


def reconciler(path: Path, adapter: str = "stripe") -> Reconciler:
    """The next process over that journal."""
    values: dict[str, Any] = {
        "adapter": adapter, "name": "default", "url": "https://pay.example.com", "api_key": "k",
        "journal": str(path), "timeout": 1.0, "inquiry_time": 0.0, "token_type": "none",
    }  # fmt: skip
    return Reconciler([Account(**values | dict(TABLE[adapter].account))])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with a refund of which nobody knows what came of it."""
    journal = Journal(tmp_path / "journal")
    journal.open()
    journal.begin_later("f-1", CHARGE, "default", "refund", reference="pi_1", amount=250)
    journal.decide("f-1", Unknown(reason="connection_lost"), "")
    return tmp_path / "journal"


async def look(each: Reconciler, after: float = 0.0) -> None:
    """One look at the journal, so many seconds from now."""
    each._follow()
    for item in each._agenda.due(time.time() + after, 4):
        await each._ask(item)


def say(each: Reconciler) -> None:
    """b2bua asks what became of it."""
    each.repetition.resolve(LaterInquiry(number=1, follow_up=REFUND))


def outcome(path: Path) -> tuple[Any, str]:
    entry = Journal(path).lookup("f-1")
    assert entry is not None
    return entry.outcome, entry.by


async def test_it_is_the_same_request_each_time_also_of_the_next_process(far: Far, path: Path) -> None:
    far.answers = [(500, b"{}"), (409, b"{}"), (200, MADE)]
    first = reconciler(path)
    say(first)
    await look(first)
    await first.close()
    second = reconciler(path)
    await look(second)
    assert len(far.asked) == 1, "b2bua has not said yet what it was"
    say(second)
    for _ in range(2):
        await look(second, 3600.0)
    found, by = outcome(path)
    assert (type(found), by) == (Approved, "reconciler")
    assert len(far.asked) == 3
    assert len(set(far.asked)) == 1
    assert far.asked[0][0] == "f-1"
    await look(second, 7200.0)
    assert len(far.asked) == 3, "it is decided"
    await second.close()


@pytest.mark.parametrize("adapter", ["connector", "fiserv", "checkout"])
async def test_where_nobody_promised_it_nothing_is_sent(far: Far, path: Path, adapter: str) -> None:
    each = reconciler(path, adapter)
    say(each)
    for hours in range(3):
        await look(each, 3600.0 * hours)
    assert far.asked == []
    assert outcome(path) == (Unknown(reason="connection_lost"), "")
    await each.close()


async def test_when_the_provider_may_have_forgotten_the_key_nothing_is_sent(
    far: Far, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = reconciler(path)
    say(each)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 20 * 3600.0)
    await look(each)
    assert far.asked == []
    await each.close()


async def test_a_person_s_word_ends_it(far: Far, path: Path) -> None:
    each = reconciler(path)
    say(each)
    word = Settle(
        number=1, charge=CHARGE, follow_up=REFUND, outcome=Failed(reason="settled_by_person"), who="ann"
    )
    assert each.settlements.settle(word).is_new
    await look(each, 3600.0)
    assert far.asked == []
    assert outcome(path) == (Failed(reason="settled_by_person"), "person")
    await each.close()
