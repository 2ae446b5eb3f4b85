"""What is played into a leg: whatever the other side sends, and whenever prompts begin and end, the
stream that leaves goes on."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from media._core import Player, Recording
from media.formats.coding import Coding
from media.formats.rtp import Rtp, Ssrc, parse, serialise

EVENTS, AUDIO = 101, 0
OWN = 0x0DDB_A11
STEP_MS = 5
TALK = 0x40  # an octet of the agent's


@dataclass
class Leg:
    """One leg, its clock, and the other side, which sends a packet each 20 ms while it talks."""

    ducks: bool
    now_ms: int = 1_000
    player: Player = field(default_factory=Player)
    left: list[Rtp] = field(default_factory=list)
    came: list[Rtp] = field(default_factory=list)
    ssrc: int = 1
    number: int = 65_520
    due_ms: int = 1_000
    talks: bool = False

    def run(self, ms: int, late: list[int]) -> None:
        """Let time pass; each packet of the other side is so late."""
        for _ in range(ms // STEP_MS):
            self.now_ms += STEP_MS
            while self.talks and self.now_ms >= self.due_ms + late[self.number % len(late)]:
                self.send(AUDIO, bytes([TALK]) * 160)
                self.due_ms += 20
            while (packet := self.player.next(self.now_ms)) is not None:
                self.left.append(parse(packet))

    def send(self, payload_type: int, payload: bytes) -> None:
        packet = Rtp(
            payload_type=payload_type,
            marker=False,
            sequence_number=self.number % 0x10000,
            rtp_timestamp=(0xFFFF_E000 + 8 * self.due_ms) % 2**32,
            ssrc=Ssrc(self.ssrc),
            payload=payload,
        )
        self.number += 1
        self.came.append(packet)
        is_event = payload_type == EVENTS
        coding = -1 if is_event else Coding.MU
        out = self.player.admit(serialise(packet), coding, is_event, self.now_ms)
        assert is_event or out is None or parse(out).payload == payload
        if out is not None:
            self.left.append(parse(out))

    def talk(self, on: bool) -> None:
        if on and not self.talks:
            self.due_ms = max(self.due_ms, self.now_ms)
        self.talks = on

    def begin(self, packets: int) -> None:
        prompt = [Recording(bytes([7]) * 160 * packets, Coding.MU), Recording(bytes([9]) * 80, Coding.MU)]
        self.player.begin(AUDIO, prompt, self.ducks, OWN, self.now_ms - self.now_ms % 20 + 20)


acts = st.one_of(
    st.tuples(st.just("run"), st.integers(5, 400)),
    st.tuples(st.just("talk"), st.booleans()),
    st.tuples(st.just("begin"), st.integers(1, 12)),
    st.tuples(st.just("end"), st.just(0)),
    st.tuples(st.just("key"), st.just(0)),
    st.tuples(st.just("replaced"), st.integers(2, 4)),
    st.tuples(st.just("stuck"), st.integers(100, 300)),
)


@given(
    st.lists(acts, min_size=1, max_size=25),
    st.lists(st.integers(0, 15), min_size=1, max_size=7),
    st.booleans(),
)
def test_a_stream_goes_on_whatever_is_played_into_it(script, late, ducks):
    leg = Leg(ducks)
    for act, value in script:
        if act == "run":
            leg.run(value, late)
        elif act == "talk":
            leg.talk(bool(value))
        elif act == "begin":
            leg.begin(value)
        elif act == "end":
            leg.player.end(leg.now_ms)
        elif act == "key" and leg.talks:
            leg.send(EVENTS, b"\x05\x0a\x00\xa0")
        elif act == "replaced":
            leg.ssrc += 1
            leg.number = value * 10_000
        elif act == "stuck":  # the thread had no processor
            leg.now_ms += value
    leg.run(2_000, late)
    assert leg.player.end(leg.now_ms) is False
    for ssrc in {each.ssrc for each in leg.left}:
        stream = [each for each in leg.left if each.ssrc == ssrc]
        gaps = {(b.sequence_number - a.sequence_number) % 0x10000 for a, b in pairwise(stream)}
        assert gaps <= {1}
        audio = [each for each in stream if each.payload_type == AUDIO]
        for before, after in pairwise(audio):
            assert 160 <= (after.rtp_timestamp - before.rtp_timestamp) % 2**32 < 2**31
        sent = [each for each in leg.came if each.ssrc == ssrc]
        if sent:
            counts = len(sent), sum(len(each.payload) for each in sent)
            report = struct.pack("!BBHIQIII", 0x80, 200, 6, ssrc, 0, 0, *counts)
            packets, octets = struct.unpack("!II", leg.player.report(report)[20:28])
            left = len(stream), sum(len(each.payload) for each in stream)
            if sequence_is_known(leg, ssrc):
                assert (packets, octets) == left


def sequence_is_known(leg: Leg, ssrc: int) -> bool:
    """Whether so few SSRCs came that none was forgotten."""
    return len({each.ssrc for each in [*leg.left, *leg.came]}) <= 4


@given(st.integers(1, 40), st.booleans())
def test_all_of_a_prompt_leaves_and_ends_in_silence(packets, ducks):
    leg = Leg(ducks)
    leg.begin(packets)
    leg.run(20 * packets + 100, [0])
    octets = b"".join(each.payload for each in leg.left)
    assert octets == bytes([7]) * 160 * packets + bytes([9]) * 80 + b"\xff" * 80
    assert [each.marker for each in leg.left] == [True] + [False] * packets


@given(st.integers(1, 400))
def test_the_other_side_is_heard_again_within_a_packet_or_two(ms):
    leg = Leg(ducks=False)
    leg.talk(True)
    leg.run(200, [0])
    leg.begin(100)
    leg.run(100 + ms, [0])
    leg.player.end(leg.now_ms)
    before = len(leg.left)
    leg.run(100, [0])
    again = leg.left[before:]
    assert len(again) >= 3
    assert {each.payload for each in again} == {bytes([TALK]) * 160}


@given(st.integers(5, 12), st.integers(1, 20))
def test_a_prompt_goes_on_however_many_sources_the_other_side_invents_meanwhile(sources, first):
    leg = Leg(ducks=False)
    leg.number = 30_000
    leg.talk(True)
    leg.run(200, [0])
    leg.begin(30)
    leg.run(20 * first, [0])
    leg.talk(False)
    for each in range(2, 2 + sources):
        leg.ssrc = each
        leg.send(AUDIO, bytes([TALK]) * 160)
    leg.run(2_000, [0])
    stream = [each for each in leg.left if each.ssrc == 1]
    assert {(b.sequence_number - a.sequence_number) % 0x10000 for a, b in pairwise(stream)} == {1}
