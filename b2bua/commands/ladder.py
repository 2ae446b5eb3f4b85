"""`tonewall ladder`: the messages of a call, asked of the running Tonewall over its API."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from b2bua.api.auth import first_clear_token
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.config.general_settings import GeneralSettings
from b2bua.config.settings import ApiSettings
from b2bua.ladder import svg, terminal
from b2bua.ladder.layout import Row, lay_out, printable
from b2bua.ladder.view import LadderSummary, LadderView
from tonewall.ini import ConfigError, load, read_file

TOKEN = "TONEWALL_TOKEN"  # noqa: S105  # the name of the variable
_EVERY = 1.0  # seconds between two looks at a call that is followed
_PATIENCE = 10.0
_SHOWN = 50  # calls in the list
T = TypeVar("T")


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
    api = _Api.of(config, url)
    if not call:
        _list(api.get("/v1/ladders", list[LadderSummary]))
        return
    path = f"/v1/calls/{quote(_whole(call, api.get('/v1/ladders', list[LadderSummary])), safe='')}/ladder"
    view = api.get(path, LadderView)
    if picture is not None:
        try:
            picture.write_text(svg.draw(lay_out(view)), encoding="utf-8")
        except OSError as error:
            give_up(f"{picture}: {error.strerror or 'cannot be written'}")
        return
    _show(api, path, view, follow=follow)


def _whole(call: str, calls: list[LadderSummary]) -> str:
    """The id that begins so, where one does; else what was given, which may be a SIP Call-ID."""
    found = [one.id for one in calls if one.id.startswith(call)]
    if call in found or not found:
        return call
    if len(found) > 1:
        give_up(
            f"{printable(call)} begins the ids of {len(found)} calls: {', '.join(map(printable, found[:8]))}"
        )
    return found[0]


def _show(api: _Api, path: str, view: LadderView, *, follow: bool) -> None:
    console = Console(highlight=False)
    ascii_only = console.options.ascii_only
    columns = terminal.Columns.fit_width(console.width)
    for text in terminal.format_head(lay_out(view), columns, ascii_only=ascii_only):
        console.print(text)
    shown: Counter[tuple[object, ...]] = Counter()
    while True:
        seen: Counter[tuple[object, ...]] = Counter()
        for row in lay_out(view).rows:
            seen[_key(row)] += 1
            if seen[_key(row)] > shown[_key(row)]:
                shown[_key(row)] += 1
                console.print(terminal.format_row(row, columns, ascii_only=ascii_only))
        if not follow or not view.live:
            return
        time.sleep(_EVERY)
        view = api.get(path, LadderView)


def _key(row: Row) -> tuple[object, ...]:
    """What stays of a row when its message comes again: its label counts that."""
    return row.clock, row.after, row.start, row.end, row.detail, row.label if row.start == row.end else ""


def _list(calls: list[LadderSummary]) -> None:
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
    for one in calls[:_SHOWN]:
        started = one.started_at[5:19].replace("T", " ")
        state = "[green]under way[/]" if one.live else "ended"
        who = (escape(printable(one.caller)), escape(printable(one.callee)))
        table.add_row(escape(printable(one.id)), escape(started), state, *who, str(one.messages))
    console.print(table)
    if len(calls) > _SHOWN:
        console.print(f"and {len(calls) - _SHOWN} older ones")


class _Api:
    """The API of a running Tonewall. Whatever fails ends the command, and says what to do."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._opener = build_opener(ProxyHandler({}))

    @classmethod
    def of(cls, config: Path | None, url: str) -> _Api:
        """The one that this configuration runs."""
        try:
            sections = read_file(config) if config else {}
            settings = load(ApiSettings, sections)
            directory = load(GeneralSettings, sections).directory
        except ConfigError as error:
            give_up(f"the configuration is wrong:\n{error}")
        token = os.environ.get(TOKEN, "") or first_clear_token(settings.tokens.get_secret_value())
        if not token:
            give_up(f"[api] tokens has hashes only: put a token into the environment as {TOKEN}")
        if not url:
            try:
                url = str(json.loads((directory / "ready.json").read_bytes())["api_url"])
            except (OSError, ValueError, KeyError, TypeError):
                host = f"[{settings.address}]" if ":" in settings.address else settings.address
                url = f"http://{host}:{settings.port}"
        return cls(url, token)

    def get(self, path: str, kind: type[T]) -> T:
        """The answer."""
        try:
            request = Request(self._url + path, headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310
            with self._opener.open(request, timeout=_PATIENCE) as answer:
                return msgspec.json.decode(answer.read(), type=kind)
        except HTTPError as error:
            give_up(self._refused(error))
        except (OSError, ValueError, HTTPException, msgspec.MsgspecError) as error:
            why = getattr(error, "reason", error)
            why = getattr(why, "strerror", None) or type(why).__name__
            give_up(
                f"the API at {self._url} does not answer as it should ({why}); is `tonewall run` up? Its "
                "log and "
                "`tonewall doctor` say more; --url names another address"
            )

    def _refused(self, error: HTTPError) -> str:
        if error.code == 401:
            return (
                f"the API at {self._url} does not know the token; put one of its own into the environment "
                f"as {TOKEN}"
            )
        try:
            detail = plain_detail(error.read())
        except (OSError, ValueError):
            detail = ""
        if error.code == 404 and detail:
            return f"{detail} `tonewall ladder` without an id lists the calls that are remembered."
        return f"the API at {self._url} answers {error.code}; is it a Tonewall of this version?"


def plain_detail(body: bytes) -> str:
    """The sentence of a problem (RFC 9457), "" where there is none. Raises ValueError."""
    said = json.loads(body)
    detail = said.get("detail", "") if isinstance(said, dict) and "status" in said else ""
    return "".join(char for char in str(detail)[:400] if char.isprintable())
