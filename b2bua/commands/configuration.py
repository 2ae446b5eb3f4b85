"""Options that commands share, and the end of a command that cannot go on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tonewall.ini import FILE
from tonewall.secret_file import read_secret

TOKEN = "TONEWALL_TOKEN"  # noqa: S105  # the name of the variable
ConfigFile = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="sip.conf; without it, everything comes from TONEWALL_* variables."),
]


def give_up(message: str) -> NoReturn:
    """End the command with this message on standard error, and status 2."""
    print(f"tonewall: {message}", file=sys.stderr)
    raise typer.Exit(2)


def given_token() -> str:
    """The token that the environment has, or a file that it names; "" where there is neither."""
    token, file = os.environ.get(TOKEN, ""), os.environ.get(TOKEN + FILE, "")
    if token and file:
        give_up(f"{TOKEN} and {TOKEN}{FILE} are both given; keep one")
    try:
        return read_secret(Path(file), TOKEN + FILE) if file else token
    except ValueError as error:
        give_up(str(error))
