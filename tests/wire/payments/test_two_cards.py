"""Two cards keyed at the same time give the agents the same octets, in packets of the same length,
at the same time.

Each test first keys two digits where no mask is on, and sees that they differ.
Beside events, a key is put into header extensions, padding, RTCP's texts and packets of an
application, and reports' extensions."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pylibsrtp
import pytest
from aiortc.rtp import RtpPacket

from media.codecs import DecodedCodec
from tests.leak import phones
from tests.leak.codec import G722, PCMU, encoded
from tests.leak.presses import dual_tone
from tests.leak.timeline import Packet, parse
from tests.stack import until
from tests.wire.handmade import offer
from tests.wire.media.offers import MUX, OPUS, TICKS, opus_offer
from tests.wire.media.redundant import RED, Redundant
from tests.wire.media.redundant import describe as redundant_offer
from tests.wire.two_cards import (
    _SPOKEN,
    CARDS,
    RATE,
    SPEECH,
    Arrived,
    Audio,
    Script,
    Side,
    Two,
    differences,
    two,
)

MASKS = ("mask", "mute-on-key", "mute")
WIDE = Audio(encoded(_SPOKEN, G722), G722)
Read = Callable[[Side, bytes], bytes]


def as_it_is(_: Side, data: bytes) -> bytes:
    return data


async def told_apart(at: Two, audio: Audio, scripts: tuple[Script, Script], read: Read = as_it_is) -> None:
    """The control: one key each, unmasked; and every kind of report."""
    for side in at.sides:
        await at.begun(side, bytes(Packet(audio.payload_type, 1, 1, 0x99, audio.payloads[0])))
    for script, key in zip(scripts, "47", strict=True):
        script.say(3)
        script.press(key)
        script.say(2, key)
        for kind in range(6):
            script.report(key, kind)
    last = {script.last() for script in scripts}
    await at.play([script.steps for script in scripts])
    await at.have(*last, read)
    await until(
        lambda: all(sum(side.mark()) >= 23 for side in at.sides), "the reports at both agents' phones"
    )
    one, other = (side.arrived() for side in at.sides)
    assert "octets" in differences(
        opened(one, at.sides[0], read)["rtp"], opened(other, at.sides[1], read)["rtp"]
    )
    where = "rtp" if at.sides[0].muxed else "rtcp"
    assert "octets" in differences(one[where], other[where])
    for script in scripts:
        script.steps.clear()


def opened(arrived: dict[str, Arrived], side: Side, read: Read) -> dict[str, Arrived]:
    """As the agent's phone decrypts it."""
    return {
        name: replace(each, datagrams=[read(side, data) for data in each.datagrams])
        for name, each in arrived.items()
    }


async def the_same(
    at: Two, audio: Audio = SPEECH, *, wrapped: bool = False, by_info: bool = False, read: Read = as_it_is
) -> None:
    """Key both cards; nothing on the agents' sides differs."""
    scripts = (Script(audio), Script(audio))
    for script in scripts if wrapped else ():
        script.wrap = wrapping()
    await told_apart(at, audio, scripts, read)
    await at.start_captures()
    since = [side.mark() for side in at.sides]
    for script, side in zip(scripts, at.sides, strict=True):
        script.say(20)
        for number, key in enumerate(side.card.keys):
            if by_info:
                script.steps.append(("info", f"Signal={key}\r\nDuration=160\r\n".encode()))
            else:
                script.press(key)
            script.report(key, number)
            script.say(4, key)
    last = {script.last() for script in scripts}
    await at.play([script.steps for script in scripts])
    await at.have(*last, read)
    await at.ready()
    one, other = (
        opened(side.arrived(before), side, read) for side, before in zip(at.sides, since, strict=True)
    )
    assert len(one["rtp"].datagrams) > 4 * len(at.sides[0].card.keys)
    assert {name: differences(one[name], other[name]) for name in one} == {"rtp": [], "rtcp": []}
    await at.end()


def wrapping() -> Callable[[Packet], Packet]:
    """Each packet repeats the two before it (RFC 2198)."""
    phone = Redundant()

    def wrap(packet: Packet) -> Packet:
        [whole] = phone.wrap([RtpPacket.parse(bytes(packet))])
        packet_again = parse(whole.serialize())
        assert packet_again is not None
        return packet_again

    return wrap


@pytest.mark.parametrize("policy", MASKS)
async def test_in_clear_with_reports_beside(tmp_path: Path, policy: str) -> None:
    async with two(tmp_path, mask=policy) as at:
        await the_same(at)


@pytest.mark.parametrize("policy", MASKS)
async def test_in_g722(tmp_path: Path, policy: str) -> None:
    def describe(port: int, who: str) -> str:
        return offer(port, who, codec="9 G722/8000")

    async with two(tmp_path, describe, mask=policy) as at:
        await the_same(at, WIDE)


@pytest.mark.parametrize("policy", ["mask", "mute-on-key"])
async def test_with_a_flat_tone_in_place_of_each_key(tmp_path: Path, policy: str) -> None:
    async with two(tmp_path, mask=policy, placeholder_tone="yes") as at:
        await the_same(at)


@pytest.mark.parametrize("policy", MASKS)
async def test_in_redundant_blocks(tmp_path: Path, policy: str) -> None:
    async with two(tmp_path, redundant_offer, mask=policy) as at:
        await the_same(at, wrapped=True)
        assert RED not in {data[1] & 0x7F for side in at.sides for data, _ in side.agent.rtp.heard[-20:]}


@pytest.mark.parametrize("policy", MASKS)
async def test_by_info(tmp_path: Path, policy: str) -> None:
    async with two(tmp_path, mask=policy, info_digits="yes") as at:
        await the_same(at, by_info=True)
        at.pbx.never("INFO")


async def test_where_the_agent_multiplexes_reports(tmp_path: Path) -> None:
    async with two(tmp_path, answer=lambda port, who, _: offer(port, who) + MUX, pbx_keys={}) as at:
        for side in at.sides:
            side.muxed = True
        await the_same(at)


def wideband(port: int, who: str) -> str:
    """AMR-WB alone."""
    return offer(port, who, codec="96 AMR-WB/16000").replace("telephone-event/8000", "telephone-event/16000")


@pytest.mark.parametrize("policy", MASKS)
async def test_events_on_a_clock_of_48_khz_beside_opus(tmp_path: Path, policy: str) -> None:
    async with two(tmp_path, opus_offer, mask=policy) as at:
        await the_same(at, Audio(phones.sent(_SPOKEN, DecodedCodec.OPUS), OPUS, TICKS))


@pytest.mark.parametrize("policy", MASKS)
async def test_events_on_a_clock_of_16_khz_beside_amr_wb(tmp_path: Path, policy: str) -> None:
    async with two(tmp_path, wideband, mask=policy) as at:
        await the_same(at, Audio(phones.sent(_SPOKEN, DecodedCodec.AMR_WB), 96, 320))


_SUITE, _PROFILE = "AES_CM_128_HMAC_SHA1_80", pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80


class Opener:
    """The agents' phones' ends of SRTP: their own keys, and what Tonewall offered as its own. Each
    datagram is opened once."""

    def __init__(self) -> None:
        self._rtp: dict[str, pylibsrtp.Session] = {}
        self._clear: dict[tuple[str, bytes], bytes] = {}

    def answer(self, port: int, who: str, offered: str) -> str:
        [(tag, _)] = self._offered(offered)
        inline = base64.b64encode(bytes(30)).decode()
        return (
            offer(port, who).replace("RTP/AVP", "RTP/SAVP") + f"a=crypto:{tag} {_SUITE} inline:{inline}\r\n"
        )

    def read(self, side: Side, data: bytes) -> bytes:
        """As many octets as came, so that lengths are compared too: clear, then zeros. Opened in
        the order in which they came."""
        if side.call_id not in self._rtp:
            [(_, key)] = self._offered(side.invite)
            policy = pylibsrtp.Policy(
                key=base64.b64decode(key), ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND, srtp_profile=_PROFILE
            )
            self._rtp[side.call_id] = pylibsrtp.Session(policy)
        session = self._rtp[side.call_id]
        for pair, unprotect in (
            (side.agent.rtp, session.unprotect),
            (side.agent.rtcp, session.unprotect_rtcp),
        ):
            for sealed, _ in pair.heard:
                if (side.call_id, sealed) not in self._clear:
                    self._clear[side.call_id, sealed] = unprotect(sealed).ljust(len(sealed), b"\0")
        return self._clear[side.call_id, data]

    @staticmethod
    def _offered(body: str) -> list[tuple[str, str]]:
        return re.findall(rf"a=crypto:(\d+) {_SUITE} inline:([^|\s]+)", body)


@pytest.mark.parametrize("policy", MASKS)
async def test_over_srtp_at_the_agent_s_leg(tmp_path: Path, policy: str) -> None:
    opener = Opener()
    async with two(tmp_path, answer=opener.answer, pbx_keys={"srtp": "yes"}, mask=policy) as at:
        await the_same(at, read=opener.read)
        sealed = [[data for data, _ in side.agent.rtp.heard] for side in at.sides]
        assert not set(sealed[0]) & set(sealed[1]), "each call has its own key"


# --- keys that are tones --------------------------------------------------------------------------

_TONE, _REST, _FOUND = 100 * RATE // 1000, 140 * RATE // 1000, 40 * RATE // 1000  # samples


def in_tones(keys: str) -> tuple[Audio, list[slice]]:
    """A quiet line with the tones of these keys, and where each is masked for certain."""
    line = np.random.default_rng(9).normal(0, 20, len(keys) * (_TONE + _REST) + RATE)
    pressed = []
    for number, key in enumerate(keys):
        start = RATE // 2 + number * (_TONE + _REST)
        line[start : start + _TONE] += dual_tone(key, _TONE, (-12.0, -10.0))
        pressed.append(slice(start + _FOUND, start + _TONE))
    return Audio(encoded(line, PCMU)), pressed


def placed(came: Arrived, begin: int, samples: int) -> bytes:
    """The octets of this stretch of the stream, each where its rtp_timestamp says."""
    line = bytearray(samples)
    for packet in map(parse, came.datagrams):
        if packet is not None and packet.payload_type == PCMU:
            at = (packet.rtp_timestamp - begin) % (1 << 32)
            if at + len(packet.payload) <= samples:
                line[at : at + len(packet.payload)] = packet.payload
    return bytes(line)


@pytest.mark.parametrize("flat", ["yes", "no"])
@pytest.mark.parametrize("policy", MASKS)
async def test_where_a_tone_is_masked_no_key_is_told_from_another(
    tmp_path: Path, policy: str, flat: str
) -> None:
    keys = ("1593570", "9175264")
    spoken = [in_tones(each) for each in keys]
    pressed = spoken[0][1]
    more = {"mask": policy} | ({"placeholder_tone": "yes"} if flat == "yes" and policy != "mute" else {})
    async with two(tmp_path, capture_tones="yes", **more) as at:
        scripts = [Script(audio) for audio, _ in spoken]
        for masked in (False, True):
            if masked:
                await at.start_captures()
            else:
                for side in at.sides:
                    await at.begun(side, bytes(Packet(PCMU, 1, 1, 0x99, SPEECH.payloads[0])))
            since, begin, samples = (
                [side.mark() for side in at.sides],
                scripts[0].clock,
                160 * len(spoken[0][0].payloads),
            )
            for script in scripts:
                script.steps.clear()
                script.say(len(script.audio.payloads))
            last = {script.last() for script in scripts}
            await at.play([script.steps for script in scripts])
            await at.have(*last)
            lines = [
                placed(side.arrived(before)["rtp"], begin, samples)
                for side, before in zip(at.sides, since, strict=True)
            ]
            differ = [lines[0][window] != lines[1][window] for window in pressed]
            assert differ == [not masked and one != other for one, other in zip(*keys, strict=True)]
        for side in at.sides:
            counted = partial(_keyed, at, side, len(keys[0]))
            await until(counted, "each key once")
        await at.end()


async def _keyed(at: Two, side: Side, count: int) -> bool:
    number = (await at.stack.call(side.call_id))["capture"]["fields"][0]
    return bool(number["count"] == count)


# --- what a stage that leaks would do, to what came of a call in which nothing did ----------------


def _later(times: list[float], digits: str) -> list[float]:
    return [time + 0.01 * int(digits[6 + number % 6]) for number, time in enumerate(times)]


STAGES: dict[str, Callable[[Arrived, str], Arrived]] = {
    "one packet less": lambda came, digits: replace(came, datagrams=came.datagrams[int(digits[7]) :]),
    "a bit of one packet": lambda came, digits: replace(
        came,
        datagrams=[
            came.datagrams[0][:-1] + bytes([came.datagrams[0][-1] ^ int(digits[7])]),
            *came.datagrams[1:],
        ],
    ),
    "padding": lambda came, digits: replace(
        came, datagrams=[data + bytes(int(digits[7])) for data in came.datagrams]
    ),
    "the order": lambda came, digits: replace(
        came, datagrams=came.datagrams[int(digits[7]) :] + came.datagrams[: int(digits[7])]
    ),
    "the time": lambda came, digits: replace(came, times=_later(came.times, digits)),
}


@pytest.mark.parametrize("stage", STAGES)
def test_each_way_to_tell_a_digit_is_seen(stage: str) -> None:
    came = Arrived(
        [bytes([0x80, 0]) + number.to_bytes(4, "big") for number in range(200)],
        [0.02 * n for n in range(200)],
    )
    one, other = (STAGES[stage](came, card.number) for card in CARDS)
    assert differences(came, came) == []
    assert differences(one, other) != []
