"""media.sock takes commands from the b2bua that the supervisor started, and nobody else can put a
socket in its place."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from media.events import OpenSession, SessionId
from tests.complaints import expect_error, permit_error
from tests.stack import Stack, until
from tests.wire.scene import Scene, scene
from tonewall.frames import pack


async def stranger(at: Scene) -> bytes:
    """Connect as another process of the same user and ask for a session; what comes back until the
    end."""
    reader, writer = await asyncio.open_unix_connection(at.stack.directory / "run" / "media.sock")
    try:
        writer.write(pack(OpenSession(serial=1, session=SessionId("theirs"), streams=1)))
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_stranger_is_refused_and_the_call_goes_on_and_a_b2bua_that_was_restarted_is_taken(
    tmp_path: Path,
) -> None:
    expect_error("connection_refused")
    permit_error("restarting", child="b2bua")
    async with scene(tmp_path, complaints=False) as at:
        assert await stranger(at) == b""
        log = at.stack.log.read_text()
        assert "connection_refused" in log
        assert "b2bua_lost" not in log
        await at.stack.start_capture(at.call_id)
        await at.customer.key("4")
        await until(lambda: _counted(at), "the digit of a call whose media is commanded by its b2bua still")

        (before,) = at.stack.kill("b2bua")
        ready = at.stack.directory / "run" / "ready.json"
        await until(lambda: json.loads(ready.read_text())["pid"] != before, "another b2bua")
        await at.stack.await_ready()
        assert await stranger(at) == b""
        assert (await at.stack.api.get("/healthz")).json()["media"]


async def _counted(at: Scene) -> bool:
    return (await at.stack.call(at.call_id))["capture"]["fields"][0]["count"] == 1


@pytest.mark.parametrize(
    "whose", ["others may write to it", "others may write to its parent", "it belongs to another"]
)
async def test_run_refuses_a_directory_of_others_and_starts_once_that_is_mended_as_it_said(
    tmp_path: Path, whose: str
) -> None:
    stack, place = Stack(tmp_path, 5060, 5062, pairs=2), tmp_path / "run"
    place.mkdir(mode=0o700)
    opened = place if whose.endswith("it") else tmp_path
    says, mend = f"others may write to {opened}: chmod go-w {opened}", ["chmod", "go-w", str(opened)]
    if whose != "it belongs to another":
        opened.chmod(0o777)
    elif os.geteuid() != 0:
        pytest.skip("only root may give a directory away")
    else:
        os.chown(place, 65_534, -1)
        says, mend = "belongs to nobody, and we are root: chown it", ["chown", "root", str(place)]
    try:
        await stack.start_provider()
        stack.conf.write_text(stack._conf())
        refused = await asyncio.to_thread(_run, stack.conf)
        assert refused.returncode == 2
        first, second = refused.stderr.splitlines()
        assert first == "tonewall: cannot start:"
        assert second.startswith(f"[general] directory: {place}")
        assert second.endswith(says)
        assert list(place.iterdir()) == []
        await asyncio.to_thread(subprocess.run, mend, check=True)
        await stack.start_tonewall()
    finally:
        await stack.stop()


def _run(conf: Path) -> subprocess.CompletedProcess[str]:
    """`tonewall run` until it ends by itself."""
    command = [sys.executable, "-m", "b2bua.cli", "run", "-c", str(conf)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
