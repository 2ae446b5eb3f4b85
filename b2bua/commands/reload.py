"""`tonewall reload`."""

from __future__ import annotations

import typer

from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.supervise.control import ask_for_reload

_PATIENCE = 60.0  # seconds


def reload(config: ConfigFile = None) -> None:
    """Have a running Tonewall read its settings again. No call is touched. Status 0: all that has
    changed is in force; 1: some of it waits for a restart; 2: nothing has changed."""
    directory = load_settings(config).signalling.general.directory
    try:
        result = ask_for_reload(directory, _PATIENCE)
    except (OSError, ValueError):
        give_up(f"no Tonewall answers in {directory} ([general] directory)")
    if result.faults:
        give_up("nothing has changed:\n" + "\n".join(result.faults))
    for name in result.reloaded:
        print(f"in force: {name}")
    for name in result.restart:
        print(f"needs a restart: {name}")
    if not result.reloaded and not result.restart:
        print("nothing has changed")
    if result.restart:
        raise typer.Exit(1)
