"""`tonewall log-level`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import typer

from b2bua.access.roles import Role
from b2bua.api.log_routes import MAX_SECONDS
from b2bua.api.log_view import LogLevelView
from b2bua.commands.api_client import ApiClient
from b2bua.commands.configuration import ConfigFile, give_up

_LEVELS: Final = ("debug", "info", "warning", "error")
_TIME: Final = re.compile(r"([1-9][0-9]{0,4})([smh]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}


def log_level(
    level: Annotated[
        str,
        typer.Argument(metavar="[LEVEL]", help="debug, info, warning, error; or reset: as sip.conf has it."),
    ] = "",
    module: Annotated[
        str, typer.Option(help="Of these modules alone, by the beginning of their names: b2bua.sip.")
    ] = "",
    duration: Annotated[
        str, typer.Option("--for", help="For how long: 90s, 10m, 2h; a day at most.")
    ] = "10m",
    config: ConfigFile = None,
    url: Annotated[str, typer.Option(help="Where the API is; else the Tonewall of this machine.")] = "",
) -> None:
    """Show at which level a running Tonewall logs, or change that for a while, in all its
    processes. For administrators."""
    if level and level not in (*_LEVELS, "reset"):
        give_up(f"expected a level: {', '.join(_LEVELS)}; or reset")
    seconds = _read_time(duration)
    api = ApiClient.for_config(config, url, frozenset({Role.ADMINISTRATOR}))
    if not level:
        _show(api.fetch("/v1/log-level", LogLevelView))
        return
    body: dict[str, Any] = {
        "level": None if level == "reset" else level,
        "module": module,
        "seconds": seconds,
    }
    _show(api.send("/v1/log-level", body, LogLevelView))


def _read_time(text: str) -> int:
    match = _TIME.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 1 <= seconds <= MAX_SECONDS:
        give_up("--for: expected a time up to a day: 90s, 10m, 2h")
    return seconds


def _show(view: LogLevelView) -> None:
    print(f"sip.conf: {view.configured}")
    if view.level is not None:
        print(f"now: {view.level}, of {view.module or 'all modules'}, for {view.seconds} seconds more")
