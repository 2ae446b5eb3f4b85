"""A thousand short calls through a running Tonewall: every one is completed, and nothing of them
stays behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.stack import Stack, free_port, running, until
from tests.wire.peers import sipp

pytestmark = pytest.mark.skipif(not sipp.available(), reason="sipp (Debian: sip-tester) is not here")
CALLS, WARM_UP = 1000, 20


@pytest.mark.timeout(300)
async def test_a_thousand_short_calls_leave_no_session_no_descriptor_and_no_call(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("carrier-1", "pbx-1", "carrier-2", "pbx-2")}
    for folder in folders.values():
        folder.mkdir()
    carrier_port, pbx_port = free_port(), free_port()
    async with running(Stack(tmp_path, carrier_port, pbx_port, pairs=300)) as stack:

        async def place(calls: int, turn: int) -> None:
            answers = sipp.scenario("pbx", folders[f"pbx-{turn}"], [], sipp.AWAIT_BYE)
            pays = sipp.scenario("carrier", folders[f"carrier-{turn}"], [], sipp.HANG_UP)
            pbx = await sipp.Sipp.start(
                answers, folders[f"pbx-{turn}"], calls=calls, port=pbx_port, at_once=100
            )
            try:
                carrier = await sipp.Sipp.start(
                    pays, folders[f"carrier-{turn}"], remote=("127.0.0.1", stack.sip_port), calls=calls,
                    rate=60,
                    port=carrier_port, at_once=100,
                )  # fmt: skip
                try:
                    assert (await carrier.finished(240)).successful == calls
                    await pbx.finished(30)
                finally:
                    await carrier.stop()
            finally:
                await pbx.stop()

        async def idle() -> bool:
            health = (await stack.api.get("/healthz")).json()
            return health["calls"] == 0 and health["sessions"] == 0

        def descriptors() -> dict[str, int]:
            pids = stack.pids()
            return {
                kind: len(os.listdir(f"/proc/{pids[kind][0]}/fd"))
                for kind in ("b2bua", "media", "supervisor")
            }

        def none_more() -> bool:
            # Fewer may be open than before: the API closes a connection of ours that is idle.
            return all(now <= before[kind] for kind, now in descriptors().items())

        await place(WARM_UP, 1)  # whatever is opened once, is open now
        await until(idle, "the warm-up's calls and sessions to end")
        before = descriptors()
        await place(CALLS, 2)
        await until(idle, "every call and session to end")
        await until(none_more, "open descriptors to be back where they were")
        assert await stack.calls() == []
        log = stack.log.read_text()
    records = stack.records()
    assert len(records) == CALLS + WARM_UP
    assert "call_failed" not in log
    assert '"died"' not in log
    assert "Traceback" not in log
