"""A card is paid by a Tonewall under what deploy/systemd/tonewall@.service takes from it: no
capability, no new privileges, no memory that is written and run."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.wire.conftest import Peers
from tests.wire.line import line

SANDBOX = Path(__file__).parents[1] / "sandboxed"
_MDWE = (6, 3)  # the kernel that can refuse such memory


def kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in platform.release().split(".")[:2])


def status_of(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (row.partition(":") for row in rows)}


@pytest.mark.skipif(
    platform.machine() != "x86_64" or kernel() < _MDWE, reason="the kernel cannot refuse such memory"
)
async def test_a_card_is_paid_without_capabilities_and_without_memory_that_runs(peers: Peers) -> None:
    async with line(peers, environment={"PYTHONPATH": str(SANDBOX)}) as wire:
        call = await wire.dial()
        await wire.keyed(call, CANARY.keys)
        assert (await wire.stack.submit(call))["type"] == "approved"
        kinds = wire.stack.pids()
        kinds["keeper"].clear()  # it has no filter but the unit's
        running = {pid for pids in kinds.values() for pid in pids}
        assert len(running) >= 5
        for pid in running:
            status = status_of(pid)
            assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
            assert status["NoNewPrivs"] == "1"
            assert status["Seccomp"] == "2"
        await wire.hang_up()
