"""`tonewall prompts`: says what each set of prompts has, lacks and cannot play."""

from __future__ import annotations

import typer

from b2bua.commands.configuration import ConfigFile
from b2bua.commands.settings import load_settings
from b2bua.doctor.prompts import examine_prompts


def prompts(config: ConfigFile = None) -> None:
    """Decode every file of every set of prompts, and say which prompts are missing. Status 1 where
    a file cannot be played."""
    status, lines = examine_prompts(load_settings(config))
    for line in lines:
        print(line)
    raise typer.Exit(status)
