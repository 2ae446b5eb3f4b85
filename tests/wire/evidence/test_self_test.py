"""`tonewall self-test` on a running Tonewall, through a carrier that sends the call back in: what
passes, what leaks and what shows nothing are told apart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from b2bua.audit.signing_key import make_key, read_public
from b2bua.self_test.canary_keys import has_luhn
from b2bua.self_test.report import read_report
from tests.stack import TOKEN, Stack, free_port, running, until
from tests.wire.evidence.believing import believing_api
from tests.wire.evidence.hairpin import HairpinCarrier

NUMBER = "+4930230558391"


@dataclass
class Bench:
    """A Tonewall whose carrier sends calls back in."""

    stack: Stack

    async def command(self, *arguments: str) -> tuple[int, str]:
        """The status of `tonewall self-test` and what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "b2bua.cli", "self-test", "--to", NUMBER, "-c", str(self.stack.conf),
            *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "TONEWALL_TOKEN": TOKEN},
        )  # fmt: skip
        printed, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, printed.decode()

    def report(self) -> dict[str, Any]:
        (path,) = (self.stack.directory / "reports").glob("self-test-*.json")
        _, is_signed = read_report(path, read_public(self.stack.directory / "audit.pem.pub"))
        assert is_signed
        return dict(json.loads(path.read_bytes()))


@contextlib.asynccontextmanager
async def bench(folder: Path, **carrier: str) -> AsyncIterator[Bench]:
    make_key(folder / "audit.pem")
    hairpin, port = HairpinCarrier(), free_port()
    extra = {
        "general": {"port": str(port), "guard_time": "0.2"},
        "carrier": carrier,
        "pbx self-test": {"host": "127.0.0.1", "port": str(free_port())},
        "route self-test-in": {"source": "carrier", "callee": NUMBER, "to": "self-test"},
        "route self-test-out": {"source": "self-test", "callee": NUMBER, "to": "carrier"},
        "audit": {
            "directory": str(folder / "audit"),
            "key_file": str(folder / "audit.pem"),
            "reports": str(folder / "reports"),
        },
    }
    try:
        async with running(Stack(folder, hairpin.port, free_port(), extra=extra)) as stack:
            hairpin.start(stack.sip_port)
            yield Bench(stack)
    finally:
        await hairpin.close()


async def test_no_key_reaches_the_agents_side_and_the_report_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        status, output = await at.command()
        assert status == 0, output
        report = at.report()
        assert report["result"] == "passed"
        assert report["control"]["events"] == report["control_pressed"] == 4
        assert [each["form"] for each in report["rounds"]] == ["events", "tones"]
        for each in report["rounds"]:
            assert each["pressed"] == each["media"] == 16
            assert each["reached"] == {"events": 0, "tones": 0, "sip_infos": 0}
            assert each["packets"] > 50
            assert not has_luhn(each["keys"])
            assert each["keys"] in output
        assert report["call"] in {each["call"] for each in await until_records(at.stack)}


async def until_records(stack: Stack) -> list[dict[str, Any]]:
    """The records of both calls of a self-test, once they are there."""
    return list(await until(lambda: len(stack.records()) == 2 and stack.records(), "two records"))


async def test_a_mask_that_is_none_is_a_leak(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        with believing_api(at.stack.api_url) as url:
            status, output = await at.command("--url", url)
        assert status == 1, output
        report = at.report()
        assert report["result"] == "failed"
        assert report["rounds"][0]["reached"] == {"events": 16, "tones": 0, "sip_infos": 0}
        assert report["rounds"][1]["reached"] == {"events": 0, "tones": 16, "sip_infos": 0}
        assert "32 keys reached the agent's side under a mask" in output


async def test_a_call_that_does_not_come_back_shows_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        status, output = await at.command("--wait", "--patience", "5")
        assert status == 3, output
        assert f"Call {NUMBER} now" in output
        assert "no call came in for the self-test within 5 s" in output
        assert at.report()["result"] == "inconclusive"


async def test_a_line_without_masks_before_payments_is_named(tmp_path: Path) -> None:
    async with bench(tmp_path, pre_mask="never") as at:
        status, output = await at.command()
        assert status == 2, output
        assert "mask" in output


@pytest.mark.parametrize("missing", ["trunk", "port", "directory"])
async def test_what_a_self_test_needs_is_named(tmp_path: Path, missing: str) -> None:
    async with bench(tmp_path) as at:
        conf = at.stack.conf.read_text()
        port = re.search(r"\[pbx self-test\]\nhost = \S+\n(port = \d+)", conf)
        assert port is not None
        changes = {
            "trunk": ("self-test", "other"),
            "port": (port[1], ""),
            "directory": ("\nreports =", "\n;"),
        }
        at.stack.conf.write_text(conf.replace(*changes[missing]))
        status, output = await at.command()
        assert status == 2, output
        says = {
            "trunk": "docs/self-test.md",
            "port": "host and port: expected",
            "directory": "[audit] reports",
        }
        assert says[missing] in output
