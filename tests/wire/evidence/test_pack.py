"""Evidence packs of a running Tonewall: made while a card is paid, each verifies, and none has a
digit of the card or a token."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from b2bua.audit.signing_key import make_key
from tests.canary import CANARY, find_in_text
from tests.stack import TOKEN, free_port
from tests.wire.certificates import Authority
from tests.wire.conftest import Peers
from tests.wire.line import line

TODAY = datetime.now(UTC).date()
PERIOD = ("--from", str(TODAY - timedelta(days=1)), "--to", str(TODAY + timedelta(days=2)))


async def tonewall(*arguments: str) -> tuple[int, str]:
    """The status of `tonewall evidence` and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", "evidence", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={**os.environ},
    )  # fmt: skip
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def test_packs_are_made_while_a_card_is_paid(peers: Peers) -> None:
    folder = peers.directory
    public = make_key(folder / "audit.pem")
    certificate, key = Authority(folder).issue("tonewall.test")
    general = {
        "listen": f"udp:127.0.0.1:0, tls:127.0.0.1:{free_port()}",
        "tls_certificate": certificate,
        "tls_key": key,
    }
    audit = {"directory": str(folder / "audit"), "key_file": str(folder / "audit.pem"), "required": "yes"}
    packs: list[Path] = []
    async with line(peers, extra={"general": general, "audit": audit}) as wire:

        async def pack() -> None:
            path = folder / f"pack-{len(packs)}.tar.gz"
            packs.append(path)
            status, output = await tonewall("-c", str(wire.stack.conf), *PERIOD, "-o", str(path))
            assert status == 0, output

        call = await wire.dial()
        early = asyncio.create_task(pack())
        await wire.keyed(call, CANARY.keys, "order-1")
        assert (await wire.stack.submit(call))["type"] == "approved"
        await early
        await pack()
    for path in packs:
        out = path.with_suffix(".out")
        status, output = await tonewall("verify", str(path), "--key", str(public), "--extract", str(out))
        assert (status, output.splitlines()[-1]) == (0, "sound"), output
        assert find_in_text(out, CANARY) == []
        assert TOKEN.encode() not in b"".join(each.read_bytes() for each in out.rglob("*") if each.is_file())

    def content(name: str) -> Any:
        return json.loads((packs[-1].with_suffix(".out") / f"{name}.json").read_bytes())

    assert content("running")["status"] == "ok"
    assert content("audit-log")["entries_of_the_period"]["submit_card done"] == 1
    masks = content("masks")
    assert (masks["masks"], masks["keys"], masks["passed"], masks["alarms"]) == (1, len(CANARY.keys), 0, 0)
    sip = [each for each in content("tls")["grades"] if each["what"].startswith("SIP from")]
    assert {each["what"] for each in sip} == {"SIP from carrier", "SIP from pbx"}
    assert all(not each["versions"]["1.1"] and each["versions"]["1.3"] for each in sip)
    assert [each["key_bits"] for each in content("tls")["certificates"]] == [256]
    assert "submit_card" in (packs[-1].with_suffix(".out") / "audit" / "audit-excerpt.jsonl").read_text()
