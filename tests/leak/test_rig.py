"""Controls of the rig: it hears every key that is not masked, and hardly any in speech; each piece
does what it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.leak.codec import G722, PCMA, PCMU, amplitude, dbm0, decoded, encoded, transcoded
from tests.leak.decoders import DECODERS, KEYS, RATE, Heard, together, union
from tests.leak.presses import NOISE, SPEECH, Condition, Recording, dual_tone, recording, talking
from tests.leak.speech import ESPEAK, VOICES, active_power, voice

every_decoder = pytest.mark.parametrize("name", DECODERS)
every_codec = pytest.mark.parametrize("payload_type", [PCMU, PCMA, G722])
SLACK = RATE // 20  # a decoder may speak up to 50 ms after a press has ended


def missed(keyed: Recording) -> list[str]:
    """The presses, without their digits, that no decoder reads."""
    heard = [one for all_ in union(decoded(keyed.payloads, keyed.payload_type)).values() for one in all_]
    return [
        f"{press.level:.1f} dBm0, twist {press.twist:.1f} dB, {(press.last - press.first) / 8:.0f} ms"
        for press in keyed.presses
        if not any(
            one.digit == press.digit and press.first <= one.sample <= press.last + SLACK for one in heard
        )
    ]


# --- codecs ---------------------------------------------------------------------------------------


@every_codec
@pytest.mark.parametrize("level", [-3.0, -20.0, -36.0])
def test_a_sine_keeps_its_level_in_every_codec(payload_type: int, level: float) -> None:
    sine = amplitude(level) * np.sin(2 * np.pi * 1004 * np.arange(RATE) / RATE)
    heard = decoded(encoded(sine, payload_type), payload_type)[800:-800].astype(np.float64)
    assert dbm0(float((heard**2).mean())) == pytest.approx(level, abs=0.3)


@pytest.mark.parametrize(("payload_type", "loudest"), [(PCMA, 32256), (PCMU, 32124)])
def test_every_code_of_g711_is_the_nearest_to_what_it_stands_for(payload_type: int, loudest: int) -> None:
    values = decoded([bytes(range(256))], payload_type)
    assert (values.max(), values.min()) == (loudest, -loudest)
    again = decoded(encoded(values, payload_type), payload_type)[:256]
    assert (again == values).all()


def test_a_transcode_from_one_law_to_the_other_hardly_changes_what_is_heard() -> None:
    tone = dual_tone("5", RATE, (-10, -10))
    twice = decoded(transcoded(encoded(tone, PCMA), PCMA, PCMU), PCMU)
    noise = float(((twice - tone) ** 2).mean())
    assert dbm0(noise) < -40


# --- decoders -------------------------------------------------------------------------------------


@every_decoder
@pytest.mark.parametrize("length", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("level", [-3.5, -15.0, -30.0])
def test_each_decoder_reads_all_sixteen_keys_at_sane_levels(name: str, length: float, level: float) -> None:
    tone = [
        np.concatenate([np.zeros(805), dual_tone(key, int(length * RATE), (level, level))]) for key in KEYS
    ]
    heard = DECODERS[name](decoded(encoded(np.concatenate([*tone, np.zeros(800)]), PCMA), PCMA))
    assert "".join(one.digit for one in heard) == KEYS


@every_decoder
def test_each_decoder_says_when_it_heard(name: str) -> None:
    at = (4000, 9010, 23333)
    audio = np.zeros(30000)
    for start in at:
        audio[start : start + 800] = dual_tone("7", 800, (-12, -12))
    heard = DECODERS[name](audio.astype(np.int16))
    assert len(heard) == len(at)
    assert all(0 < one.sample - start < 400 for one, start in zip(heard, at, strict=True))


@every_decoder
def test_no_decoder_reads_a_key_from_one_tone_or_from_nothing(name: str) -> None:
    one_tone = 5000 * np.sin(2 * np.pi * 770 * np.arange(RATE) / RATE)
    noise = np.random.default_rng(1).normal(0, 3000, 10 * RATE)
    for audio in (np.zeros(0), np.zeros(RATE), one_tone, noise):
        assert DECODERS[name](audio.astype(np.int16)) == []


def test_what_several_hear_at_one_moment_is_one_digit_and_two_presses_are_two() -> None:
    first = {"a": [Heard("5", 1000)], "b": [Heard("5", 1200)], "c": [Heard("8", 1300)]}
    assert together(first) == [Heard("5", 1000)]
    assert together({"a": [Heard("5", 1000), Heard("6", 1300)]}) == [Heard("5", 1000), Heard("6", 1300)]
    assert together({"a": [Heard("5", 1000), Heard("5", 3000)]}) == [Heard("5", 1000), Heard("5", 3000)]
    assert together({"a": [Heard("5", 1000), Heard("5", 1320), Heard("5", 1640)]}) == [Heard("5", 1000)]


# --- controls -------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [-30.0, -20.0, -10.0, -3.0])
def test_every_press_that_is_not_masked_is_read(level: float) -> None:
    assert missed(recording(Condition("one level", level=(level, level)), 150, seed=int(-level))) == []


@pytest.mark.parametrize(
    "condition",
    [
        Condition("a gateway between two laws", transcode=True),
        Condition("wideband", payload_types=(G722,)),
        Condition("noise", NOISE, 12.0),
        Condition("speech", SPEECH, 12.0, voices=ESPEAK),
    ],
    ids=lambda condition: condition.name,
)
def test_every_press_that_is_not_masked_is_read_whatever_it_went_through(condition: Condition) -> None:
    assert missed(recording(condition, 150, seed=4)) == []


def test_hardly_any_key_is_read_from_speech_alone(record_property: Callable[[str, object], None]) -> None:
    minutes = 3
    heard = union(decoded(talking(60 * minutes, seed=3).payloads, PCMA))
    record_property("keys_a_minute_of_speech", len(together(heard)) / minutes)
    assert len(together(heard)) <= minutes, {name: len(all_) for name, all_ in heard.items()}


# --- presses --------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    condition = Condition("speech", SPEECH, 6.0, voices=ESPEAK[:2])
    assert recording(condition, 5, seed=1) == recording(condition, 5, seed=1)
    assert recording(condition, 5, seed=1).payloads != recording(condition, 5, seed=2).payloads


def test_presses_keep_to_their_condition() -> None:
    keyed = recording(Condition("clean"), 400, seed=1)
    assert {len(payload) for payload in keyed.payloads} == {160}
    assert {press.digit for press in keyed.presses} == set(KEYS)
    levels, twists = [press.level for press in keyed.presses], [press.twist for press in keyed.presses]
    lengths = [(press.last - press.first + 1) / RATE for press in keyed.presses]
    for drawn, (low, high) in ((levels, (-30, -3)), (twists, (-6, 6)), (lengths, (0.0399, 0.5))):
        span = high - low
        assert low <= min(drawn) < low + span / 20
        assert high - span / 20 < max(drawn) <= high
    pauses = [
        (later.first - one.last) / RATE for one, later in zip(keyed.presses, keyed.presses[1:], strict=False)
    ]
    assert min(pauses) >= 0.04


@pytest.mark.parametrize(("background", "below"), [(NOISE, 6.0), (SPEECH, 6.0), (SPEECH, 0.0)])
def test_a_background_lies_as_far_below_the_tones_as_the_condition_says(
    background: str, below: float
) -> None:
    condition = Condition("loud", background, below, level=(-20, -20), twist=(0, 0), voices=ESPEAK[:3])
    keyed = recording(condition, 60, seed=2)
    audio = decoded(keyed.payloads, keyed.payload_type).astype(np.float64)
    for press in keyed.presses:
        audio[press.first : press.last + 1] = 0
    level = dbm0(active_power(audio[audio != 0]))
    assert level == pytest.approx(-20 + 10 * np.log10(2) - below, abs=1.0)


@pytest.mark.parametrize("name", VOICES[::3])
def test_a_voice_has_no_long_pauses_and_the_level_that_it_says(name: str) -> None:
    samples = voice(name)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    loud = (frames**2).mean(1) > active_power(samples) / 1000
    assert dbm0(active_power(samples)) == pytest.approx(0, abs=0.01)
    assert loud.mean() > 0.7
    assert len(samples) > 5 * RATE
