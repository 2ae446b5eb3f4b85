"""Prompts through a whole Tonewall: the customer receives them in a stream that goes on, the agent
receives the same octets as ever, and the feed names them."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from media.formats.coding import Coding
from media.prompts.encoding import encode_file
from media.prompts.sources import SHIPPED_FILES
from tests.canary import CANARY
from tests.leak.codec import PCMU
from tests.leak.timeline import Packet, parse
from tests.stack import until
from tests.wire.line import Feed
from tests.wire.two_cards import CARDS, SPEECH, Script, Side, Two, differences, two

GUIDED = {"prompts": "placeholder", "language": "en"}
ENOUGH = 10  # packets of a prompt that tell it from others


def recorded(name: str, language: str = "en") -> bytes:
    """A shipped prompt as its octets on the wire."""
    return encode_file(SHIPPED_FILES / language / f"{name}.opus")[Coding.MU]


def received(side: Side) -> list[Packet]:
    """The customer's audio."""
    packets = [parse(data) for data, _ in side.customer.rtp.heard]
    return [each for each in packets if each is not None and each.payload_type == PCMU]


def plays(side: Side, name: str, language: str = "en") -> bool:
    """Whether the customer has received the beginning of this prompt, octet for octet."""
    audio = b"".join(each.payload for each in received(side))
    return recorded(name, language)[: ENOUGH * 160] in audio


async def prepared(at: Two) -> None:
    await until(lambda: '"prompts_prepared"' in at.stack.log.read_text(), "the prompts to be prepared")


def goes_on(packets: list[Packet]) -> bool:
    return all(
        (later.sequence - before.sequence) % 0x10000 == 1
        and 160 <= (later.rtp_timestamp - before.rtp_timestamp) % 2**32 < 2**31
        for before, later in pairwise(packets)
    )


async def keyed(at: Two, script: Script, keys: str) -> None:
    """One customer keys."""
    for key in keys:
        script.press(key)
        script.say(4)
    await at.one(at.sides[0], script.steps)
    script.steps.clear()


@pytest.mark.parametrize("policy", ["mask", "mute-on-key"])
async def test_two_cards_under_prompts_leave_the_agents_the_same_octets(tmp_path: Path, policy: str) -> None:
    async with two(tmp_path, form=GUIDED, mask=policy) as at:
        await prepared(at)
        scripts = (Script(SPEECH), Script(SPEECH))
        for side in at.sides:
            await at.begun(side, bytes(Packet(PCMU, 1, 1, 0x99, SPEECH.payloads[0])))
        await at.start_captures()
        await until(lambda: all(plays(side, "card_number") for side in at.sides), "both customers' prompts")
        since = [side.mark() for side in at.sides]
        for script, side in zip(scripts, at.sides, strict=True):
            script.say(20)
            for number, key in enumerate(side.card.keys):
                script.press(key)
                script.report(key, number)
                script.say(4, key)
        last = {script.last() for script in scripts}
        await at.play([script.steps for script in scripts])
        await at.have(*last)
        await at.ready()
        one, other = (side.arrived(before) for side, before in zip(at.sides, since, strict=True))
        assert {name: differences(one[name], other[name]) for name in one} == {"rtp": [], "rtcp": []}
        prompt = recorded("card_number")
        for side in at.sides:
            audio = b"".join(data[12:] for data, _ in side.agent.rtp.heard)
            assert not any(prompt[begin : begin + 160] in audio for begin in range(3200, 6400, 160))
        await at.end()


async def test_prompts_guide_a_customer_while_the_agent_talks_in_one_stream(tmp_path: Path) -> None:
    async with two(tmp_path, form=GUIDED, cards=CARDS[:1]) as at:
        await prepared(at)
        (side,) = at.sides
        feed = Feed()
        reading = asyncio.create_task(feed.read(at.stack.api_url))
        script = Script(SPEECH)
        await at.begun(side, bytes(Packet(PCMU, 1, 1, 0x99, SPEECH.payloads[0])))
        talking = asyncio.create_task(talk(at, side))
        await until(lambda: len(received(side)) > 10, "the agent's talk")
        await at.stack.start_capture(side.call_id, transaction="order-a")

        def shown() -> list[str]:
            names = [each for view in feed.views(side.call_id) for each in view.get("prompts", ())]
            return [name for name, before in zip(names, ["", *names], strict=False) if name != before]

        await until(lambda: shown()[-1:] == ["card_number"], "the first prompt")
        wrong = CANARY.number[:-1] + str((int(CANARY.number[-1]) + 1) % 10)
        await keyed(at, script, f"{wrong}#")
        await until(lambda: shown()[-1:] == ["card_number.error.check_digit"], "the refusal")
        await keyed(at, script, f"*{CANARY.keys}")
        await until(lambda: shown()[-1:] == ["complete"], "the end of the form")
        await until(lambda: feed.views(side.call_id)[-1].get("prompts") in ([], None), "silence again")
        count = len(received(side))
        await until(lambda: len(received(side)) > count + 10, "the agent's talk")
        talking.cancel()
        reading.cancel()
        packets = received(side)
        assert {each.ssrc for each in packets} == {0xA6E27}
        assert goes_on(packets)
        brand = feed.captures(side.call_id)[-1]["brand"]
        assert shown() == [
            "card_number",
            "card_number.error.check_digit",
            f"expiry.{brand}",
            f"security_code.{brand}",
            "complete",
        ]
        await at.end()


async def talk(at: Two, side: Side) -> None:
    """The agent talks, softly, at the pace of speech."""
    loop = asyncio.get_running_loop()
    began, number = loop.time(), 0
    to = agent_port(at, side)
    while True:
        packet = Packet(PCMU, (65_000 + number) % 0x10000, 160 * number, 0xA6E27, bytes([0x7F]) * 160)
        side.agent.rtp.send(bytes(packet), to)
        number += 1
        await asyncio.sleep(max(0.0, began + 0.02 * number - loop.time()))


def agent_port(at: Two, side: Side) -> tuple[str, int]:
    """Where Tonewall receives the agent's RTP."""
    return side.far[0], int(side.invite.partition("m=audio ")[2].split()[0])
