"""A whole Tonewall as systemd starts one with Type=notify and a watchdog."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import httpx

from tests.stack import Stack, free_port, running, until

NOTIFY = "NOTIFY_SOCKET"


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def knows_the_socket(pids: list[int]) -> bool:
    return any(NOTIFY.encode() in Path(f"/proc/{pid}/environ").read_bytes() for pid in pids)


async def test_it_is_ready_with_calls_alive_while_b2bua_is_and_says_that_it_stops(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    words: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.setblocking(False)

        def read() -> list[str]:
            try:
                while True:
                    words.extend(systemd.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return words

        stack = Stack(
            tmp_path, free_port(), free_port(), environment={NOTIFY: address, "WATCHDOG_USEC": "30000000"}
        )
        async with running(stack):
            await until(lambda: "READY=1" in read(), "the start to be over")
            assert "STATUS=0 calls" in words
            async with httpx.AsyncClient(base_url=stack.api_url, trust_env=False) as prober:
                assert (await prober.get("/readyz")).json() == {"ready": True, "reasons": [], "warnings": []}
                assert (await prober.get("/livez")).status_code == 200
            running_now = stack.pids()
            assert [kind for kind, pids in running_now.items() if knows_the_socket(pids)] == ["keeper"]
            (b2bua,) = running_now["b2bua"]
            words.clear()
            await until(lambda: read().count("WATCHDOG=1") > 1, "the watchdog to be fed")
            os.kill(b2bua, signal.SIGSTOP)
            await until(lambda: is_stopped(b2bua), "b2bua to hang")
            read()
            words.clear()
            hangs = time.monotonic()
            await until(lambda: read() or time.monotonic() - hangs > 2.2, "two pulses that do not come")
            assert words == []
            os.kill(b2bua, signal.SIGCONT)
            await until(lambda: "WATCHDOG=1" in read(), "the watchdog to be fed again")
            assert "READY=1" not in words
            words.clear()
        assert "STOPPING=1" in read()
    assert '"process_not_started"' not in stack.log.read_text()
