"""The audit log over HTTP: pages that verify offline, each request noted, for auditors alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.access.tokens import Tokens
from b2bua.api.http import create_app
from b2bua.audit import log_page
from b2bua.audit.chain import read_head
from b2bua.audit.copied import verify_copy
from b2bua.audit.entry import Entry, Result, write_time
from b2bua.audit.log_file import LogFile
from b2bua.audit.recorder import Recorder
from b2bua.audit.verify import log_files
from tests.browser.fake_desk import FakeDesk
from tests.complaints import permit_error
from tests.stack import until

KEY = Ed25519PrivateKey.generate()
BEGIN, HOUR = 1_796_000_000.0, 3600.0
TOKEN = "a-token-of-an-auditor"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


class Clock:
    now = BEGIN

    def __call__(self) -> float:
        return self.now


class Log:
    """A log of twenty hours in several files, with ten entries an hour, that an app writes on."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.clock = directory, Clock()
        log = self.open()
        for number in range(0, 200, 10):
            log.append([self.entry(number + each) for each in range(10)])
        log.close()

    def entry(self, number: int) -> Entry:
        self.clock.now = BEGIN + number * HOUR / 10
        who, call = ("ann", "c-1") if number % 10 == 3 else ("ben", f"n-{number}")
        at = write_time(self.clock.now)
        return Entry(at=at, who=who, what="submit", result=Result.DONE, call=call)

    def open(self) -> LogFile:
        return LogFile(self.directory, KEY, self.clock, 8_000, erasable=True)

    def octets(self) -> bytes:
        return b"".join(path.read_bytes() for path in log_files(self.directory))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "audit")


@pytest.fixture
async def auditor(log: Log) -> AsyncIterator[httpx.AsyncClient]:
    recorder = Recorder(log.open, log.clock)
    recorder.directory = log.directory
    writing = asyncio.create_task(recorder.run())
    tokens = Tokens.parse(f"sue:{TOKEN}", "sue:auditor")
    app = create_app(FakeDesk(), authenticators=[tokens], audit=recorder)
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=AUTH) as client:
        await until(lambda: recorder.last, "the log to be open")
        yield client
    await recorder.end()
    await writing


async def pages(client: httpx.AsyncClient, **asked: Any) -> list[bytes]:
    """Each page of what is asked for, by the links to the next."""
    found, address, params = [], "/v1/audit", asked
    while address:
        answer = await client.get(address, params=params or None)
        assert answer.status_code == 200, answer.text
        found.append(answer.content)
        address, params = answer.links.get("next", {}).get("url", ""), {}
    return found


def entries(octets: bytes) -> list[dict[str, Any]]:
    return [line["entry"] for line in map(json.loads, octets.splitlines()) if "entry" in line]


@pytest.mark.parametrize("limit", [1000, 30])
async def test_pages_are_the_log_octet_by_octet_and_verify(
    log: Log, auditor: httpx.AsyncClient, tmp_path: Path, limit: int
) -> None:
    before = log.octets()
    found = await pages(auditor, limit=limit)
    octets = b"".join(found)
    assert octets.startswith(before)
    assert all(len(each.splitlines()) <= limit for each in found)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(octets)
    assert verify_copy(copy, KEY.public_key()).findings == []
    noted = [each for each in entries(log.octets()) if each["what"] == "read_audit"]
    assert len(noted) == len(found)
    shown = entries((await auditor.get("/v1/audit", params={"actor": "sue", "opened": True})).content)
    assert {(each["who"], each["source"]) for each in shown} == {("sue", "192.0.2.7")}
    assert shown[0]["details"] == {"credential": "token:sue"}


@pytest.mark.parametrize(("since", "until"), [(0, 30), (5, 6), (19, 25), (-9, -5), (40, 50)])
async def test_a_period_has_its_lines_wherever_they_are(
    log: Log, auditor: httpx.AsyncClient, since: int, until: int
) -> None:
    times = [write_time(BEGIN + hour * HOUR) for hour in (since, until)]
    before = [json.loads(line) for line in log.octets().splitlines()]
    wanted = [
        line["number"]
        for line in before
        if times[0] <= (line.get("entry") or line["checkpoint"])["at"] < times[1]
    ]
    found = b"".join(await pages(auditor, **{"from": times[0], "to": times[1]}, limit=20))
    numbers = [json.loads(line)["number"] for line in found.splitlines()]
    assert numbers[: len(wanted)] == wanted
    assert all(number > len(before) for number in numbers[len(wanted) :])  # noted meanwhile


async def test_a_call_and_a_name_are_found_though_they_are_sealed(
    auditor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_page, "_MAX_READ", 40)  # pages may be empty, and lead on
    for asked in ({"call": "c-1"}, {"actor": "ann"}):
        found = await pages(auditor, **asked, opened=True)
        assert len(found) > 5
        shown = entries(b"".join(found))
        assert {(each["who"], each["call"]) for each in shown if each["what"] == "submit"} == {("ann", "c-1")}
        assert sum(each["what"] == "submit" for each in shown) == 20
        sealed = entries(b"".join(await pages(auditor, **asked)))
        assert not any(each.get("call") for each in sealed)


async def test_a_log_that_was_changed_is_shown_as_it_is(log: Log, auditor: httpx.AsyncClient) -> None:
    path = log_files(log.directory)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"nothing of a log\n", *lines[4:]]))
    found = b"".join(await pages(auditor, limit=40))
    assert found.startswith(path.read_bytes())


async def test_the_checkpoint_is_the_signed_head(log: Log, auditor: httpx.AsyncClient) -> None:
    answer = await auditor.get("/v1/audit/checkpoint")
    head = read_head(answer.content, KEY.public_key())
    assert head.number == json.loads(log.octets().splitlines()[-1])["number"]


@pytest.mark.parametrize(
    "asked", [{"from": "yesterday"}, {"to": "2026-12-01T10:00"}, {"limit": "0"}, {"after": "-1"},
              {"from": "0001-01-01T00:00:00+23:59"}],
)  # fmt: skip
async def test_what_is_no_period_is_refused(auditor: httpx.AsyncClient, asked: dict[str, str]) -> None:
    assert (await auditor.get("/v1/audit", params=asked)).status_code == 422


async def test_nobody_reads_a_log_that_cannot_note_it(tmp_path: Path) -> None:
    def full() -> LogFile:
        raise OSError(28, "No space left on device")

    permit_error("audit_not_written", why="No space left on device")
    recorder = Recorder(full, lambda: BEGIN)
    recorder.directory = tmp_path
    writing = asyncio.create_task(recorder.run())
    for log, status in ((recorder, 503), (None, 404)):
        app = create_app(FakeDesk(), authenticators=[Tokens.parse(f"sue:{TOKEN}", "sue:auditor")], audit=log)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://t", headers=AUTH
        ) as client:
            assert (await client.get("/v1/audit")).status_code == status
            assert (await client.get("/v1/audit/checkpoint")).status_code == 404
    await recorder.end()
    await writing
