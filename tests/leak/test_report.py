"""The report: it sees all of an open line, nothing of a shut one, and a mask that leaves a
piece."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.leak import __main__ as command
from tests.leak import document
from tests.leak.codec import G722, PCMA, PCMU, decoded, encoded
from tests.leak.decoders import RATE, goertzel
from tests.leak.document import filled
from tests.leak.judge import Row, heard_without, one_recording
from tests.leak.line import Line
from tests.leak.masking import Open, Shut
from tests.leak.presses import SPEECH, Condition, Recording, recording, recordings
from tests.leak.report import Asked, markdown, measure, table, voice_markdown, voice_table
from tests.leak.speech import ESPEAK
from tests.leak.voice import Talk, false_masks

CLEAN = Condition("clean", length=(0.2, 0.5), payload_types=(PCMA,))


class Late:
    """60 ms of delay; a mask that changes 40 ms of every ten seconds."""

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        cut = [
            b"\xd5" * 160 if number % 500 in {250, 251} else payload
            for number, payload in enumerate(payloads)
        ]
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
    """A mask that has no fault but is heard: silence from the first sample of each press to its
    last."""

    def __init__(self, keyed: Recording) -> None:
        self._keyed = keyed

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        pcm = decoded(payloads, payload_type).astype(float)
        for press in self._keyed.presses:
            pcm[press.first : press.last + 1] = 0
        return encoded(pcm, payload_type)


def test_what_a_mask_has_changed_is_silence_in_the_stream_that_nobody_keyed() -> None:
    keyed = recording(Condition("speech", SPEECH, 6.0, payload_types=(PCMA,)), 10, 4)
    unkeyed, left = decoded(keyed.unkeyed, PCMA), Cut(keyed).through(keyed.payloads, payload_type=PCMA)
    for delay in (0, 480):
        holed = heard_without(keyed, [b"\xd5" * delay, *left], delay)[delay:]
        pressed = np.zeros(len(holed), bool)
        for press in keyed.presses:
            pressed[press.first : press.last + 1] = True
        assert (holed[~pressed] == unkeyed[~pressed]).all()
        assert (holed[pressed] != 0).mean() < 0.1, (
            "a sample that speech and tone happen to share is not a change"
        )


def test_a_leak_is_found_behind_a_delay_too() -> None:
    assert one_recording(Late, CLEAN, 50, 1).right == 50


def test_the_table_does_not_depend_on_how_many_processes_did_it() -> None:
    alone = Row("clean")
    for number, share in enumerate((50, 10)):
        alone.add(one_recording(Open, CLEAN, share, 1_000_003 + number))
    alone.control, alone.controlled = one_recording(Open, CLEAN, 50, 1_000_003).control, 50
    assert measure(Open, [CLEAN], 60, jobs=2) == [alone]


SAID = Talk("a voice", ESPEAK[:1], 1 / 3)


@pytest.mark.parametrize(
    "condition", [CLEAN, Condition("speech", SPEECH, 12.0, length=(0.2, 0.5), payload_types=(G722,))]
)
def test_a_press_alone_is_read_on_an_open_line_and_on_a_shut_one_not(condition: Condition) -> None:
    alone = replace(condition, alone=(1.0, 1.5))
    opened, shut = one_recording(Open, alone, 20, 1), one_recording(Shut, alone, 20, 1)
    assert (opened.presses, opened.leaked["union"], opened.control) == (20, 20, shut.control)
    assert opened.right >= 19
    assert (shut.leaked, shut.right, shut.elsewhere) == ({}, 0, 0)


class Second:
    """A mask that lets the first 30 packets through, and has heard nothing of those before it."""

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        return [*payloads[:30], *[b"\xd5" * 160 for _ in payloads[30:]]]


def test_each_press_that_is_alone_has_a_mask_of_its_own() -> None:
    alone = replace(CLEAN, alone=(0.1, 0.2))
    assert one_recording(Second, alone, 20, 1).leaked["union"] == 20
    assert one_recording(Second, CLEAN, 20, 1).leaked["union"] < 3


def test_speech_may_stop_before_a_press_that_is_alone() -> None:
    condition = replace(CLEAN, background=SPEECH, below=0.0, alone=(1.0, 1.0), stops=True)
    for keyed in recordings(condition, 5, 3):
        (press,) = keyed.presses
        audio = decoded(keyed.unkeyed, keyed.payload_type)
        assert np.abs(audio[: press.first - 2500]).max() > 500
        assert np.abs(audio[press.first :]).max() <= 8, "A-law has no zero"


@pytest.mark.parametrize("payload_type", [PCMU, PCMA, G722])
def test_a_line_without_a_mask_changes_nothing_of_speech(payload_type: int) -> None:
    voice = false_masks(Open, replace(SAID, payload_type=payload_type), keys=True)
    assert (voice.delay_ms, voice.changed) == (0, ())


def test_each_piece_of_speech_that_a_mask_changed_is_measured() -> None:
    voice = false_masks(Late, SAID)
    assert voice.delay_ms == 60
    assert len(voice.changed) == 2
    assert all(30 < ms <= 40 for ms in voice.changed)


class Long:
    """A mask that shuts for half a second from each key on."""

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        pcm = decoded(payloads, payload_type)
        for one in goertzel(pcm):
            pcm[one.sample : one.sample + RATE // 2] = 8
        return encoded(pcm, payload_type)


def test_what_is_changed_near_a_key_is_its_own_and_what_is_changed_later_is_counted() -> None:
    voice = false_masks(Long, SAID, keys=True)
    assert voice.keys == len(voice.changed) == voice.soon == 2
    assert all(100 < ms < 400 for ms in voice.changed)
    assert false_masks(Open, SAID, keys=True).changed == ()


def test_the_table_is_printed_for_people_and_for_the_documentation() -> None:
    row = one_recording(Open, CLEAN, 5, 1)
    console = Console(file=io.StringIO(), width=200)
    console.print(table([row], "Open"))
    assert isinstance(console.file, io.StringIO)
    for text in (console.file.getvalue(), markdown([row])):
        assert "clean" in text
        assert "100.0 %" in text
    assert {line.count("|") for line in markdown([row]).splitlines()} == {11}


def test_the_table_of_speech_is_printed_too() -> None:
    voice = false_masks(Late, SAID, keys=True)
    console = Console(file=io.StringIO(), width=200)
    console.print(voice_table([voice], "Late"))
    assert isinstance(console.file, io.StringIO)
    for text in (console.file.getvalue(), voice_markdown([voice])):
        assert "a voice" in text
    assert {line.count("|") for line in voice_markdown([voice]).splitlines()} == {8}


PLACES = ("mask", command.LINES, *command.VOICES, "made", f"made: {command.LINES}")
PAGE = "Before.\n<!-- mask -->\nold\n<!-- end of mask -->\nAfter.\n"


def test_a_table_is_written_between_its_markers_and_nothing_else_is_touched() -> None:
    once = filled(PAGE, {"mask": "| a | \\1 |\n"})
    assert once == PAGE.replace("old\n", "| a | \\1 |\n")
    assert filled(once, {"mask": "old\n"}) == PAGE
    for page in (PAGE + PAGE, "", PAGE.replace("end of", "")):
        with pytest.raises(document.NoPlace):
            filled(page, {"mask": ""})


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page in place of the real one, and a plan of one row in each of two tables."""
    for name in ("PAGE", "DRAFT"):
        monkeypatch.setattr(document, name, tmp_path / name.lower())
    document.PAGE.write_text("".join(f"<!-- {name} -->\n<!-- end of {name} -->\n" for name in PLACES))
    plan = {"mask": CLEAN, command.LINES: replace(CLEAN, name="lossy", line=Line(80, 0.1))}
    monkeypatch.setattr(
        command,
        "sections",
        lambda _, presses: {name: [Asked(Shut, each, presses)] for name, each in plan.items()},
    )
    monkeypatch.setattr(command, "talks", lambda _: [SAID])
    return document.PAGE


def test_the_page_takes_ten_thousand_presses_and_fewer_go_to_a_draft(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = page.read_text()
    assert command.main(["--presses=10", "--jobs=1"]) == 0
    assert page.read_text() == before
    assert "| clean | 10 |" in document.DRAFT.read_text()
    assert "10,000 presses" in capsys.readouterr().out
    monkeypatch.setattr(document, "ENOUGH", 10)
    assert command.main(["--presses=10", "--jobs=1"]) == 0
    assert "| clean | 10 |" in page.read_text()
    assert "| a voice |" in page.read_text()


def test_lines_that_lose_packets_have_a_command_that_writes_their_table_alone(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "ENOUGH", 10)
    assert command.main(["--lines", "--presses=10", "--jobs=1"]) == 0
    assert "| lossy | 10 |" in page.read_text()
    assert "--lines" in page.read_text()
    assert "| clean |" not in page.read_text()
    assert "| a voice |" not in page.read_text()


def test_a_listener_that_is_deaf_fails_the_command(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faint = replace(CLEAN, level=(-70.0, -65.0), line=Line(80))
    monkeypatch.setattr(command, "IMPAIRED", (faint,))
    monkeypatch.setattr(
        command, "sections", lambda _, presses: {command.LINES: [Asked(Shut, faint, presses)]}
    )
    assert command.main(["--lines", "--presses=10", "--jobs=1"]) == 1


@pytest.mark.parametrize(("mask", "code"), [("Shut", 0), ("Open", 1)])
def test_the_command_fails_where_something_was_read(
    mask: str, code: int, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(command, "REQUIRED", (CLEAN,))
    for name in ("SHOWN", "ALONE", "OTHERS", "IMPAIRED"):
        monkeypatch.setattr(command, name, ())
    assert command.main([f"tests.leak.masking:{mask}", "--presses=10", "--no-speech", "--jobs=1"]) == code


def test_the_real_page_has_a_place_for_every_table() -> None:
    names = [*command.sections(None, 10), *command.VOICES, "made", f"made: {command.LINES}"]
    assert filled(document.PAGE.read_text(), dict.fromkeys(names, ""))
