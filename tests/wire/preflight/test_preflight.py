"""Preflights on a carrier that sends keys in each way: what is reported, and which lines of
sip.conf fit."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from b2bua.preflight.report import Report, Result, describe
from b2bua.preflight.trial import try_trunk
from tests.line_habits import Habit
from tests.stack import free_port, media_ports
from tests.wire.evidence.hairpin import HairpinCarrier
from tests.wire.preflight.keying_carrier import KeyingCarrier, opened, plan, try_in
from tests.wire.sip_peer import HOST

# Long presses: of a machine that is slow for a moment, the median does not mind.
WAYS = {
    "events": Habit(event=10),
    "odd type": Habit(event=10, event_type=97),
    "16 kHz": Habit(event=12, clock=16000),
    "tones": Habit(event=0, tone=5),
    "both": Habit(event=10, lead=2, tail=4),
    "doubled": Habit(event=10, copies=2, apart=12),
    "lossy": Habit(event=10, loses=12),
    "gaps": Habit(event=10, silent=True, ends=1),
}
SETTINGS = {
    "tones": {"capture_tones": "yes"},
    "doubled": {"capture_tones": "no", "info_digits": "no", "slow_keys": "yes"},
    "infos": {"info_digits": "yes"},
}
EVENTS_ALONE = {"capture_tones": "no", "info_digits": "no"}


def advised(report: Report) -> dict[str, str]:
    """Of the keys."""
    names = {"capture_tones", "info_digits", "slow_keys"}
    return {each.name: each.value for each in report.settings if each.name in names}


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_of_keys_is_told_from_the_others(way: str) -> None:
    report = await try_in(KeyingCarrier(WAYS[way]))
    assert report.result is Result.PASSED, report.why
    facts = report.rounds[0].facts
    assert (facts.asked, facts.right, facts.arrived) == (6, 6, 6)
    assert advised(report) == SETTINGS.get(way, EVENTS_ALONE)
    audio = report.legs[0].audio
    habit = WAYS[way]
    assert facts.events.payload_types == ([habit.event_type] if habit.event else [])
    assert facts.events.clock == (habit.clock if habit.event else 0)
    assert facts.as_both == (6 if habit.lead else 0)
    assert (facts.doubled > 0) == (habit.copies > 1)
    assert (audio.loss > 0.03) == bool(habit.loses)
    assert not audio.is_elsewhere
    assert habit.silent or (audio.codec, audio.ptime) == ("PCMA", 20)


async def test_keys_by_info_behind_nat_with_reliability_and_timers_are_seen() -> None:
    carrier = KeyingCarrier(Habit(), infos=True, described="10.255.0.1")
    report = await try_in(
        carrier,
        Require="100rel",
        Supported="timer",
        Session_Expires="600;refresher=uac",
        Min_SE="300",
        From='"Ann" <sip:+4930230@carrier.example>;tag=near',
    )
    assert report.result is Result.PASSED, report.why
    facts = report.rounds[0].facts
    assert (facts.as_infos, facts.as_events, facts.as_tones) == (6, 0, 0)
    assert advised(report) == SETTINGS["infos"]
    (leg,) = report.legs
    assert (leg.signalling.reliable, leg.signalling.session_expires) == ("required", 600)
    assert leg.audio.is_elsewhere
    assert leg.signalling.is_media_private
    lines = {each.name: each.value for each in report.settings}
    assert (lines["nat"], lines["prack"], lines["session_expires"], lines["numbers"]) == (
        "yes", "required", "600", "e164",
    )  # fmt: skip
    assert {row.topic for row in describe(report)} >= {"calls in: SDP", "calls in: source", "calls in: PRACK"}


async def test_srtp_is_decrypted_and_advised() -> None:
    report = await try_in(KeyingCarrier(Habit(), encrypted=True))
    assert report.result is Result.PASSED, report.why
    (leg,) = report.legs
    assert (leg.signalling.protocol, leg.audio.refused) == ("RTP/SAVP", 0)
    assert ("srtp", "yes") in {(each.name, each.value) for each in report.settings}


async def test_a_person_who_is_called_keys_and_early_media_is_seen() -> None:
    carrier = KeyingCarrier(Habit())
    async with opened(carrier) as phone:
        trial = asyncio.create_task(try_trunk(phone, plan(carrier, "+4930230")))
        await carrier.be_called(early=20)
        await carrier.key()
        report = await trial
    assert report.result is Result.PASSED, report.why
    (leg,) = report.legs
    assert leg.signalling.provisionals == [183]
    assert leg.signalling.has_early_description
    assert leg.audio.early >= 15
    assert leg.signalling.product == "Fake 1.0"
    assert 0 < leg.signalling.ringing < leg.signalling.answer


@pytest.mark.parametrize(("code", "hint"), [(403, "does not let"), (480, "nobody is registered"), (499, "")])
async def test_a_refusal_is_explained(code: int, hint: str) -> None:
    carrier = KeyingCarrier(Habit())
    async with opened(carrier) as phone:
        trial = asyncio.create_task(try_trunk(phone, plan(carrier, "1")))
        carrier.peer.reply(await carrier.peer.hear("INVITE", 30), code)
        report = await trial
    assert report.result is Result.FAILED
    assert f"refused with {code}" in report.why
    assert hint in report.why
    assert report.legs[0].signalling.code == code


async def test_a_hand_that_keys_nothing_shows_nothing() -> None:
    carrier = KeyingCarrier(Habit())
    async with opened(carrier) as phone:
        trial = asyncio.create_task(try_trunk(phone, plan(carrier)))
        await carrier.call_in()
        await carrier.asked.get()
        carrier.peer.send(carrier.peer.request("BYE", call=carrier.call, cseq=5))
        report = await trial
    assert report.result is Result.INCONCLUSIVE
    assert "no key was seen" in report.why


class Command:
    """`tonewall preflight`, with a configuration of its own."""

    def __init__(self, folder: Path, carrier_port: int) -> None:
        self.port, self.conf = free_port(), folder / "sip.conf"
        self.conf.write_text(
            f"[general]\nlisten = udp:{HOST}:{self.port}\n[carrier]\nhost = {HOST}\nport = {carrier_port}\n"
            f"[pbx]\nhost = {HOST}\nport = {free_port()}\n[media]\nports = {media_ports(200)}\n"
            "[api]\ntokens = ann:agent-under-test-0001\n[provider]\nadapter = connector\nurl = https://127.0.0.1:1\n"
            "api_key = x\n"
        )

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "b2bua.cli", "preflight", *arguments, "-c", str(self.conf),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "COLUMNS": "160"},
        )  # fmt: skip
        out, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), errors.decode()


async def run_through(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The command on a carrier that sends calls back in."""
    carrier = HairpinCarrier()
    command = Command(folder, carrier.port)
    carrier.start(command.port)
    try:
        return await command.run("carrier", "--to", "5551234", *arguments)
    finally:
        await carrier.close()


async def test_the_command_calls_through_the_carrier_and_back(tmp_path: Path) -> None:
    status, out, errors = await run_through(tmp_path, "--keys", "5")
    assert status == 0, out + errors
    assert "all 10 keys arrived in order" in out
    assert re.search(r"ok +keys as events: payload type +101", out), out
    assert re.search(r"ok +keys as tones: arrived +5 of 5, as 5 tones", out), out
    assert re.search(r"keys as events: delay +\d", out), out
    tail = out.partition("The lines of sip.conf that fit:")[2]
    assert "[carrier]\n" in tail
    assert "\ncapture_tones = yes\n" in tail


async def test_the_command_prints_json(tmp_path: Path) -> None:
    status, out, errors = await run_through(tmp_path, "--keys", "4", "--json")
    report = json.loads(out)
    assert (status, report["result"], len(report["legs"])) == (0, "passed", 2), (out, errors)
    assert report["rounds"][0]["facts"]["latency"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("north", "--wait"), "there is no trunk 'north'"),
        (("carrier",), "give either --to NUMBER"),
        (("carrier", "--wait", "--to", "1"), "give either --to NUMBER"),
    ],
)
async def test_what_cannot_be_tried_is_named(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    status, _, errors = await Command(tmp_path, 9).run(*arguments)
    assert status == 2
    assert says in errors


async def test_a_port_in_use_and_a_call_that_does_not_come_are_named(tmp_path: Path) -> None:
    carrier = KeyingCarrier(Habit())
    command = Command(tmp_path, carrier.peer.port)
    async with opened(carrier) as phone:
        status, _, errors = await command.run("carrier", "--wait", "--port", str(phone.address[1]))
        assert status == 2
        assert "another --port" in errors
    status, out, _ = await command.run("carrier", "--wait", "--patience", "5")
    assert status == 3
    assert "no call came in within 5 s" in out
