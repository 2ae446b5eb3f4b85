"""What the audit log says of a mask under which keys came otherwise than as events: as tones, as
SIP INFO, over rtpengine, which counts nothing; and of one that an agent's telephone asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.canary import CANARY
from tests.leak.carriers import Habit
from tests.leak.codec import PCMU
from tests.stack import free_port
from tests.wire.audited import AuditLog
from tests.wire.conftest import Peers
from tests.wire.info_keys import pressed
from tests.wire.media.tones import CARD, send
from tests.wire.payments.agents_phone import ORDER, agents_phone, claimed, key, told
from tests.wire.peers.rtpengine import GENERAL, engine
from tests.wire.scene import Scene, scene


async def ended(at: Scene, log: AuditLog) -> dict[str, Any]:
    """The mask of the call, once the customer has hung up under it."""
    await at.end(at.agent)
    [mask] = await log.ended(at.call_id, 1)
    assert mask["off_because"] == "call_ended"
    return mask


@pytest.mark.parametrize(
    ("habit", "events"),
    [
        (Habit("tone alone", before=120, event=0), 0),
        (Habit("tone, then its event", before=60, event=200), 1),
    ],
)
async def test_keys_as_tones_and_as_both_are_counted_as_such(
    tmp_path: Path, habit: Habit, events: int
) -> None:
    log = AuditLog(tmp_path)
    async with scene(tmp_path, capture_tones="yes", more={"audit": log.settings}) as at:
        await at.stack.start_capture(at.call_id)
        await send(at, habit, 1, PCMU)
        mask = await ended(at, log)
    figures = [mask[name] for name in ("keys", "keys_as_events", "keys_as_tones", "keys_as_both")]
    assert figures == [count * len(CARD) for count in (1, events, 1, events)]
    assert (mask["event_packets"] > 0) is bool(events)
    assert (mask["passed"], mask["alarms"]) == (0, 0)
    assert mask["left"] > 0


async def test_keys_by_info_are_counted_beside_those_of_the_core(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    async with scene(tmp_path, info_digits="yes", more={"audit": log.settings}) as at:
        await at.stack.start_capture(at.call_id)
        for number, key in enumerate(CANARY.keys[:6], 2):
            await pressed(at, key, number)
        mask = await ended(at, log)
    assert (mask["infos"], mask["keys"]) == (6, 0)


async def test_over_rtpengine_the_log_has_the_times_and_says_that_nothing_was_counted(peers: Peers) -> None:
    log, digits = AuditLog(peers.directory), free_port()
    daemon = await peers.rtpengine(digits)
    async with scene(
        peers.directory,
        media=engine(digits, daemon),
        general=GENERAL,
        mask="mute",
        more={"audit": log.settings},
    ) as at:
        await at.stack.start_capture(at.call_id)
        await at.customer.key("42")
        mask = await ended(at, log)
    assert mask["counts"] == "not counted by the media engine"
    assert "keys" not in mask
    assert mask["since"] < mask["until"]
    assert await log.verify() == "sound"


async def test_a_mask_that_an_agents_telephone_asked_for_names_the_code_and_says_how_it_came(
    tmp_path: Path,
) -> None:
    log = AuditLog(tmp_path)
    async with scene(tmp_path, pbx_keys={"feature_codes": "yes"}, more={"audit": log.settings}) as at:
        phone = await agents_phone(at)
        claim = await claimed(at, ORDER)
        await key(phone, f"*{claim['code']}#")
        await told(at, 1)
        await key(phone, "*1#")
        await told(at, 2)
        await at.stack.stage(at.call_id, "collecting")
        await ended(at, log)
        entries = {each["number"]: each for each in await log.entries(at.call_id)}
    [begun] = [each for each in entries.values() if each["what"] == "mask_on"]
    assert (begun["who"], begun["details"]["by"]) == ("test", "telephone")
    asked = entries[begun["of"]]
    assert (asked["what"], asked["result"], asked["details"]) == (
        "start_payment",
        "asked",
        {"by": "telephone"},
    )
