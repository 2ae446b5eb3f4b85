"""`tonewall demo`."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Annotated

import typer

from b2bua.commands.configuration import give_up


def demo(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the story.")
    ] = False,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End when the call is over; status 0 only if all of it held.")
    ] = False,
    provider: Annotated[
        str, typer.Option(help="The adapter to charge with; its provider is played on this machine.")
    ] = "connector",
) -> None:
    """Show one paid call between two real phones, on this machine only, and check it on the
    wire."""
    missing = [name for name in ("pjsua2", "av", "cryptography") if importlib.util.find_spec(name) is None]
    if missing:
        give_up(f"the demo needs {', '.join(missing)}; install them with: pip install 'tonewall[demo]'")
    # These import the demo's extra packages.
    from b2bua.demo.stage import PLAYED  # noqa: PLC0415
    from b2bua.demo.story import play_story  # noqa: PLC0415

    if provider not in PLAYED:
        give_up(f"--provider: expected one of {', '.join(PLAYED)}")
    raise typer.Exit(asyncio.run(play_story(as_json=as_json, leave=exit_, adapter=provider)))
