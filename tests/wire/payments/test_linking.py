"""Calls linked over real SIP to agents and orders: extension, header, User-to-User and Call-ID; a
prepared payment is keyed and charged, and a CRM hears of it over HTTPS, also when b2bua is
killed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.canary import CANARY
from tests.stack import Stack, running, until
from tests.wire.certificates import Authority
from tests.wire.handmade import Customer, MediaPair, offer, trunk
from tests.wire.link_receiver import SECRET, Receiver
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer

REFERENCE = "INV-2044"

ANOTHER = {"transaction_id": "order-2", "amount": 1, "currency": "EUR"}


@dataclass
class World:
    """A Tonewall between a carrier and a PBX, and the company's CRM."""

    stack: Stack
    carrier: SipPeer
    pbx: SipPeer
    crm: Receiver
    agent: MediaPair

    async def call(
        self, customer: Customer, answer: dict[str, str] | None = None, **headers: str
    ) -> tuple[dict[str, Any], Heard]:
        """A call of the carrier's with these headers, answered by the PBX with those; its view, and
        the INVITE that the PBX got."""
        await customer.media.open()
        invite = self.carrier.request("INVITE", body=offer(customer.media.port), **headers)
        self.carrier.send(invite)
        heard = await self.pbx.hear("INVITE", 30)
        self.pbx.reply(heard, 200, body=offer(self.agent.port, "desk"), **answer or {})
        answered = await self.carrier.hear("200")
        placed = Call.placed(answered)
        self.carrier.send(self.carrier.request("ACK", call=placed))
        await self.pbx.hear("ACK")
        customer._call = placed
        customer.far = (HOST, int(answered.body.partition("m=audio ")[2].split()[0]))
        found = (await self.stack.api.get("/v1/calls", params={"call_id": placed.call_id})).json()
        return found[0], heard

    async def prepare(self, **body: Any) -> dict[str, Any]:
        order = {"transaction_id": "order-1", "amount": 4995, "currency": "EUR"}
        answer = await self.stack.api.post("/v1/payments", json=order | body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def payment(self, payment_id: str) -> dict[str, Any]:
        return (await self.stack.api.get(f"/v1/payments/{payment_id}")).json()

    def kinds(self) -> list[str]:
        return [each["type"].removeprefix("payment.") for each in self.crm.verified()]


@contextlib.asynccontextmanager
async def world(folder: Path, **carrier: str) -> AsyncIterator[World]:
    authority = Authority(folder)
    crm = Receiver(*authority.issue("localhost"))
    await crm.start()
    extra = {
        "carrier": carrier,
        "pbx": {"trust": "yes", "reference_headers": "X-Order-Id"},
        "api": {"extensions": "test:201"},
        "notify": {
            "webhook_url": crm.url, "webhook_secret": SECRET, "ca_file": authority.file, "events": "*",
        },
    }  # fmt: skip
    with trunk() as near, trunk() as pbx:
        agent = MediaPair()
        await agent.open()
        try:
            async with running(Stack(folder, near.port, pbx.port, pairs=20, extra=extra)) as stack:
                near.engine = pbx.engine = (HOST, stack.sip_port)
                yield World(stack, near, pbx, crm, agent)
        finally:
            agent.close()
            await crm.stop()


async def test_a_prepared_payment_is_found_by_its_header_keyed_and_told(tmp_path: Path) -> None:
    async with world(
        tmp_path, reference_headers="User-to-User, X-Order-Id", shown_headers="User-to-User"
    ) as at:
        payment = await at.prepare(find_by={"reference": REFERENCE, "extension": "201"})
        customer = Customer(at.carrier)
        try:
            asserted = {"P_Asserted_Identity": f'"Ann" <sip:201@{HOST}>'}
            hexed = REFERENCE.encode().hex()
            view, far = await at.call(customer, asserted, User_to_User=f"{hexed};encoding=hex")
            assert (view["agent"], view["extension"], view["reference"]) == ("test", "201", REFERENCE)
            assert (await at.payment(payment["id"]))["call"] == view["id"]
            customers, agents = view["customer_leg"], view["agent_leg"]
            assert (customers["trunk"], customers["headers"]) == ("carrier", {"user-to-user": REFERENCE})
            assert agents == {"call_id": far.one("Call-ID"), "trunk": "pbx", "number": "201", "headers": {}}
            assert customers["call_id"] not in ("", agents["call_id"])
            assert (view["capturable"], view["not_capturable"]) == (True, None)
            for params in (
                {"call_id": customers["call_id"]},
                {"mine": 1},
                {"call_id": far.one("Call-ID")},
                {"header.user-to-user": REFERENCE},
            ):
                found = (await at.stack.api.get("/v1/calls", params=params)).json()
                assert [each["id"] for each in found] == [view["id"]]
            for params in ({"header.x-order-id": REFERENCE}, {"reference": "INV"}, {"caller": "+4999"}):
                assert (await at.stack.api.get("/v1/calls", params=params)).json() == []
            started = await at.stack.api.post(f"/v1/payments/{payment['id']}/start")
            assert started.status_code == 201, started.text
            await at.stack.stage(view["id"], "collecting")
            keying = (await at.stack.api.get(f"/v1/calls/{view['id']}")).json()
            refused = await at.stack.api.post(f"/v1/calls/{view['id']}/capture", json=ANOTHER)
            assert keying["not_capturable"]["code"] == "payment_under_way"
            assert refused.json()["detail"] == keying["not_capturable"]["detail"]
            await customer.key(f"{CANARY.number}{CANARY.expiry}{CANARY.code}")
            await at.stack.stage(view["id"], "ready")
            outcome = await at.stack.submit(view["id"])
            assert outcome["type"] == "approved"
            await until(lambda: at.kinds()[-1:] == ["outcome"], "the outcome at the CRM")
            assert at.kinds() == [
                "bound", "masked", "collecting", "field", "field", "field", "ready", "submitted", "outcome",
            ]  # fmt: skip
            assert {each["data"]["id"] for each in at.crm.verified()} == {payment["id"]}
            for _, _, body in at.crm.got:
                for part in (CANARY.number, CANARY.number[-4:], CANARY.expiry, CANARY.code):
                    assert not _is_said(part, body), body
        finally:
            customer.media.close()


def _is_said(part: str, body: bytes) -> bool:
    """Whether these digits stand in a body by themselves: ids and times are random."""
    text = body.decode()
    return any(f"{before}{part}{behind}" in text for before in '" :' for behind in '" ,}')


async def test_a_header_of_a_stranger_names_no_order(tmp_path: Path) -> None:
    async with world(tmp_path) as at:  # the carrier is not to name orders
        payment = await at.prepare(find_by={"reference": REFERENCE})
        customer = Customer(at.carrier)
        try:
            view, _ = await at.call(
                customer, X_Order_Id=REFERENCE, User_to_User=f"{REFERENCE};encoding=ascii"
            )
            assert (view["reference"], view["agent"]) == ("", "")
            assert (await at.payment(payment["id"]))["call"] == ""
        finally:
            customer.media.close()


EVIL = ("A" * 4000, "4111111111111111", '"' * 500, "%00", "a;b=" * 200, "\u202eINV")


async def test_an_evil_header_harms_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, reference_headers="X-Order-Id, User-to-User") as at:
        for evil in EVIL:
            customer = Customer(at.carrier)
            try:
                view, _ = await at.call(customer, X_Order_Id=evil, User_to_User=evil)
                assert len(view["reference"]) <= 64
                assert view["reference"].isprintable()
                assert "4111" not in view["reference"]
            finally:
                customer.media.close()


@pytest.mark.parametrize("user", ["20\udcff1", "\ue0001"])
async def test_an_identity_that_is_no_text_hides_no_call_from_the_agents(tmp_path: Path, user: str) -> None:
    async with world(tmp_path) as at:
        customer = Customer(at.carrier)
        try:
            view, _ = await at.call(customer, {"P_Asserted_Identity": f"<sip:{user}@{HOST}>"})
            shown = await at.stack.api.get("/v1/calls")
            assert (shown.status_code, [each["id"] for each in shown.json()]) == (200, [view["id"]])
            assert view["extension"].isprintable()
        finally:
            customer.media.close()


async def test_the_agents_pbx_names_the_order_in_its_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        payment = await at.prepare(find_by={"reference": REFERENCE}, start="at_answer")
        customer = Customer(at.carrier)
        try:
            answer = {"X_Order_Id": REFERENCE, "P_Asserted_Identity": f"<sip:201@{HOST}>"}
            view, _ = await at.call(customer, answer)
            await at.stack.stage(view["id"], "collecting")
            started = await at.payment(payment["id"])
            assert (started["agent"], started["prepared"]["state"]) == ("test", "started")
            cancelled = await at.stack.api.delete(f"/v1/calls/{view['id']}/capture")
            assert cancelled.status_code == 200
            await until(lambda: at.kinds()[-1:] == ["over"], "the end at the CRM")
        finally:
            customer.media.close()


async def test_an_end_reaches_the_crm_over_the_death_of_b2bua(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        failing = b"503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        at.crm.answers = [failing] * 2
        payment = await at.prepare(find_by={"caller": "+49301"})
        kept = await at.prepare(transaction_id="order-2", find_by={"caller": "+49302"})
        cancelled = await at.stack.api.delete(f"/v1/payments/{payment['id']}")
        assert cancelled.status_code == 200, cancelled.text
        await until(lambda: at.crm.got, "the first attempt")
        [before] = at.stack.kill("b2bua")
        await at.stack.await_restart(before)
        await until(lambda: len(at.crm.got) == 3, "the attempt that is taken", 60.0)
        assert {headers["webhook-id"] for _, headers, _ in at.crm.got} == {at.crm.got[0][1]["webhook-id"]}
        assert set(at.kinds()) == {"over"}
        listed = (await at.stack.api.get("/v1/payments", params={"stage": "prepared"})).json()
        assert [each["id"] for each in listed] == [kept["id"]]
