"""Tones through a whole Tonewall: the agent hears that a field is complete or refused and that the
payment is approved; the customer hears nothing, and two cards sound the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from media.formats.coding import Coding
from media.formats.telephone_event import looks_like_event
from media.prompts.encoding import encode_file
from media.prompts.sources import SHIPPED_FILES
from tests.leak.codec import PCMU
from tests.leak.timeline import Packet, parse
from tests.stack import until
from tests.wire.handmade import EVENT_TYPE, MediaPair
from tests.wire.two_cards import Audio, Script, Two, two

QUIET = Audio([b"\xff" * 160])
NAMES = ("tone-complete", "tone-wrong", "tone-done")
_PACKET, _PLUS, _MINUS = 160, b"\xff", b"\x7f"  # octets; both zeros of mu-law


WHOLE = {
    name: encode_file(SHIPPED_FILES / "en" / f"{name}.opus")[Coding.MU].replace(_MINUS, _PLUS)
    for name in NAMES
}
# The beginning of each: no other has it.
TONES = {name: octets[: 4 * _PACKET].lstrip(_PLUS) for name, octets in WHOLE.items()}


def packets(pair: MediaPair) -> list[Packet]:
    found = (parse(data) for data, _ in pair.rtp.heard)
    return [each for each in found if each is not None]


def audio(pair: MediaPair) -> bytes:
    return b"".join(
        each.payload.replace(_MINUS, _PLUS) for each in packets(pair) if each.payload_type == PCMU
    )


def sound(pair: MediaPair) -> bytes:
    """All of it but silence."""
    return audio(pair).replace(_PLUS, b"")


def tones(pair: MediaPair) -> list[str]:
    """What this end has heard, in order."""
    heard = audio(pair)
    found = []
    for name, octets in TONES.items():
        at = heard.find(octets)
        while at >= 0:
            found.append((at, name))
            at = heard.find(octets, at + 1)
    return [name for _, name in sorted(found)]


async def both_key(at: Two, scripts: tuple[Script, Script], keys: tuple[str, str]) -> None:
    """Both customers key, the same moment for moment."""
    for script, own in zip(scripts, keys, strict=True):
        for key in own:
            script.press(key)
            script.say(4)
        script.say(12)
    await at.play([script.steps for script in scripts])
    for script in scripts:
        script.steps.clear()


async def heard(at: Two, expected: list[str]) -> None:
    await until(lambda: all(tones(side.agent) == expected for side in at.sides), f"tones: {expected}")


@pytest.mark.parametrize("policy", ["mask", "mute", "mute-on-key"])
async def test_two_agents_hear_the_same_tones_whatever_is_keyed(tmp_path: Path, policy: str) -> None:
    async with two(tmp_path, form={"agent_tones": "yes"}, mask=policy) as at:
        await until(lambda: '"prompts_prepared"' in at.stack.log.read_text(), "the tones to be prepared")
        scripts = (Script(QUIET), Script(QUIET))
        for side in at.sides:
            await at.begun(side, bytes(Packet(PCMU, 1, 1, 0x99, QUIET.payloads[0])))
        await at.start_captures()
        expected: list[str] = []
        one, other = (side.card for side in at.sides)
        wrong = [card.number[:-1] + str((int(card.number[-1]) + 1) % 10) for card in (one, other)]
        for keys, name in (
            ((f"{wrong[0]}#", f"{wrong[1]}#"), "tone-wrong"),
            ((f"*{one.number}#", f"*{other.number}#"), "tone-complete"),
            ((f"{one.expiry}#", f"{other.expiry}#"), "tone-complete"),
            ((f"{one.code}#", f"{other.code}#"), "tone-complete"),
        ):
            await both_key(at, scripts, keys)
            expected.append(name)
            await heard(at, expected)
        await at.ready()
        for side in at.sides:
            assert (await at.stack.submit(side.call_id))["type"] == "approved"
        await heard(at, [*expected, "tone-done"])
        octets = b"".join(WHOLE[name] for name in (*expected, "tone-done")).replace(_PLUS, b"")
        await until(
            lambda: all(len(sound(side.agent)) >= len(octets) for side in at.sides),
            "the end of the last tone",
        )
        for side in at.sides:
            assert sound(side.agent) == octets
            assert tones(side.customer) == []
            assert not any(
                each.payload_type == EVENT_TYPE or looks_like_event(each.payload)
                for each in packets(side.agent)
            )
        await at.end()


async def test_without_the_option_the_agent_hears_none(tmp_path: Path) -> None:
    async with two(tmp_path, form={"prompts": "placeholder"}) as at:
        await until(lambda: '"prompts_prepared"' in at.stack.log.read_text(), "the prompts to be prepared")
        scripts = (Script(QUIET), Script(QUIET))
        for side in at.sides:
            await at.begun(side, bytes(Packet(PCMU, 1, 1, 0x99, QUIET.payloads[0])))
        await at.start_captures()
        one, other = (side.card for side in at.sides)
        await both_key(at, scripts, (one.keys, other.keys))
        await at.ready()
        last = {script.last() for script in scripts}
        await at.play([script.steps for script in scripts])
        await at.have(*last)
        assert [sound(side.agent) for side in at.sides] == [b"", b""]
        await at.end()
