"""What a preflight says of lines that send keys in each way, and of captures of real ones."""

from __future__ import annotations

import random

import pytest

from b2bua.preflight.audio_facts import AudioFacts, measure_audio
from b2bua.preflight.description import Description, Format, parse_description
from b2bua.preflight.key_facts import KeyFacts, measure_keys
from b2bua.preflight.observation import Info, Leg, Pressed
from b2bua.preflight.presses import find_events
from b2bua.preflight.rtp import parse_packet
from tests.leak.carriers import CAPTURES, captures, replay
from tests.line_habits import PACE, Habit, write_keys

ASKED = "4917305826"
AGREED = Description(
    host="192.0.2.1",
    port=4000,
    protocol="RTP/AVP",
    formats=(Format(8, "PCMA", 8000), Format(0, "PCMU", 8000), Format(101, "telephone-event", 8000)),
    ptime=20,
)
SOURCE = ("192.0.2.1", 4000)


def line(habit: Habit, *, jitter: float = 0.0, remote: Description = AGREED, keys: str = ASKED) -> Leg:
    """A leg with what such a carrier sends; jitter in seconds, and nothing is overtaken."""
    leg, chance = Leg(is_ours=False, began_at=0.0, answered_at=0.1), random.Random(7)
    leg.remote = remote
    arrival = 0.0
    for at, octets in write_keys(keys, habit):
        arrival = max(arrival, 1.0 + at + chance.uniform(0, jitter))
        packet = parse_packet(octets, arrival, SOURCE)
        assert packet is not None
        leg.packets.append(packet)
    return leg


def measured(habit: Habit, jitter: float = 0.0, remote: Description = AGREED) -> KeyFacts:
    facts = measure_keys(line(habit, jitter=jitter, remote=remote), [Pressed(key) for key in ASKED])
    assert facts.right == facts.arrived == len(ASKED)
    return facts


@pytest.mark.parametrize("jitter", [0.0, 0.015])
def test_events_are_read_with_their_habits(jitter: float) -> None:
    facts = measured(Habit(), jitter)
    assert (facts.as_events, facts.as_tones, facts.as_both, facts.doubled) == (10, 0, 0, 0)
    events = facts.events
    assert (events.payload_types, events.agreed, events.clock, events.agreed_clock) == (
        [101],
        [101],
        8000,
        8000,
    )
    assert (events.ends, events.unmarked, events.own_ssrc, events.audio_between) == (3, 0, False, 0)
    assert 15 <= events.update <= 25
    assert 80 <= events.shortest <= events.longest <= 120
    assert 100 <= events.apart <= 140


@pytest.mark.parametrize("clock", [8000, 16000, 48000])
def test_the_clock_of_events_is_measured_and_not_believed(clock: int) -> None:
    facts = measured(Habit(clock=clock), 0.005)
    assert (facts.events.clock, facts.events.agreed_clock) == (clock, 8000)


def test_an_event_type_that_nobody_agreed_on_is_seen() -> None:
    facts = measured(Habit(event_type=96))
    assert (facts.events.payload_types, facts.events.agreed, facts.events.agreed_clock) == ([96], [101], 0)


def test_habits_of_packets_are_seen() -> None:
    events = measured(Habit(ends=1, marks=False, own_ssrc=True)).events
    assert (events.ends, events.unmarked, events.own_ssrc) == (1, 10, True)
    assert measured(Habit(audio_between=True)).events.audio_between >= 30


@pytest.mark.parametrize("codec", [0, 8])
def test_tones_alone_are_keys(codec: int) -> None:
    facts = measured(Habit(event=0, tone=5, codec=codec))
    assert (facts.as_events, facts.as_tones, facts.as_both) == (0, 10, 0)


def test_an_event_with_its_tone_is_one_key_with_lead_and_tail() -> None:
    facts = measured(Habit(lead=3, tail=6, apart=20))
    assert facts.as_events == facts.as_both == 10
    assert 30 <= facts.lead <= 90
    assert 90 <= facts.tail <= 150


@pytest.mark.parametrize(
    "habit", [Habit(copies=2), Habit(event=0, tone=5, copies=2, lead=0), Habit(copies=2, clock=16000)]
)
def test_a_key_that_comes_twice_is_doubled(habit: Habit) -> None:
    if not habit.event:  # two tones without a pause are one
        habit = Habit(event=0, tone=5, apart=4)
        leg = line(habit, keys="".join(key * 2 for key in ASKED))
    else:
        leg = line(habit)
    facts = measure_keys(leg, [Pressed(key) for key in ASKED])
    assert (facts.arrived, facts.doubled, facts.right) == (10, 10, 10)


def test_infos_are_keys_too() -> None:
    leg = line(Habit(event=0, tone=0))
    leg.infos = [Info(1.0 + number, key) for number, key in enumerate(ASKED)]
    facts = measure_keys(leg, [Pressed(key) for key in ASKED])
    assert (facts.as_infos, facts.as_events, facts.as_tones, facts.right) == (10, 0, 0, 10)


def test_lost_keys_are_missed_and_nothing_is_invented() -> None:
    leg = line(Habit(), keys=ASKED[:4] + ASKED[6:])
    facts = measure_keys(leg, [Pressed(key) for key in ASKED])
    assert (facts.right, facts.arrived) == (8, 8)
    silent = measure_keys(line(Habit(event=0)), [Pressed(key) for key in ASKED])
    assert (silent.arrived, silent.as_tones, silent.right) == (0, 0, 0)


def test_the_delay_is_that_of_the_median_key() -> None:
    leg = line(Habit())
    began = [event.began_at for event in find_events(leg.packets, [101])]
    pressed = [Pressed(key, at - 0.123) for key, at in zip(ASKED, began, strict=True)]
    assert measure_keys(leg, pressed).latency == pytest.approx(123, abs=1)


def test_only_what_comes_after_a_time_counts() -> None:
    leg = line(Habit())
    assert measure_keys(leg, since=leg.packets[-1].at + 1).arrived == 0


def test_a_long_press_in_segments_is_one_key() -> None:
    leg = Leg(is_ours=False, began_at=0.0)
    leg.remote = AGREED
    for number, (stamp, payload) in enumerate(
        [(0, b"\x05\x0a\xff\xff"), (0xFFFF, b"\x05\x0a\x00\xa0"), (0xFFFF, b"\x05\x8a\x01\x40")]
    ):
        header = bytes([0x80, 101, 0, number]) + stamp.to_bytes(4, "big") + bytes(4)
        packet = parse_packet(header + payload, number * 0.02, SOURCE)
        assert packet is not None
        leg.packets.append(packet)
    (event,) = find_events(leg.packets, [101])
    assert (event.duration, event.ends) == (0xFFFF + 0x140, 1)


def test_audio_is_measured() -> None:
    audio = measure_audio(line(Habit(), jitter=0.004))
    assert (audio.codec, audio.ptime, audio.said_ptime) == ("PCMA", 20, 20)
    assert (audio.lost, audio.late, audio.copies, audio.restarts, audio.pauses) == (0, 0, 0, 0, 0)
    assert 0 < audio.jitter < 4
    assert (audio.is_elsewhere, audio.source) == (False, "192.0.2.1:4000")
    assert measure_audio(line(Habit(ptime=2, apart=6), jitter=0)).ptime == 40


def test_loss_order_copies_and_silence_are_counted() -> None:
    lossy = measure_audio(line(Habit(loses=10)))
    assert 0.09 < lossy.loss < 0.11
    leg = line(Habit())
    leg.packets[5:7] = [leg.packets[6], leg.packets[5], leg.packets[5]]
    shuffled = measure_audio(leg)
    assert (shuffled.late, shuffled.copies, shuffled.lost) == (1, 1, 0)
    silent = measure_audio(line(Habit(event=0, tone=5, silent=True)))
    assert silent.pauses == len(ASKED) - 1
    assert silent.lost == 0
    assert silent.longest_gap >= 6 * PACE * 1000


def test_early_and_misplaced_media_are_seen() -> None:
    leg = line(Habit())
    leg.answered_at = leg.packets[4].at
    assert measure_audio(leg).early == 4
    leg.remote = Description(host="10.0.0.9", port=4000, formats=AGREED.formats)
    assert measure_audio(leg).is_elsewhere
    assert measure_audio(Leg(is_ours=True, began_at=0.0)) == AudioFacts()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x80",
        bytes(12),
        b"\x9f\x00" + bytes(10),
        b"\x90\x00" + bytes(12) + b"\xff\xff",
        b"\xa0\x00" + bytes(9) + b"\xff",
    ],
)
def test_what_is_no_packet_is_none(octets: bytes) -> None:
    assert parse_packet(octets, 0.0, SOURCE) is None


def test_a_capture_of_a_real_carrier_is_read() -> None:
    """Its file's name has the keys."""
    found = next((path for path in captures() if path.name.startswith("ulaw")), None)
    if found is None:
        pytest.xfail(f"no captures of real carriers: {CAPTURES} names no folder with one")
    keys = found.stem.partition("-")[2]
    leg = Leg(is_ours=False, began_at=0.0)
    leg.remote = parse_description("v=0\r\nm=audio 4 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n")
    for time, sent in replay(found):
        packet = parse_packet(bytes(sent), time, SOURCE)
        assert packet is not None
        leg.packets.append(packet)
    facts = measure_keys(leg, [Pressed(key) for key in keys])
    assert (facts.right, facts.arrived, facts.doubled) == (len(keys), len(keys), 0)
    assert facts.events.clock == 8000
    assert measure_audio(leg).ptime == 20
