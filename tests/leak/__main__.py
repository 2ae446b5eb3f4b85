"""Measure the product's mask under every policy and write docs/leak-report.md's tables: `python -m
tests.leak`.

Another mask: `python -m tests.leak package.module:Mask --presses 1000 --only alone`, which is shown
and not written.

Exits 1 if anything was read under a condition under which nothing may be, or if a control misses
more than it should."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from typing import cast

from rich.console import Console

from tests.leak import document
from tests.leak.core import Masked, Muted, MutedOnKey
from tests.leak.judge import Row
from tests.leak.masking import Masker
from tests.leak.presses import Condition
from tests.leak.report import (
    ALONE,
    IMPAIRED,
    OTHERS,
    REQUIRED,
    SHOWN,
    Asked,
    Spoken,
    markdown,
    run,
    table,
    voice_markdown,
    voice_table,
)
from tests.leak.voice import talks

LINES = "lines that lose packets"
VOICES = ("speech alone", "speech and a key every 8 s")
_WIDE = 150  # columns, where the output is no terminal


def named(path: str) -> Callable[[], Masker]:
    """The mask at `package.module:Name`."""
    module, _, name = path.partition(":")
    return cast("Callable[[], Masker]", getattr(importlib.import_module(module), name))


def sections(mask: str | None, presses: int) -> dict[str, list[Asked]]:
    """The rows of each table."""
    every = [*REQUIRED, *SHOWN, *ALONE, *OTHERS]
    if mask:
        over_lines = IMPAIRED if hasattr(named(mask), "relayed") else ()
        return {mask: [Asked(named(mask), condition, presses) for condition in [*every, *over_lines]]}
    loud: list[Condition] = [REQUIRED[7], *SHOWN]
    return {
        "mask": [Asked(Masked, condition, presses) for condition in every],
        "mute-on-key": [Asked(MutedOnKey, condition, presses) for condition in [*loud, ALONE[4]]],
        "mute": [Asked(Muted, condition, presses // 10) for condition in loud],
        LINES: [Asked(Masked, condition, presses // 10) for condition in IMPAIRED],
    }


def fails(name: str, asked: Asked, row: Row) -> bool:
    """Whether something was read that may not be, or a control is deaf. A first press may be read
    where no key came before."""
    required = asked.condition in REQUIRED or asked.condition in IMPAIRED
    if required and row.control["union"] < asked.condition.readable * row.controlled:
        return True
    never = required or (name in {"mute-on-key", "mute"} and not asked.condition.alone)
    return never and bool(row.leaked["union"])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.leak")
    parser.add_argument(
        "mask", nargs="?", help="package.module:Name of a Masker; tests.leak.masking:Open is none at all"
    )
    parser.add_argument("--presses", type=int, default=document.ENOUGH, help="for each condition")
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="of the presses' speech, without and with a key every 8 s"
    )
    parser.add_argument("--only", default="", help="conditions in whose name this is")
    parser.add_argument(
        "--lines", action="store_true", help="lines that lose packets alone; writes their table"
    )
    parser.add_argument("--no-speech", action="store_true", help="presses alone")
    parser.add_argument("--jobs", type=int, default=None, help="processes; as many as there are cores")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    began = time.monotonic()
    plan = {
        name: [one for one in rows if asked.only in one.condition.name]
        for name, rows in sections(asked.mask, asked.presses).items()
        if asked.mask or not asked.lines or name == LINES
    }
    mask = named(asked.mask) if asked.mask else Masked
    said = [] if asked.no_speech or asked.lines else talks(asked.minutes)
    spoken = [Spoken(mask, talk, keys) for keys in (False, True) for talk in said]
    rows, voices = run(
        [one for each in plan.values() for one in each], spoken, seed=asked.seed, jobs=asked.jobs
    )
    console, failed = Console(width=_WIDE if not sys.stdout.isatty() else None), False
    tables: dict[str, str] = {}
    left = iter(rows)
    for name, each in plan.items():
        own = [next(left) for _ in each]
        failed |= any(fails(name, one, row) for one, row in zip(each, own, strict=True))
        console.print(table(own, name))
        tables[name] = markdown(own)
    for name, part in zip(VOICES, (voices[: len(said)], voices[len(said) :]), strict=True):
        if part:
            console.print(voice_table(part, name))
        tables[name] = voice_markdown(part)
    minutes = (time.monotonic() - began) / 60
    console.print(f"{minutes:.1f} minutes")
    if not (asked.mask or asked.only or asked.no_speech):
        command = "python -m tests.leak --lines" if asked.lines else "make leak-report"
        made = (
            f"`{command}`, seed {asked.seed}: {sum(row.presses for row in rows):,} presses, {minutes:.0f} "
            "minutes.\n"
        )
        tables |= dict.fromkeys([f"made: {LINES}"] if asked.lines else ["made", f"made: {LINES}"], made)
        if asked.lines:
            tables = {name: text for name, text in tables.items() if name.endswith(LINES)}
        to = document.write(tables, asked.presses)
        console.print(f"Written to {to}")
        if to != document.PAGE:
            console.print(
                f"{document.PAGE.name} is left as it is: it takes {document.ENOUGH:,} presses a condition."
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
