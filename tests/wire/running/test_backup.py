"""A backup of a Tonewall that runs is restored: records, payments and journal are there again, and
the audit log verifies."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from tests.canary import CANARY
from tests.programs import require_program
from tests.stack import until
from tests.wire.audited import AuditLog
from tests.wire.conftest import Peers
from tests.wire.line import line

ROOT = Path(__file__).parents[3]
KEPT = ("audit", "cdr.sqlite", "journal.jsonl", "payments.sqlite")


async def test_what_a_backup_has_is_there_again_after_a_restore(peers: Peers, tmp_path: Path) -> None:
    require_program("sqlite3")
    instance = tmp_path / "instance"
    instance.mkdir()
    log = AuditLog(instance)
    places = {
        "audit": log.settings,
        "cdr": {"url": f"sqlite:///{instance}/cdr.sqlite", "spool": f"{instance}/cdr.spool"},
        "provider": {"journal": f"{instance}/journal.jsonl"},
    }
    async with line(peers, extra=places) as wire:
        stack = wire.stack
        call = await wire.dial()
        await wire.keyed(call, CANARY.keys, "order-1")
        assert (await stack.submit(call))["type"] == "approved"
        await wire.hang_up()

        async def shown() -> list[dict[str, Any]]:
            answer = await stack.api.get("/v1/payments", params={"transaction_id": "order-1"})
            return [each["order"] | {"id": each["id"]} for each in answer.json()]

        async def exported() -> str:
            process = await asyncio.create_subprocess_exec(
                stack.python, "-m", "b2bua.cli", "cdr", "export", "-c", str(stack.conf),
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            printed, _ = await process.communicate()
            return printed.decode()

        before = await shown()
        assert len(before) == 1
        records = await until(exported, "the record of the call")
        kept = tmp_path / "backup"
        backup = await asyncio.create_subprocess_exec(ROOT / "deploy/backup/backup.sh", instance, kept)
        assert await backup.wait() == 0
        again = await asyncio.create_subprocess_exec(
            ROOT / "deploy/backup/backup.sh", instance, kept, stderr=asyncio.subprocess.PIPE
        )
        await again.communicate()
        assert again.returncode == 2, "an older backup is not written over"
        journal = (instance / "journal.jsonl").read_bytes()
        await stack.stop_tonewall()
        shutil.rmtree(instance)
        shutil.copytree(kept, instance)
        assert [name for name in KEPT if not (instance / name).exists()] == []
        assert (instance / "journal.jsonl").read_bytes() == journal
        await stack.start_tonewall()
        assert await shown() == before
        assert await exported() == records
        assert await log.verify() == "sound"
        doctor = await asyncio.create_subprocess_exec(
            stack.python, "-m", "b2bua.cli", "doctor", "-c", str(stack.conf), stdout=asyncio.subprocess.PIPE
        )
        found = (await doctor.communicate())[0].decode()
        assert [row for row in found.splitlines() if row.startswith("fault")] == [], found
        assert "journal" in found
