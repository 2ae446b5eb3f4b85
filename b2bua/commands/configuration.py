"""Options that commands share, and the end of a command that cannot go on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

TOKEN = "TONEWALL_TOKEN"  # noqa: S105  # the name of the variable
ConfigFile = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="sip.conf; without it, everything comes from TONEWALL_* variables."),
]


def give_up(message: str) -> NoReturn:
    """End the command with this message on standard error, and status 2."""
    print(f"tonewall: {message}", file=sys.stderr)
    raise typer.Exit(2)
