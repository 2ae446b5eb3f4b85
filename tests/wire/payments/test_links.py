"""Payment links with the real processes: opened, handed over, paid on the provider's page, with a
receipt, closed, whoever is killed meanwhile."""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from provider_adapters.local.books import BEHAVIOURS
from tests.stack import Stack, free_port, running, until
from tests.wire.certificates import Authority
from tests.wire.link_receiver import SECRET, Receiver

CARDS = {behaviour.name: number for number, behaviour in BEHAVIOURS.items()}
ORDER = {"transaction_id": "INV-1", "amount": 4990, "currency": "EUR"}
TO = {"phone": "+4930123456", "email": ""}


class Shop:
    """A running Tonewall whose provider is the local one, and the service that takes its links."""

    def __init__(self, stack: Stack, receiver: Receiver) -> None:
        self.stack, self.receiver = stack, receiver

    async def open(self, **more: Any) -> dict[str, Any]:
        answer = await self.stack.api.post("/v1/links", json=ORDER | more)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def payment(self, payment_id: str) -> dict[str, Any]:
        return dict((await self.stack.api.get(f"/v1/payments/{payment_id}")).json())

    async def state(self, payment_id: str, wanted: str) -> dict[str, Any]:
        """The payment, once its link has that state. The provider is asked meanwhile."""
        found: dict[str, Any] = {}

        async def reached() -> bool:
            await self.stack.api.post("/v1/payments/reconcile", json={"payments": [payment_id]})
            found.update(await self.payment(payment_id))
            return bool(found["link"]["state"] == wanted)

        await until(reached, f"the link to be {wanted}")
        return found

    async def told(self, *types: str) -> list[dict[str, Any]]:
        """What the service was told, once it is this; a message that came twice counts once."""
        found: dict[str, dict[str, Any]] = {}

        def there() -> bool:
            ids = [headers["webhook-id"] for _, headers, _ in self.receiver.got]
            found.update(zip(ids, self.receiver.verified(), strict=True))
            return [each["type"].rpartition(".")[2] for each in found.values()] == list(types)

        await until(there, f"the service to be told {types}")
        return list(found.values())

    async def pay(self, url: str, card: str = "approved") -> str:
        """A customer opens the page and pays; what the page says."""
        trust = ssl.create_default_context(cafile=self.stack.provider["ca_file"])
        async with httpx.AsyncClient(verify=trust, trust_env=False) as customer:
            page = (await customer.get(url)).text
            visit = re.search(r'name="visit" value="([^"]*)"', page)
            form = {
                "visit": visit[1] if visit else "", "number": CARDS[card], "expiry": "1129", "code": "123",
            }  # fmt: skip
            answer = (await customer.post(url, data=form)).text
        found = re.search(r'data-state="(\w+)"', answer)
        assert found is not None
        return found[1]


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    receiver = Receiver(*Authority(tmp_path).issue("localhost"))
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def mailer(tmp_path: Path) -> AsyncIterator[Receiver]:
    """The service that sends receipts."""
    mailer = Receiver(*Authority(tmp_path, "mailer").issue("localhost"))
    await mailer.start()
    yield mailer
    await mailer.stop()


def sending_receipts(tmp_path: Path, mailer: Receiver) -> dict[str, dict[str, str]]:
    """The section for sip.conf."""
    (tmp_path / "mailer.secret").write_text(SECRET)
    return {
        "webhook mailer": {
            "url": mailer.url, "events": "payment.receipt", "secret_file": str(tmp_path / "mailer.secret"),
            "ca_file": str(tmp_path / "mailer.ca.pem"),
        }
    }  # fmt: skip


def naming(directory: Path, text: str) -> set[str]:
    """The files in which a text stands."""
    files = [each for each in directory.rglob("*") if each.is_file()]
    return {each.name for each in files if text.encode() in each.read_bytes()}


@contextlib.asynccontextmanager
async def shop(
    tmp_path: Path, receiver: Receiver, sections: dict[str, dict[str, str]] | None = None
) -> AsyncIterator[Shop]:
    extra = {
        "links": {
            "webhook_url": receiver.url, "webhook_secret": SECRET,
            "ca_file": str(tmp_path / "authority.ca.pem"),
        },
        **(sections or {}),
        "provider": {"adapter": "adyen", "merchant_account": "TonewallTest"},
        "general": {"port": str(free_port())},
    }  # fmt: skip
    stack = Stack(
        tmp_path, free_port(), free_port(), pairs=20, extra=extra, provider_arguments=["--adapter", "adyen"]
    )
    async with running(stack) as started:

        async def offered() -> bool:
            return bool((await started.api.get("/v1/links")).json()["offered"])

        await until(offered, "the reconciler to say what the provider offers")
        yield Shop(started, receiver)


async def test_a_link_is_handed_over_and_paid_by_the_customer_who_gets_a_receipt(
    tmp_path: Path, receiver: Receiver, mailer: Receiver
) -> None:
    async with shop(tmp_path, receiver, sending_receipts(tmp_path, mailer)) as here:
        payment_id = (await here.open(to=TO))["id"]
        receipt, to = f"/v1/payments/{payment_id}/receipt", {"to": "jo@example.com"}
        assert (await here.stack.api.post(receipt, json=to)).status_code == 409, "nothing is paid"
        link = (await here.state(payment_id, "open"))["link"]
        [opened] = await here.told("opened")
        assert (opened["data"]["link"]["url"], opened["data"]["to"]) == (link["url"], TO)
        assert await here.pay(link["url"], "declined") == "declined"
        assert (await here.payment(payment_id))["stage"] == "linked"
        refused = await here.stack.api.post("/v1/links", json=ORDER | {"allow_repeat": True})
        assert refused.status_code == 409
        assert await here.pay(link["url"]) == "paid"
        paid = await here.state(payment_id, "paid")
        assert (paid["stage"], paid["outcome"]["type"], paid["captured"]) == ("finished", "approved", 4990)
        told = await here.told("opened", "paid")
        assert told[1]["data"]["outcome"]["type"] == "approved"
        assert TO["phone"].encode() not in here.stack.log.read_bytes()
        assert (await here.stack.api.get("/v1/me")).json()["receipts"] is True
        answer = await here.stack.api.post(receipt, json=to)
        assert answer.status_code == 202, answer.text
        await until(lambda: mailer.got, "the receipt")
        [event] = mailer.verified()
        assert answer.json() == {"deliveries": [f"{event['id']}.mailer"]}
        assert (event["type"], event["subject"]) == ("tonewall.payment.receipt", payment_id)
        assert event["data"]["receipt"] == to
        assert event["data"]["outcome"]["type"] == "approved"
        assert naming(tmp_path, to["to"]) <= {"payments.sqlite", "payments.sqlite-wal"}, "in no log"


async def test_a_link_that_was_closed_cannot_be_paid(tmp_path: Path, receiver: Receiver) -> None:
    async with shop(tmp_path, receiver) as here:
        payment_id = (await here.open())["id"]
        link = (await here.state(payment_id, "open"))["link"]
        answer = await here.stack.api.post(f"/v1/payments/{payment_id}/link/close")
        assert answer.status_code == 202
        closed = await here.state(payment_id, "closed")
        assert closed["outcome"]["reason"] == "link_closed"
        assert await here.pay(link["url"]) in ("closed", "expired")
        await here.told("opened", "closed")
        assert (await here.open())["link"]["state"] == "opening", "the order may be paid otherwise"


async def test_an_open_link_goes_on_when_its_processes_are_killed(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers = [b"503 Busy\r\nContent-Length: 0\r\n\r\n"]
    async with shop(tmp_path, receiver) as here:
        payment_id = (await here.open(to=TO))["id"]
        link = (await here.state(payment_id, "open"))["link"]
        [before] = here.stack.kill("b2bua")
        here.stack.kill("reconciler")
        await here.stack.await_restart(before)
        assert (await here.state(payment_id, "open"))["link"]["url"] == link["url"]
        await here.told("opened")
        assert await here.pay(link["url"]) == "paid"
        assert (await here.state(payment_id, "paid"))["captured"] == 4990
        await here.told("opened", "paid")


async def test_one_whose_process_is_killed_as_it_is_opened_is_found_or_was_never_sent(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with shop(tmp_path, receiver) as here:
        payment_id = (await here.open())["id"]
        [before] = here.stack.kill("b2bua")
        await here.stack.await_restart(before)

        async def decided() -> dict[str, Any] | None:
            found = await here.payment(payment_id)
            return found if found["link"]["state"] in ("open", "failed") else None

        found = await until(decided, "the link to be found, or not")
        if found["link"]["state"] == "failed":
            assert found["outcome"] == {"type": "failed", "reason": "not_sent"}
        else:
            assert await here.pay(found["link"]["url"]) == "paid"
            await here.state(payment_id, "paid")
