"""The report: it sees all of an open line, nothing of a shut one, and a mask that leaves a piece."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.leak import __main__ as command
from tests.leak.codec import G722, PCMA, PCMU, decoded, encoded
from tests.leak.masking import Open, Shut
from tests.leak.presses import SPEECH, Condition, Recording, recording
from tests.leak.report import Row, false_masks, heard_without, markdown, measure, one_recording, table

CLEAN = Condition("clean", length=(0.2, 0.5), payload_types=(PCMA,))


class Late:
    """60 ms of delay; a mask that changes 40 ms of every ten seconds."""

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        cut = [b"\xd5" * 160 if number % 500 in {250, 251} else payload for number, payload in enumerate(payloads)]
        return [b"\xd5" * 160] * 3 + cut


def test_an_open_line_leaks_every_press_and_a_shut_one_none() -> None:
    opened, shut = one_recording(Open, CLEAN, 50, 1), one_recording(Shut, CLEAN, 50, 1)
    assert (opened.presses, opened.leaked["union"], opened.right) == (50, 50, 50)
    assert opened.leaked == opened.control == shut.control
    assert (shut.leaked, shut.right, shut.elsewhere) == ({}, 0, 0)


class Erased:
    """A mask that has no fault: the same stream without the presses."""

    def __init__(self, stream: list[bytes]) -> None:
        self._stream = stream

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        return self._stream


def test_a_key_that_speech_itself_holds_is_no_leak() -> None:
    condition = Condition("speech", SPEECH, 6.0, level=(-20, -10))
    unkeyed = recording(condition, 50, 4).unkeyed  # two decoders read a key in it
    row = one_recording(lambda: Erased(unkeyed), condition, 50, 4)
    assert (row.leaked, row.right, row.elsewhere) == ({}, 0, 0)
    assert row.speech == 2
    opened = one_recording(Open, condition, 50, 4)
    assert opened.leaked["union"] >= 49


class Cut:
    """A mask that has no fault but is heard: silence from the first sample of each press to its last."""

    def __init__(self, keyed: Recording) -> None:
        self._keyed = keyed

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        pcm = decoded(payloads, payload_type).astype(float)
        for press in self._keyed.presses:
            pcm[press.first : press.last + 1] = 0
        return encoded(pcm, payload_type)


def test_what_a_mask_has_changed_is_silence_in_the_stream_that_nobody_keyed() -> None:
    keyed = recording(Condition("speech", SPEECH, 6.0, payload_types=(PCMA,)), 10, 4)
    unkeyed, left = decoded(keyed.unkeyed, PCMA), decoded(Cut(keyed).through(keyed.payloads, payload_type=PCMA), PCMA)
    for delay in (0, 480):
        holed = heard_without(keyed, np.concatenate([np.zeros(delay, np.int16), left]))[delay:]
        pressed = np.zeros(len(holed), bool)
        for press in keyed.presses:
            pressed[press.first : press.last + 1] = True
        assert (holed[~pressed] == unkeyed[~pressed]).all()
        assert (holed[pressed] != 0).mean() < 0.1, "a sample that speech and tone happen to share is not a change"


def test_a_leak_is_found_behind_a_delay_too() -> None:
    assert one_recording(Late, CLEAN, 50, 1).right == 50


def test_the_table_does_not_depend_on_how_many_processes_did_it() -> None:
    alone = Row("clean")
    for number, share in enumerate((50, 10)):
        alone.add(one_recording(Open, CLEAN, share, 1_000_003 + number))
    assert measure(Open, [CLEAN], 60, jobs=2) == [alone]


@pytest.mark.parametrize("payload_type", [PCMU, PCMA, G722])
def test_a_line_without_a_mask_changes_nothing_of_speech(payload_type: int) -> None:
    voice = false_masks(Open, 20, 1, payload_type=payload_type)
    assert (voice.delay_ms, voice.changed) == (0, ())


def test_each_piece_of_speech_that_a_mask_changed_is_measured() -> None:
    voice = false_masks(Late, 20, 1, payload_type=PCMA)
    assert voice.delay_ms == 60
    assert len(voice.changed) == 2
    assert all(30 < ms <= 40 for ms in voice.changed)


def test_the_table_is_printed_for_people_and_for_the_documentation() -> None:
    row = one_recording(Open, CLEAN, 5, 1)
    console = Console(file=io.StringIO(), width=200)
    console.print(table([row], "Open"))
    assert isinstance(console.file, io.StringIO)
    for text in (console.file.getvalue(), markdown([row])):
        assert "clean" in text
        assert "100.0 %" in text
    assert {line.count("|") for line in markdown([row]).splitlines()} == {11}


@pytest.mark.parametrize(("mask", "code"), [("Shut", 0), ("Open", 1)])
def test_the_command_fails_where_something_was_read(
    mask: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "REQUIRED", (CLEAN,))
    monkeypatch.setattr(command, "SHOWN", ())
    page = tmp_path / "table.md"
    asked = [f"tests.leak.masking:{mask}", "--presses=10", "--minutes=0.1", "--jobs=1", f"--markdown={page}"]
    assert command.main(asked) == code
    assert "Speech alone" in page.read_text()
