"""The audit log of a whole Tonewall: a payment stands in it by name, over kill -9 of b2bua; it is
verified by the command, and has no digit."""

from __future__ import annotations

import json

from tests.canary import CANARY, find_in_text
from tests.stack import TOKEN
from tests.wire.audited import AuditLog, tonewall
from tests.wire.conftest import Peers
from tests.wire.line import line


async def test_a_payment_is_noted_by_name_and_the_log_verifies_after_kills(peers: Peers) -> None:
    log = AuditLog(peers.directory)
    async with line(peers, extra={"audit": log.settings}) as wire:
        stack = wire.stack
        call = await wire.dial()
        await wire.keyed(call, CANARY.keys, "order-1")
        assert (await stack.submit(call))["type"] == "approved"
        noted = await log.entries(call)
        steps = [(each["who"], each["what"], each["result"]) for each in noted]
        for what in ("start_payment", "submit_card"):
            assert steps.index(("test", what, "asked")) < steps.index(("test", what, "done"))
        asked = [each for each in noted if each["what"].endswith(("_payment", "_card"))]
        assert {each["source"] for each in asked} == {"127.0.0.1"}
        _, own = await tonewall("audit", "configuration", "--config", str(stack.conf))
        [started] = [each for each in await log.entries() if each["what"] == "configuration"]
        assert {each["configuration"] for each in [started, *noted]} == {own.strip()}
        assert started["details"].keys() == {"version", "python"}
        before = json.loads((stack.directory / "run" / "ready.json").read_text())["pid"]
        stack.kill("b2bua")
        await stack.await_restart(before)
        await stack.await_ready()
        await stack.api.delete(f"/v1/calls/{call}/capture")
        refused = [each for each in await log.entries(call) if each["what"] == "cancel_payment"]
        assert refused[-1]["result"] == "refused"
        assert await log.verify() == "sound"
    assert await log.verify() == "sound"
    _, said = await tonewall("audit", "verify", str(log.directory), "--key", str(log.key))
    assert "0 since the last checkpoint" in said
    assert find_in_text(log.directory, CANARY) == []
    assert not any(TOKEN in path.read_text() for path in log.directory.iterdir())
