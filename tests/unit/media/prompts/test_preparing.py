"""Preparing prompts: a company's files over the shipped ones, decoded once, and what is wrong with
them."""

from __future__ import annotations

import os
import struct
import wave
from pathlib import Path

import pytest

from media.formats.coding import Coding
from media.formats.g711 import decode_sample
from media.prompts.encoding import BadAudio, encode_file
from media.prompts.process import examine, prepare
from media.prompts.sentences import SENTENCES
from media.prompts.shelf import NoPrompt, PromptShelf
from media.prompts.sources import SHIPPED_FILES, list_sources, missing_names
from media.prompts.tones import TONES
from media.settings import PromptSettings
from tests.complaints import permit_error


def write_wave(
    path: Path, seconds: float = 0.1, rate: int = 8000, level: int = 8000, channels: int = 1
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = [
            level if i // 20 % 2 else -level for i in range(round(seconds * rate)) for _ in range(channels)
        ]
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 1), (44100, 2), (48000, 1)])
def test_a_file_of_any_rate_becomes_8_octets_a_millisecond(tmp_path, rate, channels):
    write_wave(tmp_path / "x.wav", 0.5, rate, channels=channels)
    encoded = encode_file(tmp_path / "x.wav")
    assert encoded.keys() == set(Coding)
    for octets in encoded.values():
        assert len(octets) % 160 == 0
        assert 3840 <= len(octets) <= 4320
    assert encode_file(tmp_path / "x.wav") == encoded


def test_both_laws_hold_the_samples_of_the_file(tmp_path):
    write_wave(tmp_path / "x.wav", 0.1)
    encoded = encode_file(tmp_path / "x.wav")
    for law in (Coding.MU, Coding.A):
        samples = [decode_sample(law, code) for code in encoded[law][:800]]
        assert all(abs(abs(sample) - 8000) < 260 for sample in samples)


def test_what_cannot_be_played_says_why(tmp_path):
    write_wave(tmp_path / "long.wav", 121)
    write_wave(tmp_path / "empty.wav", 0)
    (tmp_path / "text.wav").write_bytes(b"no audio at all" * 99)
    with (tmp_path / "large.wav").open("wb") as file:
        file.truncate((20 << 20) + 1)
    for name, why in (
        ("long", "longer than 120 s"),
        ("empty", "no audio"),
        ("text", "no audio that FFmpeg reads"),
        ("large", "more than 20 MB"),
        ("absent", "No such file"),
    ):
        with pytest.raises(BadAudio, match=why):
            encode_file(tmp_path / f"{name}.wav")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of the company's own."""
    folder = tmp_path / "house"
    write_wave(folder / "en" / "card_number.wav")
    monkeypatch.setenv("TONEWALL_SECTIONS", "prompts house")
    monkeypatch.setenv("TONEWALL_PROMPTS__HOUSE_DIRECTORY", str(folder))
    return folder


def recording(into: Path, name: str, prompt_set: str = "house", language: str = "en") -> int:
    (found,) = PromptShelf(into).recordings([name], Coding.MU, prompt_set=prompt_set, language=language)
    return len(found)


def test_own_files_stand_over_the_shipped_ones(tmp_path, house):
    assert prepare(tmp_path / "into") == 0
    assert recording(tmp_path / "into", "card_number") == 800
    assert recording(tmp_path / "into", "card_number", "placeholder") > 8000
    assert recording(tmp_path / "into", "expiry") == recording(tmp_path / "into", "expiry", "placeholder")
    with pytest.raises(NoPrompt):  # only languages that the set has
        recording(tmp_path / "into", "expiry", language="pl")


def test_a_set_without_placeholders_has_its_own_files_alone(tmp_path, house, monkeypatch):
    monkeypatch.setenv("TONEWALL_PROMPTS__HOUSE_PLACEHOLDERS", "no")
    assert prepare(tmp_path / "into") == 0
    assert recording(tmp_path / "into", "card_number") == 800
    with pytest.raises(NoPrompt):
        recording(tmp_path / "into", "expiry")


def test_tones_stand_in_for_missing_ones_in_any_language(tmp_path, house, monkeypatch):
    write_wave(house / "de" / "card_number.wav")
    write_wave(house / "de" / "tone-wrong.wav", 0.2)
    prepare(tmp_path / "into")
    assert recording(tmp_path / "into", "tone-wrong", language="de") == 1600
    shipped = recording(tmp_path / "into", "tone-done", "placeholder")
    assert recording(tmp_path / "into", "tone-done", language="de") == shipped
    with pytest.raises(NoPrompt):
        recording(tmp_path / "into", "expiry", language="de")
    sources = list_sources(PromptSettings(directory=house, placeholders=False))
    assert {"tone-complete", "tone-done"} <= set(missing_names(sources, "de"))


def test_only_what_has_changed_is_encoded_again_and_what_is_gone_goes(tmp_path, house):
    write_wave(house / "en" / "amount.wav")
    prepare(tmp_path / "into")
    own = tmp_path / "into" / "house" / "en"
    before = {each.name: each.stat().st_ino for each in own.iterdir()}
    write_wave(house / "en" / "card_number.wav", 0.2)
    os.utime(house / "en" / "card_number.wav", (1, 1))
    (house / "en" / "amount.wav").unlink()
    (own / ".half.ulaw").write_bytes(b"x")
    prepare(tmp_path / "into")
    after = {each.name: each.stat().st_ino for each in own.iterdir()}
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed == {
        f"{name}.{suffix}" for name in ("card_number", "amount") for suffix in ("ulaw", "alaw", "g722")
    }
    assert before.keys() == after.keys()  # `amount` is the shipped one again
    assert recording(tmp_path / "into", "card_number") == 1600


def test_a_file_that_cannot_be_decoded_keeps_no_other_from_being_prepared(tmp_path, house, capsys):
    permit_error("prompt_not_prepared")
    (house / "en" / "expiry.wav").write_bytes(b"junk" * 100)
    (house / "en" / "Notes.txt").write_text("x")
    assert prepare(tmp_path / "into") == 0
    assert recording(tmp_path / "into", "card_number") == 800
    assert examine() == 1
    said = capsys.readouterr().out
    assert "expiry.wav: no audio that FFmpeg reads" in said
    assert "Notes.txt: no prompt by its name" in said
    assert f"placeholder pl: {len(SENTENCES['pl']) + len(TONES)} prompts\n" in said


def test_a_set_that_is_not_there_is_said(tmp_path, monkeypatch):
    permit_error("prompts_not_prepared")
    monkeypatch.setenv("TONEWALL_SECTIONS", "prompts gone")
    monkeypatch.setenv("TONEWALL_PROMPTS__GONE_DIRECTORY", str(tmp_path / "gone"))
    assert prepare(tmp_path / "into") == 1
    assert examine() == 1


def test_every_sentence_and_tone_is_shipped_and_nothing_else():
    shipped = {(each.language, each.name) for each in list_sources(None)}
    assert shipped == {(language, name) for language, each in SENTENCES.items() for name in (*each, *TONES)}
    assert sum(each.stat().st_size for each in SHIPPED_FILES.rglob("*.opus")) < 1_500_000


def test_both_languages_say_the_same_things():
    english, polish = (
        {name for name in SENTENCES[language] if not name.startswith(("number-", "currency-"))}
        for language in ("en", "pl")
    )
    assert english == polish


def test_a_shelf_keeps_within_its_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("media.prompts.shelf.MOST_OCTETS", 2500)
    folder = tmp_path / "s" / "en"
    folder.mkdir(parents=True)
    for name in "abcd":
        (folder / f"{name}.ulaw").write_bytes(bytes(1000))
    shelf = PromptShelf(tmp_path)

    def get(name: str) -> object:
        return shelf.recordings([name], Coding.MU, prompt_set="s", language="en")[0]

    first = get("a")
    assert get("a") is first
    get("b")
    assert get("a") is first
    get("c")
    assert get("a") is first  # `b` was not played for longest
    (folder / "b.ulaw").write_bytes(bytes(10))
    assert len(get("b")) == 10
    (folder / "e.ulaw").write_bytes(bytes(120 * 8000 + 1))
    with pytest.raises(NoPrompt, match="longer"):
        get("e")
    with pytest.raises(NoPrompt, match="no prompts"):
        PromptShelf().recordings(["a"], Coding.MU, prompt_set="s", language="en")


def test_the_settings_name_a_directory(tmp_path):
    settings = PromptSettings(directory=tmp_path)
    assert settings.placeholders is True
