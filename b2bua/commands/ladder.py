"""`tonewall ladder`: shows the messages of a call, from the API of the running Tonewall."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from b2bua.commands.api_client import ApiClient
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.ladder import svg, terminal
from b2bua.ladder.layout import Row, lay_out, printable
from b2bua.ladder.view import LadderSummary, LadderView

_INTERVAL = 1.0  # seconds between two requests of a call that is followed
_MAX_LISTED = 50  # calls


def ladder(
    call: Annotated[
        str,
        typer.Argument(
            metavar="[CALL-ID]",
            help="Tonewall's id of the call, its first characters, or a SIP Call-ID; without it, recent "
            "calls.",
        ),
    ] = "",
    config: ConfigFile = None,
    picture: Annotated[
        Path | None, typer.Option("--svg", help="Write a picture into this file instead.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the call has ended.")] = False,
    url: Annotated[str, typer.Option(help="Where the API is; else the Tonewall of this machine.")] = "",
) -> None:
    """Show the messages of a call as a ladder: both legs, retransmissions, and when the call was
    masked. Times are UTC."""
    api = ApiClient.for_config(config, url)
    if not call:
        _print_list(api.fetch("/v1/ladders", list[LadderSummary]))
        return
    path = f"/v1/calls/{quote(full_id(call, api.fetch('/v1/ladders', list[LadderSummary])), safe='')}/ladder"
    view = api.fetch(path, LadderView)
    if picture is not None:
        try:
            picture.write_text(svg.draw(lay_out(view)), encoding="utf-8")
        except OSError as error:
            give_up(f"{picture}: {error.strerror or 'cannot be written'}")
        return
    _print_ladder(api, path, view, follow=follow)


def full_id(call: str, calls: list[LadderSummary]) -> str:
    """The id that `call` abbreviates; else `call` itself, which may be a SIP Call-ID."""
    found = [one.id for one in calls if one.id.startswith(call)]
    if call in found or not found:
        return call
    if len(found) > 1:
        give_up(
            f"{printable(call)} begins the ids of {len(found)} calls: {', '.join(map(printable, found[:8]))}"
        )
    return found[0]


def _print_ladder(api: ApiClient, path: str, view: LadderView, *, follow: bool) -> None:
    console = Console(highlight=False)
    ascii_only = console.options.ascii_only
    columns = terminal.Columns.fit_width(console.width)
    for text in terminal.format_head(lay_out(view), columns, ascii_only=ascii_only):
        console.print(text)
    shown: Counter[tuple[object, ...]] = Counter()
    while True:
        seen: Counter[tuple[object, ...]] = Counter()
        for row in lay_out(view).rows:
            seen[_row_key(row)] += 1
            if seen[_row_key(row)] > shown[_row_key(row)]:
                shown[_row_key(row)] += 1
                console.print(terminal.format_row(row, columns, ascii_only=ascii_only))
        if not follow or not view.live:
            return
        time.sleep(_INTERVAL)
        view = api.fetch(path, LadderView)


def _row_key(row: Row) -> tuple[object, ...]:
    """The parts of a row that stay when its message is repeated; the label counts repetitions."""
    return row.clock, row.after, row.start, row.end, row.detail, row.label if row.start == row.end else ""


def _print_list(calls: list[LadderSummary]) -> None:
    console = Console(highlight=False)
    if not calls:
        console.print(
            "no calls are remembered; [general] ladders in sip.conf says how many may be", markup=False
        )
        return
    table = Table(box=None, pad_edge=False)
    for name, whole in (
        ("call", True),
        ("started UTC", True),
        ("state", True),
        ("caller", False),
        ("callee", False),
    ):
        table.add_column(name, no_wrap=whole, overflow="fold")  # an id that is cut is of no use
    table.add_column("SIP", no_wrap=True, justify="right")
    for one in calls[:_MAX_LISTED]:
        started = one.started_at[5:19].replace("T", " ")
        state = "[green]under way[/]" if one.live else "ended"
        who = (escape(printable(one.caller)), escape(printable(one.callee)))
        table.add_row(escape(printable(one.id)), escape(started), state, *who, str(one.messages))
    console.print(table)
    if len(calls) > _MAX_LISTED:
        console.print(f"and {len(calls) - _MAX_LISTED} older ones")
