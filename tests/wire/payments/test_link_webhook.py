"""Payment links reach the company's own service over HTTPS: signed, until it takes them, and over a
restart."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from b2bua.call.link import Recipient
from b2bua.call.order import Order
from b2bua.call.view import PaymentView
from b2bua.notify.message import Message
from b2bua.notify.sender import Sender
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.link_service import LinkPolicy
from provider_adapters.payment import Approved, Link
from provider_adapters.reconciler.messages import Finding, Findings
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange
from tests.wire.certificates import Authority
from tests.wire.link_receiver import SECRET, Receiver

ORDER = Order(transaction_id="order-1", amount=700, currency="EUR")
_MESSAGE = Message(id="msg_1", subject="p", kind="k", body=b'{"a": 1}', created_at=0.0, until=1.0)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def receiver(authority: Authority) -> AsyncIterator[Receiver]:
    receiver = Receiver(*authority.issue("localhost"))
    await receiver.start()
    yield receiver
    await receiver.stop()


@contextlib.asynccontextmanager
async def sending(url: str, ca_file: str, patience: float = 10.0) -> AsyncIterator[Sender]:
    sender = Sender(url, SECRET, ca_file, patience)
    yield sender
    await sender.close()


# --- one attempt ----------------------------------------------------------------------------------


async def test_a_message_is_posted_signed_and_in_json(receiver: Receiver, authority: Authority) -> None:
    async with sending(receiver.url, authority.file) as sender:
        assert await sender.send(_MESSAGE, 1_764_500_000.7) == ""
    [(line, headers, body)] = receiver.got
    assert line == "POST /links?x=1 HTTP/1.1"
    assert (headers["content-type"], headers["webhook-id"]) == ("application/json", "msg_1")
    assert headers["webhook-timestamp"] == "1764500000"
    assert body == _MESSAGE.body
    assert receiver.verified() == [{"a": 1}]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"204 No Content\r\n\r\n", ""),
        (b"503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "http_503"),
        (b"302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "http_302"),
        # Of a body nothing is read, however long it claims to be.
        (b"200 OK\r\nContent-Length: 100000000000\r\n\r\nx", ""),
        (b"what?\r\n\r\n", "connection_lost"),
        (b"200 OK\r\nX: " + b"x" * 500_000, "connection_lost"),
    ],
)
async def test_it_is_taken_by_a_2xx_alone(
    receiver: Receiver, authority: Authority, answer: bytes, reason: str
) -> None:
    receiver.answers = [answer]
    async with sending(receiver.url, authority.file) as sender:
        assert await sender.send(_MESSAGE, 0.0) == reason
    assert len(receiver.got) == 1, "no redirect is followed"


async def test_a_service_that_does_not_answer_or_is_not_there_is_left(
    receiver: Receiver, authority: Authority
) -> None:
    receiver.silent = True
    async with sending(receiver.url, authority.file, 0.2) as sender:
        assert await sender.send(_MESSAGE, 0.0) == "timeout"
        await receiver.stop()
        assert await sender.send(_MESSAGE, 0.0) == "unreachable"


async def test_a_service_that_cannot_prove_its_name_gets_nothing(
    receiver: Receiver, tmp_path: Path, authority: Authority
) -> None:
    stranger = Authority(tmp_path, "stranger")
    for url, file in (
        (receiver.url, stranger.file),
        (receiver.url.replace("localhost", "127.0.0.1"), authority.file),
    ):
        async with sending(url, file) as sender:
            assert await sender.send(_MESSAGE, 0.0) == "certificate_not_trusted"
    assert receiver.got == []


# --- a link ---------------------------------------------------------------------------------------


async def process(path: Path, sender: Sender) -> Exchange:
    exchange = Exchange(payments=PaymentTable(path), links=LinkPolicy(send=sender.send))
    await exchange.board.resume_payments()
    return exchange


async def opened(exchange: Exchange) -> PaymentView:
    view = await exchange.board.open_link(ORDER, "ann", to=Recipient(phone="+4930123456"))
    await until(lambda: exchange.reconciler.opening, "the request")
    request, future = exchange.reconciler.opening[-1]
    future.set_result(Link(url="https://pay.test/1", reference="l-1", expires_at=request.expires_at))
    return view


async def handed_over(exchange: Exchange, view: PaymentView, *, event: str, state: str) -> None:
    async def is_so() -> bool:
        link = (await exchange.board.payment(view.id)).link
        assert link is not None
        found = link.hand_over
        return found is not None and (found.event, found.state) == (f"payment_link.{event}", state)

    await until(is_so, f"{event} to be {state}")


async def test_a_link_and_its_end_are_told_once_each_over_refusals_and_a_kill(
    receiver: Receiver, authority: Authority, tmp_path: Path
) -> None:
    receiver.answers = [b"500 Oops\r\nContent-Length: 0\r\n\r\n"]
    path = tmp_path / "payments.sqlite"
    async with sending(receiver.url, authority.file) as sender:
        killed = await process(path, sender)
        view = await opened(killed)
        await handed_over(killed, view, event="opened", state="failing")
        await killed.board._context.payments._storage.tasks.cancel()
    async with sending(receiver.url, authority.file) as sender:
        exchange = await process(path, sender)
        exchange.passed += 5
        exchange.board.ask_reconciler()
        await handed_over(exchange, view, event="opened", state="delivered")
        paid = Finding(outcome=Approved(reference="ch_1"))
        exchange.board.on_findings(Findings(found={view.id: paid}))
        await handed_over(exchange, view, event="paid", state="delivered")
        await exchange.board.settle(0)
    first, again, end = receiver.verified()
    assert again == first
    assert (first["type"], first["data"]["link"]["url"]) == ("payment_link.opened", "https://pay.test/1")
    assert first["data"]["to"]["phone"] == "+4930123456"
    assert (end["type"], end["data"]["outcome"]["type"]) == ("payment_link.paid", "approved")
    ids = [headers["webhook-id"] for _, headers, _ in receiver.got]
    assert ids[0] == ids[1] != ids[2]
