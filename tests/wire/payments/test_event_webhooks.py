"""Events of payments reach the receivers of docs/webhooks.md, each once and in order, though b2bua
is killed before they are up; API and command show it, and send one again."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from b2bua.notify.signer import Signer
from tests.receivers import node_receiver, python_receiver
from tests.stack import TOKEN, Stack, free_port, running, until

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")


def a_key(path: Path, prefix: str) -> str:
    path.write_text(text := prefix + base64.b64encode(os.urandom(32)).decode())
    return text


async def command(stack: Stack, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", "webhooks", *arguments, "-c", str(stack.conf),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "TONEWALL_TOKEN": TOKEN},
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0, out
    return out.decode()


async def test_events_outlive_a_kill_and_reach_whoever_copied_a_receiver(tmp_path: Path) -> None:
    a_key(tmp_path / "crm.secret", "whsec_")
    public_key = Signer(a_key(tmp_path / "books.secret", "whsk_")).public_key
    crm, books = free_port(), free_port()
    stack = Stack(tmp_path, free_port(), free_port())
    stack.extra = {
        "webhook crm": {
            "url": f"http://127.0.0.1:{crm}/", "secret_file": str(tmp_path / "crm.secret"),
        },
        "webhook books": {
            "url": f"http://127.0.0.1:{books}/", "secret_file": str(tmp_path / "books.secret"),
        },
    }  # fmt: skip
    async with running(stack):
        order = {"transaction_id": "order-1", "amount": 700, "currency": "EUR", "token": "nobodys"}
        payment = (await stack.api.post("/v1/payments", json=order)).json()["id"]

        async def outcome() -> Any:
            return (await stack.api.get(f"/v1/payments/{payment}")).json()["outcome"]

        ended = (await until(outcome, "the outcome"))["type"]
        (before,) = stack.kill("b2bua")
        async with (
            python_receiver(tmp_path, crm) as of_crm,
            node_receiver(tmp_path, books, public_key) as of_books,
        ):
            await stack.await_restart(before)
            wanted = [f"tonewall.payment.{each} {payment}" for each in ("started", ended)]
            for out in (of_crm, of_books):
                await until(
                    lambda out=out: out.read_text().splitlines() == wanted,  # type: ignore[misc]
                    f"{wanted}, not {out.read_text()}",
                )
            asked = {"state": "delivered", "webhook": "crm", "payment": payment}

            async def delivered() -> Any:
                answer = await stack.api.get("/v1/webhooks/deliveries", params=asked)
                return answer.json() if len(answer.json()) == 2 else None

            last, first = await until(delivered, "what was noted")
            assert (last["type"], first["type"]) == (f"tonewall.payment.{ended}", "tonewall.payment.started")
            services = (await stack.api.get("/v1/webhooks")).json()
            assert [(each["name"], each["public_key"]) for each in services] == [
                ("crm", ""), ("books", public_key),
            ]  # fmt: skip
            assert last["id"] in await command(stack, "redeliver", last["id"])

            async def again() -> bool:
                found = (await stack.api.get("/v1/webhooks/deliveries", params=asked)).json()
                return len(found) == 2 and found[0]["tried_at"] > last["tried_at"]

            await until(again, "the second delivery")
            assert of_crm.read_text().splitlines() == wanted, "the receiver has that id"
            listed = await command(stack, "list", "--webhook", "books")
            assert listed.count(f"payment.{ended}") == 1
            assert "books: 127.0.0.1" in listed
            answer = await stack.api.post("/v1/webhooks/deliveries/evt_1.crm/redeliver")
            assert answer.status_code == 404
            assert "accepts it" in await command(stack, "test", "crm")
