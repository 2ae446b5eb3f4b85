"""`tonewall doctor`."""

from __future__ import annotations

import asyncio

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from b2bua.commands.configuration import ConfigFile
from b2bua.doctor.examination import examine
from b2bua.doctor.finding import Level

_MARKS = {
    Level.GOOD: "[green]ok[/]",
    Level.WARNING: "[yellow]warning[/]",
    Level.FAULT: "[red]fault[/]",
}


def doctor(config: ConfigFile = None) -> None:
    """Say what is wrong with this machine or the configuration, and what to do about it."""
    findings = asyncio.run(examine(config))
    table = Table(
        "", "what", "finding", title="tonewall doctor", title_justify="left", box=None, pad_edge=False
    )
    for finding in findings:
        table.add_row(_MARKS[finding.level], escape(finding.what), escape(finding.text))
    Console().print(table)
    raise typer.Exit(1 if any(finding.level is Level.FAULT for finding in findings) else 0)
