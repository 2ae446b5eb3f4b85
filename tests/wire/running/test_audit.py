"""The audit log of a whole Tonewall: a payment stands in it by name, over kill -9 of b2bua; it is
verified by the command, and has no digit."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from b2bua.audit.signing_key import make_key
from tests.canary import CANARY, find_in_text
from tests.stack import TOKEN
from tests.wire.conftest import Peers
from tests.wire.line import line


async def tonewall(*arguments: str) -> tuple[int, str]:
    """The status of `tonewall` and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", *arguments, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def entries(directory: Path, call: str) -> list[dict[str, Any]]:
    _, printed = await tonewall("audit", "show", str(directory), "--call", call)
    return [json.loads(each) for each in printed.splitlines()]


async def test_a_payment_is_noted_by_name_and_the_log_verifies_after_kills(peers: Peers) -> None:
    directory, key = peers.directory / "audit", peers.directory / "audit.pem"
    public = make_key(key)
    extra = {"audit": {"directory": str(directory), "key_file": str(key), "required": "yes"}}
    async with line(peers, extra=extra) as wire:
        stack = wire.stack
        call = await wire.dial()
        await wire.keyed(call, CANARY.keys, "order-1")
        assert (await stack.submit(call))["type"] == "approved"
        noted = await entries(directory, call)
        steps = [(each["who"], each["what"], each["result"]) for each in noted]
        for what in ("start_payment", "submit_card"):
            assert steps.index(("test", what, "asked")) < steps.index(("test", what, "done"))
        assert {each["source"] for each in noted} == {"127.0.0.1"}
        before = json.loads((stack.directory / "run" / "ready.json").read_text())["pid"]
        stack.kill("b2bua")
        await stack.await_restart(before)
        await stack.await_ready()
        await stack.api.delete(f"/v1/calls/{call}/capture")
        assert (await entries(directory, call))[-1]["result"] == "refused"
        status, said = await tonewall("audit", "verify", str(directory), "--key", str(public))
        assert (status, said.splitlines()[-1]) == (0, "sound")
    status, said = await tonewall("audit", "verify", str(directory), "--key", str(public))
    assert (status, "0 since the last checkpoint" in said) == (0, True), said
    assert find_in_text(directory, CANARY) == []
    assert not any(TOKEN in path.read_text() for path in directory.iterdir())
