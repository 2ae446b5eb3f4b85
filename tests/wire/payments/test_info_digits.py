"""A carrier that sends keys as SIP INFO (`info_digits = yes`): a card is captured from there, and
reaches no agent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.canary import CANARY, find_in_text, scan_process
from tests.single_keys import find_orders
from tests.stack import Stack, running, until
from tests.wire.info_keys import RELAY, pressed
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, events, scene
from tests.wire.stream_peer import StreamCarrier, stream_carrier
from tonewall.process import lock_limit

NOBODY = 65_534


async def pressed_at_once(at: Scene, keys: str, cseq: int) -> None:
    """Keys in one piece of a stream, each as an INFO that is answered."""
    bodies = {number: f"Signal={key}\r\nDuration=160\r\n" for number, key in enumerate(keys, cseq)}
    texts = [
        at.carrier.request("INFO", call=at.near, cseq=number, body=body, Content_Type=RELAY)
        for number, body in bodies.items()
    ]
    at.carrier.send("".join(texts))
    assert [(await at.carrier.hear("200")).one("CSeq") for _ in bodies] == [
        f"{number} INFO" for number in bodies
    ]


@contextlib.asynccontextmanager
async def carrier_over(transport: str, folder: Path) -> AsyncIterator[StreamCarrier | None]:
    """None for UDP, which is the scene's own."""
    if transport == "udp":
        yield None
    else:
        async with stream_carrier(transport, folder) as carrier:
            yield carrier


@pytest.mark.parametrize(
    ("transport", "content_type"),
    [("udp", RELAY), ("udp", "application/dtmf"), ("tcp", RELAY), ("tls", RELAY)],
)
async def test_a_card_is_keyed_by_info_and_the_events_of_the_same_presses_do_not_count(
    tmp_path: Path, transport: str, content_type: str
) -> None:
    async with carrier_over(transport, tmp_path) as over, scene(tmp_path, info_digits="yes", over=over) as at:
        await at.stack.start_capture(at.call_id)
        at_once = 0 if over is None else 4  # the last keys come in one piece of the stream
        for cseq, key in enumerate(CANARY.keys[: len(CANARY.keys) - at_once], 2):
            await at.customer.play(at.customer.press(key)[:2])
            await pressed(at, key, cseq, content_type)
        if over is not None:
            await pressed_at_once(at, CANARY.keys[-at_once:], 80)
        if os.geteuid() == 0:  # at once: a transaction that kept them would end 32 s later
            [signalling] = at.stack.pids()["b2bua"]
            assert await asyncio.to_thread(find_orders, signalling) == ([], 0)
        await at.customer.play([at.customer.speech() for _ in range(25)])
        await at.stack.stage(at.call_id, "ready")
        # B2bua carried the keys one by one: it holds no more than one at a time.
        if os.geteuid() == 0:
            found = [scan_process(pid) for pid in at.stack.pids()["b2bua"]]
            assert found == [[]]
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        if os.geteuid() == 0:
            await nothing_in_order(at)
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        await until(lambda: at.old.rtp.heard, "speech at the agent's phone")
        assert events(at.old) == 0
        at.pbx.never("INFO")
        ladder = await at.stack.api.get(f"/v1/calls/{at.call_id}/ladder")
        assert find_in_text(ladder.text) == []
        log = at.stack.log.read_text()
        assert "Signal=" not in log
        at.carrier.send(at.carrier.request("BYE", call=at.near, cseq=90))
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
        records = await until(at.stack.records, "the call's record")
        assert records[0]["withheld"] == len(CANARY.keys)
    assert find_in_text([tmp_path]) == []


async def nothing_in_order(at: Scene) -> None:
    """In no process of Tonewall can the number be put together from its single keys, by anything
    that orders them."""
    left = {}
    for kind, pids in at.stack.pids().items():
        for pid in pids:
            orders, keys = await asyncio.to_thread(find_orders, pid)
            assert orders == [], (kind, keys)
            left[kind] = max(keys, left.get(kind, 0))
    assert set(left.values()) == {0}, left
    (signalling,) = at.stack.pids()["b2bua"]
    limits = await asyncio.to_thread(Path(f"/proc/{signalling}/limits").read_text)
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
    status = await asyncio.to_thread(Path(f"/proc/{signalling}/status").read_text)
    locked = re.search(r"^VmLck:\s+(\d+) kB", status, re.MULTILINE)
    assert locked is not None
    assert int(locked[1]) > 0 or lock_limit() is not None


@pytest.mark.parametrize("info_digits", ["yes", "no"])
async def test_where_keys_pass_through_b2bua_no_program_of_the_same_user_may_read_its_memory(
    info_digits: str,
) -> None:
    # What is root's may be read by root whatever it is.
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tonewall-") as folder:
        os.chown(folder, user, -1)
        extra = {"carrier": {"info_digits": info_digits}}
        async with running(Stack(Path(folder), 5060, 5062, pairs=2, extra=extra, user=user)) as stack:
            pids = stack.pids()
            assert {kind: _readable(kind_pids, user) for kind, kind_pids in pids.items()} == {
                "keeper": {True}, "supervisor": {True}, "b2bua": {info_digits == "no"}, "spare": set(),
                "media": {False}, "payer": {False}, "decoder": {False}, "reconciler": {False},
                "webhooks": set(), "media spare": set(),
            }  # fmt: skip


def _readable(pids: list[int], user: int) -> set[bool]:
    """Whether a program of that user may read the memory of each of the processes; and whose the
    kernel says that it is."""
    found = set()
    for pid in pids:
        command = ["cat", f"/proc/{pid}/environ"]
        reading = subprocess.run(command, user=user, group=user, capture_output=True, check=False)
        readable = reading.returncode == 0 and len(reading.stdout) > 0
        assert Path(f"/proc/{pid}/mem").stat().st_uid == (user if readable else 0)
        found.add(readable)
    return found


async def test_an_info_that_is_repeated_counts_once_and_one_that_is_no_key_ends_nothing(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, info_digits="yes") as at:
        await at.stack.start_capture(at.call_id)
        text = at.carrier.request("INFO", call=at.near, cseq=2, body="Signal=4\r\n", Content_Type=RELAY)
        at.carrier.send(text)
        answer = await at.carrier.hear("200")
        at.carrier.send(text)
        await at.carrier.repeated(answer, 2)
        await pressed(at, "!", 3)
        await pressed(at, "2", 4)
        await until(lambda: _counted(at, 2), "two digits")
        await pressed(at, "what", 5)
        assert (await at.stack.stage(at.call_id, "aborted"))["reason"] == "a key press was lost"
        await at.end(at.agent)


async def _counted(at: Scene, count: int) -> bool:
    return (await at.stack.call(at.call_id))["capture"]["fields"][0]["count"] == count


async def test_without_the_setting_an_info_is_withheld_and_not_captured(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        await pressed(at, "4", 2)
        await at.customer.key("2")
        await until(lambda: _counted(at, 1), "the event's digit")
        at.pbx.never("INFO")
        await at.end(at.agent)
