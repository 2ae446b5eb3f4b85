"""The engine on real sockets, between sipp on one side and sipp on the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from b2bua.call.leg import LegAnswered, LegConfirmed, LegFailed, LegHungUp, LegInvited, LegProgressed
from b2bua.sip.transaction.transaction import Timers
from tests.wire.lossy_relay import LossyRelay
from tests.wire.sip_bridge import HOST, QUICK, Bridge, free_port, nothing_left, until
from tests.wire.sip_peer import FarEnd

SCENARIOS = Path(__file__).parents[2] / "fixtures" / "sipp"


@asynccontextmanager
async def bridge(timers=QUICK, **trunk) -> AsyncIterator[Bridge]:
    made = Bridge(free_port(), free_port(), timers, **trunk)
    await made.engine.start()
    try:
        yield made
    finally:
        await made.engine.stop()
    assert made.engine.counters().get("errors", 0) == 0


def port_of(made: Bridge, trunk: str) -> int:
    return made.engine._trunks.peers[trunk].trunk.port


@asynccontextmanager
async def sipp(made: Bridge, side: str, scenario: str, calls: int, where: Path, *more: str, through=None):
    """Run a scenario as one of the trunks; on leaving, wait for its end and see that every call
    went as written."""
    own = str(through.inner if through else port_of(made, side))
    target = through.outer if through else made.port
    arguments = [
        f"{HOST}:{target}",
        "-sf",
        str(SCENARIOS / f"{scenario}.xml"),
        "-i",
        HOST,
        "-p",
        own,
        "-m",
        str(calls),
    ]
    arguments += [
        # On a busy machine an INVITE may be repeated after its answer; that is no reason to abort
        # the call.
        "-default_behaviors",
        "all,-abortunexp",
        "-nostdin",
        "-timeout",
        "60s",
        "-timeout_error",
        "-trace_err",
        "-error_file",
        f"{scenario}.err",
        *more,
    ]
    process = await asyncio.create_subprocess_exec(
        "sipp", *arguments, cwd=where, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        if side == "pbx":
            await bound(int(own))
        yield process
        code = await asyncio.wait_for(process.wait(), 90)
        errors = where / f"{scenario}.err"
        assert code == 0, errors.read_text() if errors.exists() else f"sipp {scenario}: {code}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def bound(port: int) -> None:
    """Wait until something listens on a UDP port."""
    wanted = f":{port:04X} "
    await until(lambda: wanted in Path("/proc/net/udp").read_text())


async def test_twenty_calls_at_once_are_rung_answered_and_hung_up(tmp_path):
    async with bridge() as made:
        async with sipp(made, "pbx", "answer", 20, tmp_path):  # noqa: SIM117
            async with sipp(made, "carrier", "call", 20, tmp_path, "-l", "20", "-r", "200", "-d", "800"):
                await until(lambda: made.engine.open_dialogs == 40)
        await nothing_left(made)
        assert len(made.kinds(LegInvited)) == 20
        assert len(made.kinds(LegProgressed)) == 20
        assert len(made.kinds(LegAnswered)) == len(made.kinds(LegConfirmed)) == 20
        assert len(made.kinds(LegHungUp)) == 40
        invited = made.kinds(LegInvited)[0]
        assert (invited.trunk, invited.caller.user, invited.caller.display) == (
            "carrier",
            "15550100",
            "Customer",
        )
        assert b"telephone-event" in invited.offer


async def test_calls_complete_over_a_network_that_loses_a_tenth_of_all_packets(tmp_path):
    # Sipp repeats a BYE after 0.5, 1.5, 3.5, 7.5, 11.5 and 15.5 s: as long we answer it (timer J).
    async with bridge(Timers(t1=0.3, t2=1.2, t4=0.4, d=1.0)) as made:
        lossy = [
            LossyRelay(port_of(made, side), made.port, free_port(), seed)
            for seed, side in ((1, "carrier"), (2, "pbx"))
        ]
        for relay in lossy:
            await relay.open()
        # sipp as the far end takes a repeated INVITE amiss once it has answered; so the far end is
        # the test's own.
        far = FarEnd(lossy[1].inner, ("127.0.0.1", lossy[1].outer))
        async with sipp(made, "carrier", "call", 40, tmp_path, "-r", "40", "-d", "100", through=lossy[0]):
            pass
        assert all(relay.lost > 5 for relay in lossy)
        await nothing_left(made)
        # An ACK may be lost for good: a BYE that overtakes its repetition ends the call all the
        # same.
        assert len(made.kinds(LegAnswered)) == 40
        assert Counter(event.reason for event in made.kinds(LegHungUp)) == {
            "far end hung up": 40,
            "hung up": 40,
        }
        for side in (*lossy, far):
            side.close()


async def test_a_busy_far_end_is_busy_for_the_caller_too(tmp_path):
    async with bridge() as made:
        async with sipp(made, "pbx", "busy", 3, tmp_path), sipp(made, "carrier", "call_refused", 3, tmp_path):
            pass
        await nothing_left(made)
        assert {event.code for event in made.kinds(LegFailed)} == {486}


async def test_a_caller_that_hangs_up_while_it_rings_cancels_the_far_end(tmp_path):
    async with bridge() as made:
        async with sipp(made, "pbx", "ring_until_cancelled", 3, tmp_path):  # noqa: SIM117
            async with sipp(made, "carrier", "call_cancelled", 3, tmp_path):
                pass
        await nothing_left(made)
        assert [event.code for event in made.kinds(LegFailed)] == [487] * 6


@pytest.mark.timeout(120)
async def test_a_thousand_short_calls_leave_nothing_behind(tmp_path):
    async with bridge() as made:
        async with sipp(made, "pbx", "answer", 1000, tmp_path):  # noqa: SIM117
            async with sipp(made, "carrier", "call", 1000, tmp_path, "-r", "100", "-l", "200", "-d", "10"):
                pass
        await nothing_left(made)
        assert made.other == {}
        assert len(made.kinds(LegHungUp)) == 2000
