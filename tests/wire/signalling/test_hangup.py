"""SIGHUP, and a terminal that closes: nothing of a running Tonewall ends, and settings are read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
from pathlib import Path

import httpx

from tests.stack import Stack, children_of, free_port, running, until


async def health(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        with contextlib.suppress(httpx.HTTPError):
            return bool((await client.get(f"{url}/healthz")).json()["payers"])
    return False


async def test_sighup_ends_no_process_and_reads_the_settings_again(tmp_path: Path) -> None:
    async with running(Stack(tmp_path, free_port(), free_port())) as stack:
        before = stack.pids()
        optional = ("webhooks", "spare", "media spare")  # none is configured
        assert all(pids for kind, pids in before.items() if kind not in optional)
        # The keeper passes it on to the supervisor: its turn comes below.
        for pid in [pid for kind, pids in before.items() if kind != "keeper" for pid in pids]:
            os.kill(pid, signal.SIGHUP)
        await until(lambda: '"settings_read_again"' in stack.log.read_text(), "the log line")
        assert await health(stack.api_url)
        assert stack.pids() == before
        for pid in before["keeper"]:
            os.kill(pid, signal.SIGHUP)
        await until(lambda: stack.log.read_text().count('"settings_read_again"') == 2, "the second log line")
    assert '"restarting"' not in stack.log.read_text()


async def test_a_terminal_that_closes_ends_nothing_and_stopping_is_clean(tmp_path: Path) -> None:
    stack = Stack(tmp_path, free_port(), free_port())
    await stack.start_provider()
    stack.conf.write_text(stack._conf())
    # A session of its own whose controlling terminal is the pty; what its leader starts gets SIGHUP
    # when it closes.
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "b2bua.cli", "run", "-c", str(stack.conf)])
    loop = asyncio.get_running_loop()
    loop.add_reader(terminal, lambda: os.read(terminal, 65536))
    try:
        ready = tmp_path / "run" / "ready.json"
        url = json.loads(await until(lambda: ready.exists() and ready.read_text(), "ready"))["api_url"]
        await until(lambda: health(url), "payers")
        loop.remove_reader(terminal)
        os.close(terminal)
        [supervisor] = await until(lambda: children_of(child), "its supervisor")
        for pid in (supervisor, *await until(lambda: children_of(supervisor), "its processes")):
            os.kill(pid, signal.SIGHUP)
        async with httpx.AsyncClient(
            trust_env=False
        ) as client:  # each of these is a line in the log, which is gone
            for _ in range(20):
                assert (await client.get(f"{url}/v1/calls")).status_code == 401
        assert await health(url)
        assert os.waitpid(child, os.WNOHANG) == (0, 0)  # noqa: ASYNC222  # it returns at once
    finally:
        os.kill(child, signal.SIGTERM)
        status: list[int] = []

        def ended() -> bool:
            pid, found = os.waitpid(child, os.WNOHANG)
            status.append(found)
            return bool(pid)

        await until(ended, "the end")
        await stack.stop()
    assert os.waitstatus_to_exitcode(status[-1]) == 0


async def test_a_clean_stop_logs_no_warning(tmp_path: Path) -> None:
    stack = Stack(tmp_path, free_port(), free_port())
    async with running(stack):
        pass
    lines = [json.loads(line) for line in stack.log.read_text().splitlines()]
    events = [line["event"] for line in lines]
    after = lines[events.index("stopping") :]
    assert [line for line in after if line["level"] not in ("debug", "info")] == []
    assert events[-1] == "stopped"


async def test_the_health_command_finds_the_installation_by_its_configuration(tmp_path: Path) -> None:
    async def ask(*arguments: str) -> tuple[int | None, str]:
        command = [sys.executable, "-m", "b2bua.cli", "health", *arguments]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, errors = await process.communicate()
        return process.returncode, (out + errors).decode()

    async with running(Stack(tmp_path, free_port(), free_port(), extra={"api": {"healthz": "no"}})) as stack:
        status, shown = await ask("-c", str(stack.conf))
        assert (status, json.loads(shown)["status"]) == (0, "ok")
        status, shown = await ask("--directory", str(tmp_path / "run"))
        assert status == 2
        assert "healthz = no" in shown
    status, shown = await ask("-c", str(stack.conf))
    assert status == 2
    assert "not healthy" in shown
