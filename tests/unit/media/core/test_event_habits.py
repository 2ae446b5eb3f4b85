"""What has broken others' readers of telephone-events (RFC 4733), habit by habit, on real sockets:
each key is captured once, in order, nothing of it reaches the agent, and the customer is heard
again."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from media import _core
from media._core import OVERFLOW, SecretMemory
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from tests.unit.media.core.relay_rig import Rig, everything, until

MU, EVENT, SECOND, RED = 0, 101, 97, 121
FRAME = 160
KEYED = b"4917"
Step = bytes | Callable[[Rig], None]


@dataclass
class Sender:
    """A phone: what it sends next, and how it sends a press."""

    number: int = 0xFFE0  # wraps soon, as the clock does
    clock: int = 0xFFFF_F000
    event_type: int = EVENT
    event_ssrc: int = 1
    rate: int = 1  # of the events' clock, in that of the audio
    steps: list[Step] = field(default_factory=list)

    def packet(
        self, kind: int, payload: bytes, rtp_timestamp: int, *, marker: bool = False, ssrc: int = 1
    ) -> bytes:
        number = self.number % 0x10000
        return serialise(Rtp(kind, marker, number, rtp_timestamp % 2**32, Ssrc(ssrc), payload))

    def send(
        self, kind: int, payload: bytes, rtp_timestamp: int, *, marker: bool = False, ssrc: int = 1
    ) -> None:
        self.number += 1
        self.steps.append(self.packet(kind, payload, rtp_timestamp, marker=marker, ssrc=ssrc))

    def speech(self, frames: int = 3) -> None:
        for _ in range(frames):
            self.send(MU, b"\xff" * FRAME, self.clock)
            self.clock += FRAME

    def event(
        self, code: int, duration: int, *, end: bool = False, marker: bool = False, flags: int = 10
    ) -> None:
        payload = struct.pack("!BBH", code, end << 7 | flags, duration * self.rate)
        self.send(self.event_type, payload, self.clock * self.rate, marker=marker, ssrc=self.event_ssrc)

    def press(
        self, code: int, *, steps: int = 5, marker: bool = True, ends: int = 3, flags: int = 10
    ) -> None:
        """`steps` of 20 ms."""
        for step in range(1, steps):
            self.event(code, FRAME * step, marker=marker and step == 1, flags=flags)
        for _ in range(ends):
            self.event(code, FRAME * steps, end=True, flags=flags)
        self.clock += FRAME * steps

    def keys(self, press: Callable[[int], None] | None = None) -> None:
        """The digits of KEYED, speech around each."""
        for digit in KEYED:
            self.speech()
            (press or self.press)(digit - 48)
        self.speech(40)


def habit(function: Callable[[Sender], None]) -> Callable[[Sender], None]:
    HABITS[function.__name__.replace("_", " ")] = function
    return function


HABITS: dict[str, Callable[[Sender], None]] = {}


@habit
def as_the_rfc_has_it(phone: Sender) -> None:
    phone.keys()


@habit
def another_payload_type(phone: Sender) -> None:
    phone.event_type = SECOND
    phone.keys()


@habit
def events_of_16_kHz_beside_audio_of_8(phone: Sender) -> None:  # noqa: N802
    phone.rate = 2
    phone.keys()


@habit
def events_of_48_kHz_beside_audio_of_8_on_their_own_SSRC(phone: Sender) -> None:  # noqa: N802
    phone.rate, phone.event_ssrc = 6, 2
    phone.keys()


@habit
def two_telephone_event_lines_by_turns(phone: Sender) -> None:
    def press(code: int) -> None:
        phone.event_type = EVENT + SECOND - phone.event_type
        phone.press(code)

    phone.keys(press)


@habit
def no_marker(phone: Sender) -> None:
    phone.keys(lambda code: phone.press(code, marker=False))


@habit
def a_marker_on_every_packet(phone: Sender) -> None:
    def press(code: int) -> None:
        for step in range(1, 5):
            phone.event(code, FRAME * step, marker=True, end=step == 4)
        phone.clock += 5 * FRAME

    phone.keys(press)


@habit
def the_start_is_lost(phone: Sender) -> None:
    def press(code: int) -> None:
        phone.press(code)
        del phone.steps[-7:-3]

    phone.keys(press)


@habit
def the_end_is_lost(phone: Sender) -> None:
    phone.keys(lambda code: phone.press(code, ends=0))


@habit
def one_packet_in_the_middle_is_all_that_comes(phone: Sender) -> None:
    def press(code: int) -> None:
        phone.press(code)
        phone.steps[-7:] = phone.steps[-5:-4]

    phone.keys(press)


@habit
def one_end_alone(phone: Sender) -> None:
    phone.keys(lambda code: phone.press(code, steps=1, ends=1))


@habit
def ends_that_repeat_the_sequence_number(phone: Sender) -> None:
    def press(code: int) -> None:
        phone.press(code, ends=1)
        phone.steps += phone.steps[-1:] * 2

    phone.keys(press)


@habit
def a_duration_of_zero_at_first(phone: Sender) -> None:
    def press(code: int) -> None:
        phone.event(code, 0, marker=True)
        phone.event(code, 0)
        phone.press(code, marker=False)

    phone.keys(press)


@habit
def the_reserved_bit_and_no_volume(phone: Sender) -> None:
    phone.keys(lambda code: phone.press(code, flags=0x40))


@habit
def long_presses_in_segments(phone: Sender) -> None:
    def press(code: int) -> None:
        for step in (160, 0x8000, 0xFFFF):
            phone.event(code, step, marker=step == 160)
        phone.clock += 0xFFFF
        phone.event(code, 0xFFFF)
        phone.clock += 0xFFFF
        phone.press(code, marker=False)

    phone.keys(press)


@habit
def long_presses_of_which_a_segment_s_last_packet_is_lost(phone: Sender) -> None:
    def press(code: int) -> None:
        phone.event(code, 160, marker=True)
        phone.event(code, 0xFF00)
        phone.clock += 0xFFFF
        phone.press(code, marker=False)

    phone.keys(press)


@habit
def events_interleaved_with_audio(phone: Sender) -> None:
    def press(code: int) -> None:
        began = phone.clock
        for step in range(1, 7):
            phone.send(EVENT, struct.pack("!BBH", code, (step > 4) << 7 | 10, min(step, 5) * FRAME), began)
            phone.speech(1)

    phone.keys(press)


@habit
def an_SSRC_of_their_own(phone: Sender) -> None:  # noqa: N802
    phone.event_ssrc = 2
    phone.keys()


@habit
def an_SSRC_of_their_own_with_numbers_of_its_own(phone: Sender) -> None:  # noqa: N802
    phone.event_ssrc = 2

    def press(code: int) -> None:
        number, phone.number = phone.number, 100 + 16 * code
        phone.press(code)
        phone.number = number

    phone.keys(press)


@habit
def gaps_in_the_sequence(phone: Sender) -> None:
    def press(code: int) -> None:
        phone.number += 7
        phone.press(code)

    phone.keys(press)


@habit
def two_keys_in_one_packet(phone: Sender) -> None:
    for first, second in (KEYED[:2], KEYED[2:]):
        phone.speech()
        both = struct.pack("!BBHBBH", first - 48, 0x8A, 400, second - 48, 0x8A, 400)
        for _ in range(3):
            phone.send(EVENT, both, phone.clock, marker=True)
        phone.clock += 800
    phone.speech(40)


@habit
def rtp_timestamps_that_go_on_within_a_press(phone: Sender) -> None:
    def press(code: int) -> None:
        for step in range(1, 7):
            phone.event(code, FRAME * step, marker=step == 1, end=step == 6)
            phone.clock += FRAME

    phone.keys(press)


@habit
def ends_with_rtp_timestamps_of_their_own(phone: Sender) -> None:
    def press(code: int) -> None:
        phone.press(code, ends=0)
        for _ in range(3):
            phone.event(code, 5 * FRAME, end=True)
            phone.clock += FRAME

    phone.keys(press)


@habit
def an_SSRC_that_changes_in_mid_press(phone: Sender) -> None:  # noqa: N802
    def press(code: int) -> None:
        for step in range(1, 7):
            phone.event_ssrc = 10 + code if step < 4 else 20 + code
            phone.event(code, FRAME * step, marker=step == 1, end=step == 6)
        phone.clock += 6 * FRAME

    phone.keys(press)


@habit
def both_types_at_once_each_with_its_SSRC(phone: Sender) -> None:  # noqa: N802
    def press(code: int) -> None:
        for step in range(1, 7):
            for kind, ssrc, rate in ((EVENT, 8, 1), (SECOND, 48, 6)):
                phone.event_type, phone.event_ssrc, phone.rate = kind, ssrc, rate
                phone.event(code, FRAME * step, marker=step == 1, end=step == 6)
        phone.clock += 6 * FRAME

    phone.keys(press)


@habit
def one_rtp_timestamp_for_all_presses(phone: Sender) -> None:
    def press(code: int) -> None:
        clock, phone.clock = phone.clock, 0xFFFF_F000
        phone.press(code)
        phone.clock = clock + 5 * FRAME

    phone.keys(press)


@habit
def a_late_end_after_the_next_press_began(phone: Sender) -> None:
    phone.keys()
    *_, last = [
        index for index, step in enumerate(phone.steps) if isinstance(step, bytes) and step[1] & 0x7F == EVENT
    ]
    phone.steps.insert(last + 1, phone.steps[last - 7])


@habit
def redundancy(phone: Sender) -> None:
    """Each packet repeats the one before it."""
    phone.keys()
    before: Rtp | None = None
    for index, step in enumerate(phone.steps):
        assert isinstance(step, bytes)
        now = parse(step)
        offset = (now.rtp_timestamp - before.rtp_timestamp) % 2**32 if before else 0
        older = b""
        if before is not None and offset < 0x4000:
            older = (1 << 31 | before.payload_type << 24 | offset << 10 | len(before.payload)).to_bytes(
                4, "big"
            )
        wrapped = older + bytes([now.payload_type]) + (before.payload if older else b"") + now.payload
        phone.steps[index] = serialise(replace(now, payload_type=RED, payload=wrapped))
        before = now


@habit
def a_payload_type_that_a_re_INVITE_changes(phone: Sender) -> None:  # noqa: N802
    def press(code: int) -> None:
        phone.press(code)
        phone.event_type = 110
        phone.steps.append(lambda rig: tell(rig, 110))

    phone.keys(press)


@habit
def an_event_split_across_a_re_INVITE(phone: Sender) -> None:  # noqa: N802
    def press(code: int) -> None:
        phone.event(code, FRAME, marker=True)
        phone.steps.append(lambda rig: tell(rig, 110))
        phone.event_type = 110 if phone.event_type == EVENT else EVENT
        phone.press(code, marker=False)

    phone.keys(press)


def tell(rig: Rig, *more: int) -> None:
    """What was agreed on, as media/service/relayed_session.py hands it on: a type that once was an
    event's stays one."""
    rig.relay.set_types(7, bytes((EVENT, SECOND, *more)), b"", mu=bytes([MU]), red=bytes([RED]))


@pytest.fixture
def call() -> Iterator[Rig]:
    rig = Rig().connect_both()
    tell(rig)
    yield rig
    rig.close()


class Played:
    """A phone's steps through the relay; what came of them."""

    def __init__(self, rig: Rig, steps: list[Step]) -> None:
        self.rig, self.digits = rig, b""
        self.sent = rig.relay.counters(7)["caller_received"]
        for step in steps:
            if isinstance(step, bytes):
                self.sent += 1
                rig.caller.send(step)
                rig.counted("caller_received", self.sent)
            else:
                step(rig)
        self.left = everything(rig.agent.rtp)

    def captured(self, count: int) -> bytes:
        """The first `count` keys; there is no other behind them."""
        memory, taken = SecretMemory(32), 0

        def all_there() -> bool:
            nonlocal taken
            taken += self.rig.relay.take_digits(7, memory, taken)
            return taken >= count

        until(all_there)
        return bytes(memoryview(memory)[:taken])


@pytest.mark.parametrize("name", HABITS)
def test_each_key_is_captured_once_and_nothing_of_it_leaves(call: Rig, name: str):
    phone = Sender()
    HABITS[name](phone)
    call.relay.set_mask(7, True)
    call.relay.set_capture(7, True)
    played = Played(call, phone.steps)
    assert played.captured(len(KEYED)) == KEYED
    call.relay.set_mask(7, False)
    until(lambda: any(parse(each).rtp_timestamp == (phone.clock - FRAME) % 2**32 for each in played.left)
          or played.left.extend(everything(call.agent.rtp)))  # fmt: skip
    heard = [parse(each) for each in played.left]
    assert {each.payload_type for each in heard} == {MU}
    assert {each.ssrc for each in heard} == {1}
    keyed = {
        parse(step).payload
        for step in phone.steps
        if isinstance(step, bytes) and parse(step).payload_type != MU
    }
    assert not keyed & {each.payload for each in heard}
    numbers = [each.sequence_number for each in heard]
    steps = [(after - before) % 0x10000 for before, after in itertools.pairwise(numbers)]
    assert all(1 <= step < 200 for step in steps), "each number once, in order"
    assert call.relay.take_digits(7, SecretMemory(8), 0) == 0


@pytest.mark.parametrize("name", HABITS)
def test_unmasked_every_packet_crosses_as_it_came(call: Rig, name: str):
    phone = Sender()
    HABITS[name](phone)
    played = Played(call, phone.steps)
    sent = [step for step in phone.steps if isinstance(step, bytes)]
    until(lambda: len(played.left) >= len(sent) or played.left.extend(everything(call.agent.rtp)))
    assert played.left == sent


@pytest.mark.parametrize("kind", [MU, 8, 100])
def test_an_event_under_another_type_is_captured_and_leaves_neither_as_a_key_nor_as_audio(
    call: Rig, kind: int
):
    call.relay.set_types(7, bytes((EVENT, SECOND)), b"", mu=bytes([MU]), a=b"\x08", red=bytes([RED]))
    phone = Sender(event_type=kind)
    phone.keys()
    call.relay.set_mask(7, True)
    call.relay.set_capture(7, True)
    played = Played(call, phone.steps)
    assert played.captured(len(KEYED)) == KEYED
    call.relay.set_mask(7, False)
    until(lambda: any(parse(each).rtp_timestamp == (phone.clock - FRAME) % 2**32 for each in played.left)
          or played.left.extend(everything(call.agent.rtp)))  # fmt: skip
    heard = [parse(each) for each in played.left]
    assert {(each.payload_type, len(each.payload)) for each in heard} == {(MU, FRAME)}
    sent = {parse(step).payload for step in phone.steps if isinstance(step, bytes) and len(step) == 16}
    assert not sent & {each.payload for each in heard}


@pytest.mark.parametrize("kind", [MU, 8, 9])
@pytest.mark.parametrize("size", [4, 5, 6, 7, 8, 31, 32, 33, 36, 39, 40, 44, 80, 160, 161])
@pytest.mark.parametrize("filled", ["again", "zeros", "ones", "A-law silence"])
def test_no_bytes_of_an_event_leave_under_an_audio_type_whatever_fills_the_packet(
    kind: int, size: int, filled: str
):
    """Judged by the bytes that were sent."""
    core = _core.Mask(b"\x65", b"", mu=b"\0", a=b"\x08", g722=b"\x09")
    core.switch(True)
    event = struct.pack("!BBH", 7, 10, FRAME)
    filling = {"again": event, "zeros": b"\0", "ones": b"\xff", "A-law silence": b"\xd5"}[filled]
    payload = (event + filling * size)[:size]
    left: list[bytes] = []
    for number in range(60):
        is_event = number == 20
        packet = Rtp(
            kind, False, number, FRAME * number, Ssrc(1), payload if is_event else b"\xd5\xff" * (FRAME // 2)
        )
        out, _ = core.rtp(serialise(packet), 20 * number)
        left += [] if out is None else [out]
        left += core.released()
    left += core.switch(False)
    assert len(left) >= 50, "speech goes on"
    assert all(event not in parse(each).payload for each in left)


@pytest.mark.parametrize(
    "payload", [b"".join(struct.pack("!BBH", code % 10, 0x8A, 160) for code in range(10)), None]
)
def test_more_keys_than_a_packet_may_hold_end_the_capture(call: Rig, payload: bytes | None):
    """Ten events, or nine copies of one."""
    phone = Sender()
    event = struct.pack("!BBH", 4, 10, FRAME)
    head = (1 << 31 | EVENT << 24 | len(event)).to_bytes(4, "big")
    call.relay.set_mask(7, True)
    call.relay.set_capture(7, True)
    if payload is None:
        phone.send(RED, head * 9 + bytes([EVENT]) + event * 10, phone.clock)
    else:
        phone.send(EVENT, payload, phone.clock)
    events: list[tuple[int, int]] = []
    played = Played(call, phone.steps)
    until(lambda: events.extend(call.relay.take_events()) or (7, OVERFLOW) in events)
    assert call.relay.take_digits(7, SecretMemory(8), 0) == 0
    assert played.left == []


def test_keys_of_early_media_are_masked_from_the_first_packet_and_none_of_before_is_captured(call: Rig):
    early = Sender()
    early.keys()
    crossed = Played(call, early.steps)  # before the answer: an IVR hears them
    call.relay.set_mask(7, True)
    call.relay.set_capture(7, True)
    # The answer moves the agent's phone.
    call.relay.set_peer(7, 1, "127.0.0.1", 0, "127.0.0.1", 0, False)
    phone = Sender(number=early.number, clock=early.clock)
    phone.keys()
    silent = Played(call, phone.steps[:20])
    call.connect(1, call.agent)
    played = Played(call, phone.steps[20:])
    assert played.captured(len(KEYED)) == KEYED
    assert any(parse(each).payload_type == EVENT for each in crossed.left)
    assert {parse(each).payload_type for each in [*silent.left, *played.left]} <= {MU}
