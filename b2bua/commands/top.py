"""`tonewall top`."""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from b2bua.call.trunk_view import TrunkView
from b2bua.call.view import CallView
from b2bua.commands.api_client import ApiClient, ApiFailure
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.top_screen import Picture, draw, read_health

_PATIENCE: Final = 3.0  # seconds for an answer: a screen that waits is no news


def top(
    config: ConfigFile = None,
    once: Annotated[bool, typer.Option("--once", help="Print one screen and end.")] = False,
    every: Annotated[float, typer.Option(min=1, max=60, help="Seconds between two looks.")] = 2.0,
    url: Annotated[str, typer.Option(help="Where the API is; else the Tonewall of this machine.")] = "",
) -> None:
    """Show calls, captures, trunks and faults of a running Tonewall, until Ctrl-C. Where the output
    is no terminal, it is one screen, as with --once. Calls are for a supervisor's token."""
    api = ApiClient.for_config(config, url)
    console = Console(highlight=False, markup=False)
    if once or not console.is_terminal:
        try:
            picture = _look(api)
        except ApiFailure as error:
            give_up(str(error))
        print("\n".join(draw(picture, datetime.now(UTC), *_size(console))))
        return
    try:
        _follow(api, console, every)
    except KeyboardInterrupt:
        return


def _follow(api: ApiClient, console: Console, every: float) -> None:
    picture = Picture({})
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            try:
                picture = _look(api)
            except ApiFailure as error:  # what was seen last stays, and says so
                picture = dataclasses.replace(picture, trouble=str(error))
            began = time.monotonic()
            while time.monotonic() - began < every:
                lines = draw(picture, datetime.now(UTC), *_size(console))
                live.update(Text("\n".join(lines), no_wrap=True, overflow="crop"), refresh=True)
                time.sleep(min(0.5, every))  # the size of the terminal may have changed meanwhile


def _look(api: ApiClient) -> Picture:
    """Raises ApiFailure."""
    try:
        health = api.ask("/healthz", dict[str, Any], _PATIENCE)
    except ApiFailure as error:
        if error.status != 503 or not error.body:
            raise
        health = read_health(error.body)  # it answers, and is not well
    trunks = api.ask("/v1/trunks", tuple[TrunkView, ...], _PATIENCE)
    try:
        calls = api.ask("/v1/calls", tuple[CallView, ...], _PATIENCE)
    except ApiFailure as error:
        if error.status != 403:
            raise
        return Picture(health, trunks)
    return Picture(health, trunks, calls)


def _size(console: Console) -> tuple[int, int]:
    return console.size.width, console.size.height
