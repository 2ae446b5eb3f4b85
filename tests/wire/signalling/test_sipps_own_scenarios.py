"""sipp's built-in caller and callee (`-sn uac`, `-sn uas`), which nobody here wrote, with Tonewall
between them, both ways."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from pathlib import Path

import pytest

from tests.stack import Stack, running
from tests.wire.paying import nothing_left
from tests.wire.peers import sipp
from tests.wire.peers.ports import free_ports

CALLS = 10


async def started(directory: Path, name: str, *words: str) -> asyncio.subprocess.Process:
    """A sipp that takes or places so many calls, and ends."""
    folder = directory / name
    folder.mkdir()
    command = ["sipp", "-i", "127.0.0.1", "-m", str(CALLS), "-nostdin", "-trace_err", *words]
    with (folder / "sipp.out").open("wb") as out:
        return await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )


@pytest.mark.parametrize("calls", ["carrier", "pbx"])
async def test_sipps_own_caller_and_callee_have_their_calls_through_tonewall(
    tmp_path: Path, calls: str
) -> None:
    if not sipp.available():
        pytest.skip("sipp (Debian: sip-tester) is not here")
    caller_port, callee_port, media = free_ports(), free_ports(), free_ports(8)
    ports = (caller_port, callee_port) if calls == "carrier" else (callee_port, caller_port)
    async with running(Stack(tmp_path, *ports, pairs=4 * CALLS)) as stack:
        callee = await started(tmp_path, "callee", "-sn", "uas", "-p", str(callee_port), "-mp", str(media))
        where = f"127.0.0.1:{stack.sip_port}"
        words = ("-sn", "uac", "-p", str(caller_port), "-mp", str(media + 4), "-r", "5", "-d", "500", where)
        caller = await started(tmp_path, "caller", *words)
        try:
            async with asyncio.timeout(60):
                codes = [await process.wait() for process in (caller, callee)]
            assert codes == [0, 0], f"see {tmp_path}"  # every call ended as its scenario says
            await nothing_left(stack)
        finally:
            for process in (caller, callee):
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
