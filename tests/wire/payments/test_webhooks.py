"""A charge that Adyen left unclear, and of which nobody can be asked, is decided by its signed
webhook: over TLS, through processes of their own, before the answer and after it, once."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import httpx

from tests.complaints import expect_error
from tests.signed_webhooks import ADYEN_KEY, Signed, adyen, adyen_item
from tests.stack import free_port, until
from tests.wire.certificates import Authority
from tests.wire.conftest import Peers
from tests.wire.faulty_payments import charged, pay
from tests.wire.line import Line, line


class Sender:
    """The provider's end of its webhooks."""

    def __init__(self, directory: Path) -> None:
        authority = Authority(directory)
        self.certificate, self.key = authority.issue("127.0.0.1")
        self.port = free_port()
        self.trust = ssl.create_default_context(cafile=authority.file)

    @property
    def conf(self) -> dict[str, dict[str, str]]:
        """The sections for sip.conf."""
        return {
            # Nothing is sent again: the second answer would say what the first did not.
            "provider": {"adapter": "adyen", "merchant_account": "TonewallTest", "inquiry_time": "0"},
            "webhooks": {
                "port": str(self.port), "tls_certificate": self.certificate, "tls_key": self.key,
                "secret": ADYEN_KEY,
            },
        }  # fmt: skip

    async def send(self, signed: Signed) -> httpx.Response:
        async with httpx.AsyncClient(verify=self.trust, trust_env=False) as client:
            url = f"https://127.0.0.1:{self.port}/webhooks/adyen"
            return await client.post(url, content=signed.body, headers=dict(signed.headers))

    async def listens(self) -> None:
        """Until somebody answers."""

        async def there() -> bool:
            try:
                return (await self.send(Signed({}, b""))).status_code == 401
            except httpx.TransportError:
                return False

        await until(there, "the webhooks' listener")


def authorisation(key: str, **changes: Any) -> Signed:
    return adyen(
        adyen_item(**{"merchantReference": key, "amount": {"currency": "EUR", "value": 4995}} | changes)
    )


async def payment(wire: Line, payment_id: str) -> dict[str, Any]:
    return (await wire.stack.api.get(f"/v1/payments/{payment_id}")).json()


async def decided(wire: Line, payment_id: str) -> dict[str, Any]:
    async def known() -> dict[str, Any] | None:
        found = await payment(wire, payment_id)
        return found if found.get("decided_at") else None

    return await until(known, "the webhook to decide the payment")


async def test_an_unclear_charge_is_decided_by_its_webhook_once(peers: Peers, tmp_path: Path) -> None:
    sender = Sender(tmp_path)
    async with line(peers, extra=sender.conf, provider_arguments=["--adapter", "adyen"]) as wire:
        await sender.listens()
        call_id = await wire.dial()
        outcome = await pay(wire, call_id, "error_charged")
        assert outcome["type"] == "unknown"
        key = (await wire.stack.call(call_id))["capture"]["id"]

        forged = adyen(adyen_item(merchantReference=key) | {"merchantReference": key, "success": "false"})
        assert (await sender.send(forged)).status_code == 401
        others = await sender.send(authorisation("order-of-the-web-shop", pspReference="AAAABBBBCCCCDDDD"))
        assert (others.status_code, others.content) == (200, b"[accepted]")
        assert (await payment(wire, key))["outcome"]["type"] == "unknown"

        answer = await sender.send(authorisation(key))
        assert (answer.status_code, answer.content) == (200, b"[accepted]")
        found = await decided(wire, key)
        assert (found["outcome"]["type"], found["decided_by"]) == ("approved", "webhook")
        assert found["outcome"]["reference"] == "QFQTPCQ8HXSKGK82"
        journal = wire.stack.directory / "journal.jsonl"
        lines = journal.read_bytes().count(b"\n")
        for _ in range(3):
            assert (await sender.send(authorisation(key))).status_code == 200
        wire.stack.kill("reconciler")
        wire.stack.kill("webhooks")
        await until(lambda: wire.stack.pids()["reconciler"], "another reconciler")
        await sender.listens()

        async def taken() -> bool:
            return (await sender.send(authorisation(key))).status_code == 200

        await until(taken, "the reconciler to answer again")
        assert journal.read_bytes().count(b"\n") == lines, "an event that came again left a line"
        assert await charged(wire) == {"error_charged": 1}
        await wire.voice()
        await wire.hang_up()


async def test_a_refund_that_adyen_took_is_final_by_its_webhook(peers: Peers, tmp_path: Path) -> None:
    sender = Sender(tmp_path)
    async with line(peers, extra=sender.conf, provider_arguments=["--adapter", "adyen"]) as wire:
        await sender.listens()
        call_id = await wire.dial()
        outcome = await pay(wire, call_id, "approved")
        assert outcome["type"] == "approved"
        payment_id = (await wire.stack.call(call_id))["capture"]["id"]
        answer = await wire.stack.api.post(f"/v1/payments/{payment_id}/refunds")
        assert answer.is_success, answer.text

        async def follow_up(kind: str) -> dict[str, Any] | None:
            [found] = (await payment(wire, payment_id))["follow_ups"]
            return found if found["outcome"] and found["outcome"]["type"] == kind else None

        taken = await until(lambda: follow_up("accepted"), "Adyen to accept it")
        done = authorisation(taken["key"], eventCode="REFUND", originalReference=outcome["reference"])
        assert (await sender.send(done)).status_code == 200
        final = await until(lambda: follow_up("approved"), "the refund to be final")
        assert final["decided_by"] == "webhook"
        undone = authorisation(taken["key"], eventCode="REFUND_FAILED", pspReference="RF12RF12RF12RF12")
        expect_error("outcome_contradicted", payment=taken["key"], outcome="approved", claimed="failed")
        assert (await sender.send(undone)).status_code == 200

        async def counted() -> bool:
            return (await wire.stack.api.get("/healthz")).json()["contradicted_payments"] == 1

        await until(counted, "the health check to count it")
        assert await follow_up("approved"), "it is a person's to settle"
        await wire.hang_up()


async def test_a_person_settles_what_nobody_knows_and_a_later_webhook_is_reported(
    peers: Peers, tmp_path: Path
) -> None:
    sender = Sender(tmp_path)
    conf = sender.conf | {"general": {"port": str(free_port())}}
    async with line(peers, extra=conf, provider_arguments=["--adapter", "adyen"]) as wire:
        await sender.listens()
        call_id = await wire.dial()
        assert (await pay(wire, call_id, "error_charged"))["type"] == "unknown"
        key = (await wire.stack.call(call_id))["capture"]["id"]
        url, name = f"/v1/payments/{key}/settlement", {"Idempotency-Key": "settled"}
        answer = await wire.stack.api.post(url, json={"outcome": "failed"}, headers=name)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["outcome"]["type"], answer.json()["settled_by"]) == ("failed", "test")
        assert (await wire.stack.call(call_id))["capture"]["outcome"]["type"] == "failed"
        again = await wire.stack.api.post(url, json={"outcome": "failed"}, headers=name)
        assert again.json() == answer.json()
        assert (await wire.stack.api.post(url, json={"outcome": "failed"})).status_code == 409
        last = json.loads((wire.stack.directory / "journal.jsonl").read_bytes().splitlines()[-1])
        assert (last["key"], last["by"], last["who"]) == (key, "person", "test")

        await wire.hang_up()
        await wire.no_sessions()
        wire.stack.kill("reconciler")
        [before] = wire.stack.kill("b2bua")
        await wire.stack.await_restart(before)
        expect_error("outcome_contradicted", payment=key, outcome="failed", claimed="approved")

        async def taken() -> bool:
            return (await sender.send(authorisation(key))).status_code == 200

        await until(taken, "the reconciler to take the webhook")

        async def counted() -> bool:
            health = (await wire.stack.api.get("/healthz")).json()
            return (health["contradicted_payments"], health["unknown_payments"]) == (1, 0)

        await until(counted, "the health check to count the contradiction")
        found = await payment(wire, key)
        assert (found["outcome"]["type"], found["decided_by"]) == ("failed", "person"), "it stays"


async def test_a_webhook_that_comes_before_the_answer_waits_for_it(peers: Peers, tmp_path: Path) -> None:
    sender = Sender(tmp_path)
    arguments = ["--adapter", "adyen", "--delay", "2"]
    conf = sender.conf
    conf["provider"]["timeout"] = "8"
    async with line(peers, extra=conf, provider_arguments=arguments) as wire:
        await sender.listens()
        call_id = await wire.dial()
        await wire.keyed(call_id, "4000000000010019#1139739", transaction="late")
        answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture/submit")
        assert answer.status_code == 200
        key = answer.json()["capture"]["id"]

        async def sent() -> bool:
            return bool(await charged(wire))

        await until(sent, "the charge to arrive at the provider")
        assert (await sender.send(authorisation(key))).status_code == 200
        assert (await wire.stack.call(call_id))["capture"]["stage"] == "charging", "nobody decided it"
        capture = await wire.stack.stage(call_id, "finished")
        assert capture["outcome"]["type"] == "approved"
        found = await payment(wire, key)
        assert found["outcome"]["reference"] != "QFQTPCQ8HXSKGK82", "the payer's own answer stands"
        await wire.hang_up()
