"""media.sock takes commands from the b2bua that the supervisor started, and from nobody else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from media.events import OpenSession, SessionId
from tests.complaints import expect_error, permit_error
from tests.stack import until
from tests.wire.test_transfer import Scene, scene
from tonewall.frames import pack


async def stranger(at: Scene) -> bytes:
    """Connect as another process of the same user and ask for a session; what comes back until the end."""
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
    expect_error("refused a connection to media.sock")
    permit_error("restarting", what="b2bua")
    async with scene(tmp_path, complaints=False) as at:
        assert await stranger(at) == b""
        log = at.stack.log.read_text()
        assert "refused a connection to media.sock" in log
        assert "b2bua lost" not in log
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
