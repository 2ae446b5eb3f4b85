"""`tonewall upgrade`."""

from __future__ import annotations

from typing import Annotated

import typer

from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.supervise.control import ask_for_upgrade

_SILENCE = 300.0  # seconds that a busy machine may take for one step
_Timeout = Annotated[
    float, typer.Option(min=0.0, help="Seconds to wait for a moment without a payment under way.")
]


def upgrade(config: ConfigFile = None, timeout: _Timeout = 300.0) -> None:
    """Have a running Tonewall go over to the version that is installed by now. Calls go on. Status
    0: it has; 1: only some of its processes have; 2: nothing has changed."""
    directory = load_settings(config).signalling.general.directory
    try:
        result = ask_for_upgrade(directory, timeout, _SILENCE, print)
    except (OSError, ValueError):
        give_up(f"no Tonewall answers in {directory} ([general] directory)")
    if result.faults and not result.renewed:
        give_up("nothing has changed:\n" + "\n".join(result.faults))
    if result.faults:
        print("\n".join(result.faults))
        raise typer.Exit(1)
    print(f"Tonewall is of version {result.version}")
