"""The process that takes webhooks, alone: strangers who send garbage, too much, too slowly, or too
often; and a reconciler beside it that settles what Adyen accepted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Accepted, Approved, Charge, Failed, FollowUp, Unknown
from provider_adapters.reconciler.client import ReconcilerClient
from provider_adapters.reconciler.messages import Findings
from provider_adapters.webhook.listener import MAX_BODY
from tests.complaints import COMPLAINTS, expect_error
from tests.signed_webhooks import ADYEN_KEY, Signed, adyen, adyen_item
from tests.stack import free_port, until
from tests.wire.certificates import Authority
from tonewall.process import plain_environment

ROOT = Path(__file__).parents[3]
PATH = "/webhooks/adyen"


@dataclass
class Hooks:
    """The webhook process, the reconciler beside it, and what both log."""

    directory: Path
    changes: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.directory / "webhooks.log"

    @property
    def socket(self) -> Path:
        return self.directory / "reconciler.sock"

    @property
    def journal(self) -> Journal:
        return Journal(self.directory / "journal.jsonl")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self.processes[0]

    def start(self) -> Hooks:
        COMPLAINTS.watch(self.log)
        COMPLAINTS.watch(self.directory / "reconciler.log")
        values = {"port": str(self.port), "secret": ADYEN_KEY} | self.changes
        self._start(
            ["provider_adapters.webhook.process", "--adapter", "adyen", "--socket", str(self.socket)],
            {f"TONEWALL_WEBHOOKS_{name.upper()}": value for name, value in values.items()},
            self.log,
        )
        return self

    def start_reconciler(self, url: str = "https://127.0.0.1:9", ca_file: str = "") -> None:
        values = {
            "adapter": "adyen", "url": url, "api_key": "local-test-key", "merchant_account": "TonewallTest",
            "journal": str(self.directory / "journal.jsonl"), "timeout": "2", "inquiry_time": "1",
        }  # fmt: skip
        if ca_file:
            values["ca_file"] = ca_file
        self._start(
            ["provider_adapters.reconciler.process", "--socket", str(self.socket)],
            {f"TONEWALL_PROVIDER_{name.upper()}": value for name, value in values.items()},
            self.directory / "reconciler.log",
        )

    def _start(self, module: list[str], environment: dict[str, str], log: Path) -> None:
        with log.open("ab") as out:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", *module, "--log-level", "debug"],
                    env=plain_environment(environment), cwd=ROOT, stdout=out, stderr=out,
                )
            )  # fmt: skip

    async def ready(self) -> None:
        """Until it listens."""
        await until(lambda: self.log.exists() and '"event":"ready"' in self.log.read_text(), "the listener")

    def resident(self) -> int:
        """Octets of memory that it has."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    async def send(self, signed: Signed, path: str = PATH, method: str = "POST") -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            url = f"http://127.0.0.1:{self.port}{path}"
            return await client.request(method, url, content=signed.body, headers=dict(signed.headers))

    async def converse(self, data: bytes) -> bytes:
        """All that comes back for these octets, until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
                return await reader.read()
            return b""
        finally:
            writer.close()

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            assert process.wait(10) == 0


Starting = Callable[..., Hooks]


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Starting]:
    made: list[Hooks] = []

    def start(**changes: str) -> Hooks:
        made.append(Hooks(tmp_path, changes).start())
        return made[-1]

    yield start
    for each in made:
        each.close()
        text = each.log.read_text()
        assert ADYEN_KEY not in text


async def test_what_is_not_signed_or_not_asked_for_is_refused(hooks: Starting) -> None:
    running = hooks()
    await running.ready()
    right = adyen(adyen_item())
    torn = Signed({}, right.body.replace(b"key-1", b"key-2"))
    for signed, path, method, status in (
        (torn, PATH, "POST", 401),
        (Signed({}, b""), PATH, "POST", 401),
        (Signed({}, b"{" * 1000), PATH, "POST", 401),
        (right, PATH, "PUT", 405),
        (right, PATH, "GET", 405),
        (right, "/webhooks/stripe", "POST", 404),
        (right, "/", "POST", 404),
        (right, PATH, "POST", 503),  # nobody has it on disk
        (Signed({}, b"x" * (MAX_BODY + 1)), PATH, "POST", 413),
    ):
        answer = await running.send(signed, path, method)
        assert (answer.status_code, answer.content) == (status, b""), (path, method)
    assert b"key-2" not in running.log.read_bytes()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"garbage\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 20_000, b"431"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 2\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 5,
            b"413",
        ),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", b"404"),
    ],
)
async def test_a_request_that_is_none_gets_one_answer_and_the_end(
    hooks: Starting, data: bytes, status: bytes
) -> None:
    running = hooks()
    await running.ready()
    answer = await running.converse(data)
    # Of what is closed unread, the kernel may drop the answer.
    assert answer == b"" or (answer.startswith(b"HTTP/1.1 " + status) and answer.count(b"HTTP/1.1") == 1)
    if b"xxxx" not in data:
        assert answer


async def test_a_thousand_requests_of_garbage_cost_bounded_memory_and_a_few_lines(hooks: Starting) -> None:
    running = hooks()
    await running.ready()
    body = os.urandom(40_000)
    garbage = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def round_(count: int) -> float:
        began = time.monotonic()
        for _ in range(count // 10):
            answers = await asyncio.gather(*(running.converse(garbage) for _ in range(10)))
            assert {answer[:12] for answer in answers} == {b"HTTP/1.1 401"}
        return time.monotonic() - began

    await round_(100)
    memory, descriptors = running.resident(), running.descriptors()
    first = await round_(500)
    second = await round_(500)
    assert running.resident() - memory < 8 * 1024 * 1024
    assert running.descriptors() <= descriptors
    # A cost that grew with what came before would double.
    assert second < 2 * first + 2
    refused = [entry for entry in running.entries() if entry["event"] == "webhook_refused"]
    assert len(refused) < 30
    assert running.log.stat().st_size < 20_000


async def test_slow_strangers_hold_nobody_up_for_long(hooks: Starting) -> None:
    running = hooks(connections="8", request_time="1.5")
    await running.ready()
    before = running.descriptors()
    slow = []
    for number in range(8):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(
            b"POST / HT" if number % 2 else b"POST / HTTP/1.1\r\nContent-Length: 9\r\nHost: h\r\n\r\nx"
        )
        slow.append((reader, writer))
    await until(lambda: running.descriptors() == before + 8, "eight slow strangers")
    began = time.monotonic()
    # The ninth is closed at once, unread.
    assert await running.converse(b"POST / HTTP/1.1\r\nHost: h\r\n\r\n") == b""
    assert time.monotonic() - began < 1.0
    for reader, writer in slow:
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    assert time.monotonic() - began < 8
    await until(lambda: running.descriptors() == before, "their connections to be closed")
    assert (await running.send(Signed({}, b""))).status_code == 401
    # One that sends an octet now and then gains no time by it.
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 8 and not reader.at_eof():
            writer.write(b"P")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
    assert time.monotonic() - began < 6
    writer.close()


async def test_with_tls_a_stranger_without_it_or_without_end_holds_no_place(
    hooks: Starting, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("127.0.0.1")
    running = hooks(tls_certificate=certificate, tls_key=key, connections="4", request_time="1.5")
    await running.ready()
    before = running.descriptors()
    plain = await running.converse(b"POST /webhooks/adyen HTTP/1.1\r\nHost: h\r\n\r\n")
    assert not plain.startswith(b"HTTP")
    silent = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(4)]
    for reader, writer in silent:
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    await until(lambda: running.descriptors() == before, "silent strangers to be closed")
    trust = ssl.create_default_context(cafile=authority.file)
    async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
        url = f"https://127.0.0.1:{running.port}{PATH}"
        assert (await client.post(url, content=b"")).status_code == 401


# --- with the reconciler --------------------------------------------------------------------------


def charge(key: str) -> Charge:
    return Charge(idempotency_key=key, transaction_id="t-1", amount=1999, currency="EUR")


def item(event: str, key: str, **changes: Any) -> Signed:
    return adyen(
        adyen_item(**{"eventCode": event, "merchantReference": key, "pspReference": event} | changes)
    )


async def test_what_adyen_accepted_becomes_final_for_who_asks(hooks: Starting, tmp_path: Path) -> None:
    running = hooks()
    journal = running.journal
    journal.open()
    for key in ("f-1", "f-2"):
        request = FollowUp(key=key, kind="refund", charge=charge("k-1"), reference="psp", amount=1999)
        journal.begin_later(key, request.charge, "default", "refund", reference="psp")
        journal.decide(key, Accepted(reference=f"psp-{key}"), "")
    running.start_reconciler()
    await running.ready()

    async def taken(signed: Signed) -> bool:
        return (await running.send(signed)).status_code == 200

    await until(lambda: taken(item("REFUND", "f-1")), "the reconciler")
    assert await taken(item("REFUND", "f-2", success="false"))
    findings: list[Findings] = []
    client = ReconcilerClient(running.socket, findings.append)
    task = asyncio.create_task(client.run())
    try:
        await until(lambda: client.inquire(("f-1", "f-2")), "a connection")
        await until(lambda: findings, "findings")
        found = {key: (each.outcome, each.by) for key, each in findings[0].found.items()}
        assert found == {
            "f-1": (Approved(reference="REFUND", provider="default"), "webhook"),
            "f-2": (Failed(reason="request_refused", code="REFUND"), "webhook"),
        }
        # A refund that fails after all is reported, and counted, and changes nothing.
        expect_error("outcome_contradicted", payment="f-1")
        assert await taken(item("REFUND_FAILED", "f-1"))
        log = tmp_path / "reconciler.log"
        await until(lambda: "outcome_contradicted" in log.read_text(), "the report")
        client.inquire(("f-1",))
        await until(lambda: findings[-1].contradicted, "the count")
        assert findings[-1].found["f-1"].outcome == Approved(reference="REFUND", provider="default")
        assert findings[-1].noticed == 3
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_refused_is_counted_by_the_reconciler_also_from_before_it_came(hooks: Starting) -> None:
    running = hooks()
    await running.ready()
    assert (await running.send(Signed({}, b""))).status_code == 401
    await running.converse(b"garbage\r\n\r\n")
    running.start_reconciler()
    findings: list[Findings] = []
    client = ReconcilerClient(running.socket, findings.append)
    task = asyncio.create_task(client.run())

    def counted(**expected: int) -> Callable[[], bool]:
        def asked() -> bool:
            client.inquire(())
            return bool(findings) and findings[-1].refused == {"default": expected}

        return asked

    try:
        await until(counted(bad_signature=1, not_http=1), "the counts of before")
        for signed, path, method in (
            (Signed({}, b""), PATH, "POST"),
            (Signed({}, b""), "/elsewhere", "POST"),
            (Signed({}, b""), PATH, "PUT"),
            (Signed({}, b"x" * (MAX_BODY + 1)), PATH, "POST"),
        ):
            await running.send(signed, path, method)
        expected = {"bad_signature": 2, "not_http": 1, "unknown_path": 1, "not_post": 1, "too_large": 1}
        await until(counted(**expected), "the counts, each once")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_notice_waits_over_the_death_of_the_reconciler(hooks: Starting) -> None:
    running = hooks()
    journal = running.journal
    journal.open()
    journal.begin(charge("k-1"), "default")
    running.start_reconciler()
    await running.ready()

    async def taken() -> bool:
        return (await running.send(item("AUTHORISATION", "k-1"))).status_code == 200

    await until(taken, "the reconciler")
    reconciler = running.processes.pop()
    reconciler.kill()
    reconciler.wait()
    found = journal.lookup("k-1")
    assert found is not None
    assert found.outcome is None, "its payer is still at it"
    journal.finish(charge("k-1"), Unknown(reason="no_answer_in_time"))
    running.start_reconciler()

    def decided() -> bool:
        entry = journal.lookup("k-1")
        return entry is not None and entry.outcome == Approved(reference="AUTHORISATION", provider="default")

    await until(decided, "the notice to be applied")
