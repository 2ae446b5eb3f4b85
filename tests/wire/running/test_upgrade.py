"""`tonewall upgrade`: another version is installed, and goes on with the calls; or it cannot, and
nothing has changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.complaints import expect_error, permit_error
from tests.other_version import Installed
from tests.stack import PATIENCE, Stack, free_port, running, until
from tests.wire.conftest import Peers
from tests.wire.handmade import trunk
from tests.wire.line import Line, line
from tests.wire.running.kept_calls import answer, ring
from tests.wire.running.signalled import logged
from tests.wire.sip_peer import HOST

# Approved by the local provider; 15 digits need no end.
NUMBER, REST = "378282246310005", "11397391"


def general() -> dict[str, dict[str, str]]:
    return {"general": {"port": str(free_port()), "spare": "yes"}}


async def upgrade(stack: Stack, patience: float = 60.0) -> tuple[int, list[str]]:
    """The status of the command, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        stack.python, "-P", "-m", "b2bua.cli", "upgrade", "-c", str(stack.conf), "--timeout", str(patience),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 6 * PATIENCE)
    assert process.returncode is not None
    return process.returncode, out.decode().splitlines()


async def version(stack: Stack) -> str:
    """That of the b2bua which answers."""
    lines = (await stack.api.get("/metrics")).text.splitlines()
    [found] = [line for line in lines if line.startswith("tonewall_build_info{")]
    return found.partition('version="')[2].partition('"')[0]


async def spares(stack: Stack) -> None:
    """Until both have loaded."""

    def loaded() -> bool:
        pids = stack.pids()
        waiting = {*pids["spare"], *pids["media spare"]}
        return len(waiting) == 2 and waiting <= {entry["pid"] for entry in logged(stack, "spare_loaded")}

    await until(loaded, "the spares")


async def counted(wire: Line, call_id: str, keys: int) -> None:
    async def so_many() -> bool:
        fields = (await wire.stack.call(call_id))["capture"]["fields"]
        return sum(field["count"] for field in fields) >= keys

    await until(so_many, f"{keys} keys to be counted")


async def test_a_call_goes_on_in_another_version_which_waits_for_the_payment(
    peers: Peers, tmp_path: Path
) -> None:
    installed = Installed.make(tmp_path / "installed", "7.0.0")
    async with line(peers, extra=general(), python=installed.python) as wire:
        call_id = await wire.dial()
        assert await version(wire.stack) == "7.0.0"
        await spares(wire.stack)
        installed.install("7.1.0")
        await wire.stack.start_capture(call_id)
        await wire.key(NUMBER[:6])
        await counted(wire, call_id, 4)

        expect_error("not_upgraded")
        pids = wire.stack.pids()
        [before], media = pids["b2bua"], pids["media"]
        status, said = await upgrade(wire.stack, 0.0)
        assert (status, said[-1]) == (2, "1 payments were in the way for 0 s"), said
        assert [wire.stack.pids()[name] for name in ("b2bua", "media")] == [[before], media]

        waiting = asyncio.create_task(upgrade(wire.stack))
        await until(lambda: len(wire.log("upgrade_begins")) == 2, "the second upgrade")
        pressing = asyncio.create_task(wire.key((NUMBER + REST) * 4))  # the customer does not stop
        await counted(wire, call_id, 8)
        await wire.stack.api.delete(f"/v1/calls/{call_id}/capture")
        status, said = await waiting
        assert (status, said[-1]) == (0, "Tonewall is of version 7.1.0"), said
        await wire.stack.await_restart(before)
        assert wire.stack.pids()["media"] != media
        assert await version(wire.stack) == "7.1.0"
        assert (await wire.stack.call(call_id))["masked"]
        await pressing
        assert (await wire.agent.stats())["dtmf"] == 0
        await wire.voice(50)
        await wire.keyed(call_id, NUMBER + REST, "after")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        await wire.unmasked(call_id)
        assert (await wire.agent.stats())["dtmf"] == 0
        await wire.hang_up()
        [record] = await until(wire.stack.records, "the record of the call")
        assert [each["stage"] for each in record["captures"]] == ["cancelled", "finished"]
        assert [charge["charges"] for charge in await wire.stack.charges()] == [1]
        assert wire.log("media_lost") == wire.log("restarting") == []
        await spares(wire.stack)
        await wire.no_sessions()


async def test_a_version_that_cannot_go_on_changes_nothing_and_a_call_that_rings_is_answered_in_one_that_can(
    tmp_path: Path,
) -> None:
    installed = Installed.make(tmp_path / "installed", "7.0.0")
    with trunk() as carrier, trunk() as pbx:
        made = Stack(tmp_path, carrier.port, pbx.port, pairs=20, extra=general(), python=installed.python)
        async with running(made) as stack:
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            invite, _ = await ring(carrier, pbx)
            await spares(stack)
            [before] = stack.pids()["b2bua"]
            await refused(
                stack,
                installed,
                {"b2bua/app.py": ("import argparse", "raise SystemExit(9)\nimport argparse")},
            )
            await refused(
                stack,
                installed,
                {"b2bua/call/schema.py": ("SCHEMA: Final = 1", "SCHEMA: Final = 2")},
                "it does not read calls that are kept in schema 1, but 2: stop Tonewall, and start it again",
            )
            assert stack.pids()["b2bua"] == [before]

            # It loads, and ends as soon as its turn has come.
            expect_error("restarting", child="b2bua")
            await refused(
                stack,
                installed,
                {
                    "b2bua/app.py": (
                        "    settings = _read_settings()\n    demo",
                        "    raise SystemExit(9)\n    demo",
                    )
                },
            )
            await stack.await_restart(before)
            assert await version(stack) == "7.0.0"
            assert len(await stack.calls()) == 1

            # Its b2bua goes on, and its media ends as soon as its turn has come.
            await spares(stack)
            turn = "        settings, times = load(MediaSettings, {})"
            installed.install(
                "7.2.1", {"media/process/__main__.py": (turn, f"        raise SystemExit(9)\n{turn}")}
            )
            [before], [relaying] = stack.pids()["b2bua"], stack.pids()["media"]
            [spare] = stack.pids()["media spare"]
            expect_error("restarting", child="media")
            permit_error("media_lost")
            for child in ("payer", "decoder"):
                permit_error("restarting", child=child)
            status, said = await upgrade(stack)
            assert (status, said[-1]) == (
                1,
                "the new media did not answer: a process of the version before goes on",
            ), said
            await stack.await_restart(before)
            assert await version(stack) == "7.2.1"
            await until(lambda: stack.pids()["media"] == [spare], "the old spare to relay")
            assert relaying != spare
            assert len(await stack.calls()) == 1

            await spares(stack)
            installed.install("7.3.0")
            [before] = stack.pids()["b2bua"]
            status, said = await upgrade(stack)
            assert status == 0, said
            await stack.await_restart(before)
            assert await version(stack) == "7.3.0"
            near, _ = await answer(carrier, pbx, invite)
            carrier.send(carrier.request("BYE", call=near, cseq=9))
            pbx.reply(await pbx.hear("BYE", PATIENCE), 200)
            await until(stack.records, "the record of the call")


async def refused(
    stack: Stack, installed: Installed, changes: dict[str, tuple[str, str]], why: str = ""
) -> None:
    """A version with these changes is refused."""
    installed.install("7.2.0", changes)
    expect_error("not_upgraded")
    permit_error("upgrade")
    status, said = await upgrade(stack)
    assert status == 2, said
    assert said[-1] == why or not why, said
