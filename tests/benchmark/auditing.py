"""Measures what the audit log costs: CPU of a request and of a payment, and the time that a request
waits for the disk.

Rule 1: the API, its middleware, the recorder and the log file are the product's, in this process
        and on the disk of this directory; calls are played. What a request costs is the difference
        between the same requests with and without the log.
Rule 2: a payment writes what it writes in a whole Tonewall: its start and its charge, each before
        and after, and its mask on and off.
Rule 3: `beside` another process keeps the same disk busy: it writes and syncs a page without pause,
        as a database does.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from b2bua.api.http import create_app
from b2bua.audit.entry import Result as Became
from b2bua.audit.log_file import LogFile
from b2bua.audit.recorder import Recorder
from b2bua.audit.verify import verify
from tests.benchmark.machine import BUILD, BenchmarkError, stop
from tests.benchmark.rows import Result, Row
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody

FIGURES = (
    "audit_cpu_us_per_request", "audit_cpu_us_per_payment", "audit_sealed_cpu_us_per_payment",
    "audit_entry_p50_ms", "audit_entry_p99_ms", "audit_entry_beside_p50_ms", "audit_entry_beside_p99_ms",
    "audit_burst_p50_ms", "audit_burst_p99_ms",
)  # fmt: skip
_TOKEN = "a-token-for-the-benchmark"
_MASK_OFF = {
    "reason": "approved", "since": "2026-12-01T10:02:07.114Z", "until": "2026-12-01T10:03:40.902Z",
    "keys": 26, "keys_as_events": 26, "keys_as_tones": 0, "keys_as_both": 0, "event_packets": 208,
    "withheld": 208, "octets": 3328, "left": 4682, "passed": 0, "alarms": 0, "infos": 0,
}  # fmt: skip
# Writes and syncs a page for ever.
_NEIGHBOUR = """
import os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
while True:
    os.pwrite(file, bytes(4096), 0)
    os.fdatasync(file)
"""


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """`requests`: for the CPU of one; `rounds` with and without the log in turn. `seconds`: at
    `per_minute` payments; `burst`: payments that are started in one moment."""

    requests: int = 500
    rounds: int = 3
    seconds: float = 60.0
    per_minute: float = 50.0
    burst: int = 200


SHORT = AuditPlan(requests=200, rounds=1, seconds=2.0, per_minute=300.0, burst=50)


def measure(plan: AuditPlan, *, say: Callable[[str], None] = lambda _: None) -> Result:
    """The rows `audit_*`."""
    say("requests with and without an audit log")
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as directory:
        return asyncio.run(_measured(plan, Path(directory)))


async def _measured(plan: AuditPlan, directory: Path) -> Result:
    without, audited, paid, sealed = [], [], [], []
    for number in range(plan.rounds):
        without.append(await _cpu_of_requests(plan.requests, None))
        async with _log(directory / f"requests-{number}") as recorder:
            audited.append(await _cpu_of_requests(plan.requests, recorder))
        async with _log(directory / f"payments-{number}") as recorder:
            paid.append(await _cpu_of_payments(plan.requests // 4, recorder))
        async with _log(directory / f"sealed-{number}", erasable=True) as recorder:
            sealed.append(await _cpu_of_payments(plan.requests // 4, recorder))
    async with _log(directory / "alone") as recorder:
        alone = await _paced(plan, recorder)
    with _neighbour(directory / "neighbour"):
        async with _log(directory / "beside") as recorder:
            beside = await _paced(plan, recorder)
    async with _log(directory / "burst") as recorder:
        burst = await _burst(plan.burst, recorder)
    values = (
        round(1e6 * (min(audited) - min(without)), 1), round(1e6 * min(paid), 1),
        round(1e6 * min(sealed), 1),
        *_percentiles(alone), *_percentiles(beside), *_percentiles(burst),
    )  # fmt: skip
    units = (*["us"] * 3, *["ms"] * 6)
    rows = [Row(*figure) for figure in zip(FIGURES, values, units, strict=True)]
    runs = [
        {"benchmark": "audit", "without_us": [1e6 * each for each in without]},
        {"benchmark": "audit", "audited_us": [1e6 * each for each in audited]},
        {"benchmark": "audit", "alone_ms": alone, "beside_ms": beside, "burst_ms": burst},
    ]
    note = f"audit: a burst of {plan.burst} payments was on disk after {max(burst):.0f} ms"
    return Result(rows, runs, [note])


@contextlib.asynccontextmanager
async def _log(directory: Path, *, erasable: bool = False) -> AsyncIterator[Recorder]:
    """A log, and afterwards whether it verifies. `erasable`: its entries are sealed."""
    key = Ed25519PrivateKey.generate()

    def open_log() -> LogFile:
        return LogFile(directory, key, time.time, erasable=erasable)

    recorder = Recorder(open_log, time.time, "c0ffee", required=True)
    writing = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        await recorder.end()
        await writing
    if not verify(directory, key.public_key()).is_sound or recorder.lost:
        raise BenchmarkError("the audit log of a run is not whole")


async def _cpu_of_requests(count: int, recorder: Recorder | None) -> float:
    """Seconds of CPU of one, all threads of this process together."""
    desk = FakeDesk()
    desk.up()
    app = create_app(desk, authenticators=everybody(f"ann:{_TOKEN}"), audit=recorder)
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://tonewall", headers=headers) as client:
        before = time.process_time()
        with capture_logs():
            for _ in range(count):
                answer = await client.post("/v1/calls/c-1/mask", json={})
                if answer.status_code != 200:
                    raise BenchmarkError(f"a request was answered {answer.status_code}")
        return (time.process_time() - before) / count


async def _cpu_of_payments(count: int, recorder: Recorder) -> float:
    before = time.process_time()
    for number in range(count):
        await _pay(recorder, number, [])
    return (time.process_time() - before) / count


async def _pay(recorder: Recorder, number: int, waited: list[float]) -> None:
    """What a payment writes. `waited`: milliseconds that each request waits before it is carried
    out are added."""
    about = {"call": f"call-{number}", "payment": f"payment-{number}", "source": "192.0.2.7"}
    for what in ("start_payment", "submit_card"):
        began = time.perf_counter()
        asked = await recorder.write(recorder.entry("ann", what, Became.ASKED, **about))
        waited.append(1000 * (time.perf_counter() - began))
        done = recorder.entry("ann", what, Became.DONE, of=asked, details={"status": 200}, **about)
        await recorder.write(done)
        mask = "mask_on" if what == "start_payment" else "mask_off"
        details = dict(_MASK_OFF) if mask == "mask_off" else {"reason": "payment"}
        recorder.note(recorder.entry("media", mask, Became.NOTED, details=details, **about))


async def _paced(plan: AuditPlan, recorder: Recorder) -> list[float]:
    """Milliseconds that each entry took, at the plan's rate."""
    chance, waited = random.Random(17), list[float]()
    paying = []
    until = time.monotonic() + plan.seconds
    while time.monotonic() < until:
        paying.append(asyncio.create_task(_pay(recorder, len(paying), waited)))
        await asyncio.sleep(chance.expovariate(plan.per_minute / 60))  # arrivals of a Poisson process
    await asyncio.gather(*paying)
    return waited


async def _burst(count: int, recorder: Recorder) -> list[float]:
    waited: list[float] = []
    await asyncio.gather(*(_pay(recorder, number, waited) for number in range(count)))
    return waited


@contextlib.contextmanager
def _neighbour(path: Path) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", _NEIGHBOUR, str(path)])
    try:
        yield
    finally:
        stop(process)


def _percentiles(waited: list[float]) -> tuple[float, float]:
    """The median and the 99th."""
    ordered = sorted(waited)
    return round(statistics.median(ordered), 2), round(ordered[math.ceil(len(ordered) * 0.99) - 1], 2)
