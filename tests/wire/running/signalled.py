"""A running Tonewall that is signalled: its process, its log and its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from tests.stack import PATIENCE, Stack, until
from tests.wire.scene import Scene
from tests.wire.sip_peer import Heard, SipPeer


def keeper(stack: Stack) -> int:
    """The process that is `tonewall run`."""
    [pid] = stack.pids()["keeper"]
    return pid


async def ended(stack: Stack) -> int:
    """The status of `tonewall run`, once it has ended."""
    return await asyncio.wait_for(stack._processes[-1].wait(), PATIENCE)


def logged(stack: Stack, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in stack.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def acknowledged(peer: SipPeer, refused: Heard) -> str:
    """The ACK to an error (RFC 3261 section 17.1.1.3)."""
    same = {name: refused.one(name) for name in ("From", "To", "Call-ID", "Via")}
    return peer.request("ACK", **{name.replace("-", "_"): value for name, value in same.items()})


async def begin_to_drain(at: Scene) -> None:
    os.kill(keeper(at.stack), signal.SIGTERM)

    async def refuses() -> bool:
        answer = await at.stack.api.get("/readyz")
        return answer.status_code == 503 and answer.json()["reasons"] == ["draining"]

    await until(refuses, "/readyz to say so")


async def reload(stack: Stack) -> tuple[int, list[str]]:
    """The status of the command, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", "reload", "-c", str(stack.conf),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 2 * PATIENCE)
    assert process.returncode is not None
    return process.returncode, out.decode().splitlines()


def write(stack: Stack, changes: dict[str, dict[str, str]]) -> None:
    """The file again, with these keys too."""
    for section, keys in changes.items():
        stack.extra.setdefault(section, {}).update(keys)
    stack.conf.write_text(stack._conf())
