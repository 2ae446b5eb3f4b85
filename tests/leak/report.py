"""How much of random key presses is read behind a mask, condition by condition, and what the mask
costs a voice.

Work is cut into recordings of 50 presses, each with a seed of its own: the tables do not depend on
how many processes did it. One recording in ten is heard without a mask too."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tests.leak.codec import G722, PACKET
from tests.leak.decoders import DECODERS
from tests.leak.judge import Row, one_recording
from tests.leak.line import Line
from tests.leak.masking import Masker
from tests.leak.presses import NOISE, SPEECH, Condition
from tests.leak.speech import HELD_OUT
from tests.leak.voice import Talk, Voice, false_masks

A_RECORDING = 50  # presses
_CONTROLS = 10  # recordings, of which one has its control

# Under these nothing may be read.
REQUIRED = (
    Condition("clean"),
    Condition("clean, transcoded", transcode=True),
    Condition("noise 12 dB below", NOISE, 12.0),
    Condition("noise 6 dB below, transcoded", NOISE, 6.0, transcode=True),
    Condition("speech 20 dB below", SPEECH, 20.0),
    Condition("speech 12 dB below", SPEECH, 12.0),
    Condition("speech 12 dB below, transcoded", SPEECH, 12.0, transcode=True),
    Condition("speech 6 dB below", SPEECH, 6.0),
    Condition("speech 6 dB below, transcoded", SPEECH, 6.0, transcode=True),
    Condition("G.722, clean", payload_types=(G722,)),
    Condition("G.722, speech 6 dB below", SPEECH, 6.0, payload_types=(G722,)),
)
# Under these the figure is printed as it is.
SHOWN = (
    Condition("speech 3 dB below", SPEECH, 3.0),
    Condition("speech as loud", SPEECH, 0.0),
    Condition("speech 6 dB above", SPEECH, -6.0),
)
# As people press keys: each the first that the mask hears.
_FIRST = (1.0, 3.0)
ALONE = (
    Condition("alone, clean", alone=_FIRST),
    Condition("alone, after speech", SPEECH, 6.0, alone=_FIRST, stops=True),
    Condition("alone, noise 6 dB below", NOISE, 6.0, alone=_FIRST),
    Condition("alone, speech 12 dB below", SPEECH, 12.0, alone=_FIRST),
    Condition("alone, speech 6 dB below", SPEECH, 6.0, alone=_FIRST),
    Condition("alone, speech 6 dB below, transcoded", SPEECH, 6.0, transcode=True, alone=_FIRST),
    Condition("alone, G.722, speech 6 dB below", SPEECH, 6.0, payload_types=(G722,), alone=_FIRST),
)
# With speech that chose no threshold.
OTHERS = tuple(
    replace(condition, name=f"held out: {condition.name}", voices=HELD_OUT)
    for condition in (REQUIRED[5], REQUIRED[7], ALONE[3], ALONE[4])
)

_BURSTS = Line(80, 0.2, burst=2.0)
# Over lines that lose and delay packets, and into phones that conceal what is missing: nothing may
# be read either.
IMPAIRED = (
    Condition("10 ms", line=Line(80)),
    Condition("10 ms, 5 % lost", line=Line(80, 0.05)),
    Condition("10 ms, 20 % lost in bursts of 2", line=_BURSTS),
    Condition("10 ms, 35 % lost", line=Line(80, 0.35), readable=0.8),
    Condition("10 ms, 35 % lost, silence in its place", line=Line(80, 0.35, concealed=False), readable=0.8),
    Condition("10 ms, 5 % lost, 40 ms of jitter", line=Line(80, 0.05, jitter=40)),
    Condition("20 ms, 20 % lost", line=Line(PACKET, 0.2)),
    Condition("20 ms, 5 % lost, 60 ms of jitter", line=Line(PACKET, 0.05, jitter=60)),
    Condition("10 ms, 10 % lost, speech 12 dB below", SPEECH, 12.0, line=Line(80, 0.1)),
    Condition("G.722, 10 ms, 20 % lost in bursts of 2", payload_types=(G722,), line=_BURSTS),
    Condition("alone, 10 ms, 20 % lost in bursts of 2", alone=_FIRST, line=_BURSTS),
    Condition("alone, 20 ms, 20 % lost", alone=_FIRST, line=Line(PACKET, 0.2)),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One row of presses."""

    mask: Callable[[], Masker]  # can be pickled; a new one hears each recording
    condition: Condition
    presses: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """One row of speech."""

    mask: Callable[[], Masker]
    talk: Talk
    keys: bool = False


def measure(
    mask: Callable[[], Masker],
    conditions: Sequence[Condition],
    presses: int,
    *,
    seed: int = 1,
    jobs: int | None = None,
    shown: bool = True,
) -> list[Row]:
    """`presses` for each condition. `shown`: the progress."""
    return run(
        [Asked(mask, condition, presses) for condition in conditions], seed=seed, jobs=jobs, shown=shown
    )[0]


def run(
    asked: Sequence[Asked],
    spoken: Sequence[Spoken] = (),
    *,
    seed: int = 1,
    jobs: int | None = None,
    shown: bool = True,
) -> tuple[list[Row], list[Voice]]:
    """All rows, in the order in which they were asked for."""
    rows = [Row(one.condition.name) for one in asked]
    # Forked processes would inherit the threads and locks of whatever the mask runs in.
    context = multiprocessing.get_context("spawn")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), transient=True, disable=not shown
        ) as progress,
        ProcessPoolExecutor(jobs or os.cpu_count(), context) as pool,
    ):
        voices = [pool.submit(false_masks, one.mask, one.talk, seed, keys=one.keys) for one in spoken]
        waiting: dict[Future[Row], Row] = {}
        for row, one in zip(rows, asked, strict=True):
            for number, done in enumerate(range(0, one.presses, A_RECORDING)):
                share = min(A_RECORDING, one.presses - done)
                control = number % _CONTROLS == 0
                which = seed * 1_000_003 + number
                waiting[pool.submit(one_recording, one.mask, one.condition, share, which, control)] = row
        task = progress.add_task("presses", total=sum(one.presses for one in asked))
        for future in as_completed(waiting):
            waiting[future].add(future.result())
            progress.advance(task, future.result().presses)
        return rows, [voice.result() for voice in voices]


# --- in print -------------------------------------------------------------------------------------

_HEAD = (
    "condition",
    "presses",
    "read without a mask",
    *DECODERS,
    "union",
    "right digit",
    "elsewhere",
    "speech's own",
)
_VOICE_HEAD = (
    "speech",
    "minutes",
    "keys",
    "stretches",
    "in 10 minutes",
    "within 5 s of a key",
    "longest, ms",
)


def _cells(row: Row) -> list[str]:
    control = f"{100 * row.control['union'] / max(1, row.controlled):.1f} %"
    leaked = [str(row.leaked[name]) for name in (*DECODERS, "union")]
    return [
        row.name,
        f"{row.presses:,}",
        control,
        *leaked,
        str(row.right),
        str(row.elsewhere),
        str(row.speech),
    ]


def _voice_cells(voice: Voice) -> list[str]:
    longest = f"{max(voice.changed):.0f}" if voice.changed else "-"
    counts = [str(len(voice.changed)), f"{voice.in_10_minutes:.1f}", str(voice.soon) if voice.keys else "-"]
    return [voice.name, f"{voice.seconds / 60:.0f}", str(voice.keys or "-"), *counts, longest]


def table(rows: Sequence[Row], title: str) -> Table:
    """For the terminal."""
    return _table(title, _HEAD, map(_cells, rows))


def voice_table(voices: Sequence[Voice], title: str) -> Table:
    return _table(title, _VOICE_HEAD, map(_voice_cells, voices))


def markdown(rows: Sequence[Row]) -> str:
    """For docs/leak-report.md."""
    return _markdown(_HEAD, map(_cells, rows))


def voice_markdown(voices: Sequence[Voice]) -> str:
    return _markdown(_VOICE_HEAD, map(_voice_cells, voices))


def _table(title: str, head: Sequence[str], lines: Iterable[Sequence[str]]) -> Table:
    shown = Table(title=title)
    for number, name in enumerate(head):
        shown.add_column(name, justify="right" if number else "left")
    for line in lines:
        shown.add_row(*line)
    return shown


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ("---", *["---:"] * (len(head) - 1))
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *lines))
