"""Measure a mask: `python -m tests.leak package.module:Mask --presses 10000 --minutes 60 --markdown table.md`.

Exits 1 if anything was read under a condition under which nothing may be, or if a control misses more than it should."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from rich.console import Console

from tests.leak.codec import PCMA
from tests.leak.masking import Masker
from tests.leak.report import REQUIRED, SHOWN, false_masks, markdown, measure, table

_CONTROL = 0.95  # of presses is read without a mask, where nothing may be read with one


def named(path: str) -> Callable[[], Masker]:
    """The mask at `package.module:Name`."""
    module, _, name = path.partition(":")
    return cast("Callable[[], Masker]", getattr(importlib.import_module(module), name))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.leak")
    parser.add_argument("mask", help="package.module:Name of a Masker; tests.leak.masking:Open is none at all")
    parser.add_argument("--presses", type=int, default=10_000, help="for each condition")
    parser.add_argument("--minutes", type=float, default=10.0, help="of speech alone")
    parser.add_argument("--jobs", type=int, default=None, help="processes; as many as there are cores")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", type=Path, help="write the table here too")
    asked = parser.parse_args(arguments)
    mask = named(asked.mask)
    rows = measure(mask, [*REQUIRED, *SHOWN], asked.presses, seed=asked.seed, jobs=asked.jobs)
    voice = false_masks(mask, asked.minutes * 60, asked.seed, payload_type=PCMA)
    said = (
        f"Speech alone, {voice.seconds / 60:.1f} minutes: changed {len(voice.changed)} times, at most "
        f"{max(voice.changed, default=0.0):.1f} ms; delayed by {voice.delay_ms:.1f} ms."
    )
    console = Console()
    console.print(table(rows, asked.mask))
    console.print(said)
    if asked.markdown:
        asked.markdown.write_text(f"{markdown(rows)}\n{said}\n")
    required = rows[: len(REQUIRED)]
    return int(any(row.leaked["union"] or row.control["union"] < _CONTROL * row.presses for row in required))


if __name__ == "__main__":
    sys.exit(main())
