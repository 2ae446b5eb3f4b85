"""How much of random key presses is read behind a mask, condition by condition: the table of docs/leak-report.md.

Rule 1: beside every row stands its control, the same recordings without a mask.
Rule 2: a press counts as leaked when a decoder reads any key while it lasts or shortly after, the right one or not; keys
        read elsewhere are counted too, in a column of their own.
Rule 3: a key that the same decoder reads at the same place in the same stream without any press is speech's own: it is
        counted by itself and is no leak. The stream without presses is heard twice, whole and with silence wherever the mask
        has changed anything: a piece of speech between two silences is read as a key more often than speech that goes on.

Work is cut into recordings of 50 presses, each with a seed of its own: the table does not depend on how many processes did it."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

import numpy as np
from rich.progress import Progress
from rich.table import Table

from tests.leak.codec import G722, Pcm, decoded
from tests.leak.decoders import DECODERS, RATE, Heard, together, union
from tests.leak.masking import Masker
from tests.leak.presses import NOISE, SPEECH, Condition, Press, Recording, recording, talking

A_RECORDING = 50  # presses
_LATE = int(0.15 * RATE)  # a mask's look-ahead, and a decoder's own delay
_APART = int(0.05 * RATE)  # two changes of the audio with less between them are one
_DELAYS = range(100 * RATE // 1000 + 1)  # what a mask may hold back: up to 100 ms

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


@dataclass(slots=True)
class Row:
    """What was read under one condition. `leaked` and `control`: presses, by decoder, and by any (`union`)."""

    name: str
    presses: int = 0
    leaked: Counter[str] = field(default_factory=Counter)
    control: Counter[str] = field(default_factory=Counter)
    right: int = 0  # presses whose own digit some decoder read
    elsewhere: int = 0  # keys that were read where nobody pressed one
    speech: int = 0  # keys that are read without any press too

    def add(self, other: Row) -> None:
        self.presses += other.presses
        self.leaked += other.leaked
        self.control += other.control
        self.right += other.right
        self.elsewhere += other.elsewhere
        self.speech += other.speech


def measure(
    mask: Callable[[], Masker],
    conditions: Sequence[Condition],
    presses: int,
    *,
    seed: int = 1,
    jobs: int | None = None,
    shown: bool = True,
) -> list[Row]:
    """`presses` for each condition, through a new mask for each recording; `mask` must be picklable. `shown`: the progress."""
    rows = {condition.name: Row(condition.name) for condition in conditions}
    shares = [min(A_RECORDING, presses - done) for done in range(0, presses, A_RECORDING)]
    # Forked processes would inherit the threads and locks of whatever the mask runs in.
    context = multiprocessing.get_context("spawn")
    with (
        Progress(transient=True, disable=not shown) as progress,
        ProcessPoolExecutor(jobs or os.cpu_count(), context) as pool,
    ):
        task = progress.add_task("Leaks", total=presses * len(conditions))
        waiting = [
            pool.submit(one_recording, mask, condition, share, seed * 1_000_003 + number)
            for condition in conditions
            for number, share in enumerate(shares)
        ]
        for future in as_completed(waiting):
            row = future.result()
            rows[row.name].add(row)
            progress.advance(task, row.presses)
    return list(rows.values())


def one_recording(mask: Callable[[], Masker], condition: Condition, presses: int, seed: int) -> Row:
    """One recording, masked and not."""
    keyed = recording(condition, presses, seed)
    row = Row(condition.name, presses)
    control = union(decoded(keyed.payloads, keyed.payload_type))
    row.control = _pressed(control, keyed.presses)
    left = decoded(mask().through(keyed.payloads, payload_type=keyed.payload_type), keyed.payload_type)
    masked = heard = union(left)
    if condition.background == SPEECH and any(masked.values()):
        for unkeyed in (decoded(keyed.unkeyed, keyed.payload_type), heard_without(keyed, left)):
            own = union(unkeyed)
            heard = {name: [one for one in all_ if not _among(one, own[name])] for name, all_ in heard.items()}
    row.speech = sum(map(len, masked.values())) - sum(map(len, heard.values()))
    row.leaked = _pressed(heard, keyed.presses)
    everything = [one for all_ in heard.values() for one in all_]
    row.right = sum(
        any(_during(one, press) and one.digit == press.digit for one in everything) for press in keyed.presses
    )
    row.elsewhere = sum(not any(_during(one, press) for press in keyed.presses) for one in together(heard))
    return row


def heard_without(keyed: Recording, left: Pcm) -> Pcm:
    """The stream had nobody pressed a key, with silence wherever the mask has changed anything of what came."""
    came, unkeyed = (decoded(stream, keyed.payload_type) for stream in (keyed.payloads, keyed.unkeyed))
    delay = _delay(came, left)
    length = min(len(came), len(left) - delay)
    holed = np.zeros(len(left), np.int16)
    same = came[:length] == left[delay : delay + length]
    holed[delay : delay + length] = np.where(same, unkeyed[:length], 0)
    return holed


def _among(one: Heard, own: Sequence[Heard]) -> bool:
    return any(one.digit == other.digit and abs(one.sample - other.sample) <= _LATE for other in own)


def _during(one: Heard, press: Press) -> bool:
    return press.first <= one.sample <= press.last + _LATE


def _pressed(heard: dict[str, list[Heard]], presses: Sequence[Press]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for press in presses:
        by = [name for name, all_ in heard.items() if any(_during(one, press) for one in all_)]
        counts.update(by + ["union"] * bool(by))
    return counts


# --- the other side: what a mask does to speech ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Voice:
    """What a mask did to speech without a key: how long it was (s), how often and how long (ms, each) it was changed."""

    seconds: float
    delay_ms: float
    changed: tuple[float, ...]


def false_masks(mask: Callable[[], Masker], seconds: float, seed: int, *, payload_type: int) -> Voice:
    """Speech alone through a mask, compared sample by sample at the delay at which most of it is the same."""
    keyed = talking(seconds, seed, payload_type=payload_type)
    before = decoded(keyed.payloads, payload_type)
    after = decoded(mask().through(keyed.payloads, payload_type=payload_type), payload_type)
    delay = _delay(before, after)
    length = min(len(before), len(after) - delay)
    differs = np.flatnonzero(before[:length] != after[delay : delay + length])
    runs = np.split(differs, np.flatnonzero(np.diff(differs) > _APART) + 1) if len(differs) else []
    lengths = tuple(float(run[-1] - run[0] + 1) * 1000 / RATE for run in runs)
    return Voice(length / RATE, delay * 1000 / RATE, lengths)


def _delay(before: Pcm, after: Pcm) -> int:
    return max(_DELAYS, key=lambda one: _same(before, after, one))


def _same(before: Pcm, after: Pcm, delay: int) -> int:
    length = min(len(before), len(after) - delay, 30 * RATE)
    return int((before[:length] == after[delay : delay + length]).sum())


# --- in print -------------------------------------------------------------------------------------------------------

_HEAD = ("condition", "presses", "read without a mask", *DECODERS, "union", "right digit", "elsewhere", "speech's own")


def _cells(row: Row) -> list[str]:
    control = f"{100 * row.control['union'] / max(1, row.presses):.1f} %"
    leaked = [str(row.leaked[name]) for name in (*DECODERS, "union")]
    return [row.name, f"{row.presses:,}", control, *leaked, str(row.right), str(row.elsewhere), str(row.speech)]


def table(rows: Sequence[Row], title: str) -> Table:
    """For the terminal."""
    shown = Table(title=title)
    for number, name in enumerate(_HEAD):
        shown.add_column(name, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*_cells(row))
    return shown


def markdown(rows: Sequence[Row]) -> str:
    """For docs/leak-report.md."""
    lines = [_HEAD, ("---", *["---:"] * (len(_HEAD) - 1)), *map(_cells, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
