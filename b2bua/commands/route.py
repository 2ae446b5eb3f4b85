"""`tonewall route`: shows the route of a call, from sip.conf alone; nothing runs, nothing is
sent."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from b2bua.call.leg import LegInvited, Party
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.config.assembly import build_router, build_trunks
from b2bua.config.settings import SignallingSettings


def route(
    number: Annotated[str, typer.Argument(help="The number that is called, as the trunk writes it.")],
    source: Annotated[str, typer.Option("--from", help="The trunk that the call comes from.")] = "carrier",
    caller: Annotated[str, typer.Option(help="The number that calls, as the trunk writes it.")] = "anonymous",
    config: ConfigFile = None,
) -> None:
    """Say which trunks a call would go to, in which order, and with which numbers. Status 1 if it
    would be refused."""
    settings = load_settings(config).signalling
    where = build_router(settings)
    if where.side(source) is None:
        give_up(f"--from: there is no trunk {source}; expected one of {', '.join(where.places)}")
    decision = where.decide(LegInvited(source, Party(caller), Party(number), b""), lambda: 0.0)
    console = Console()
    console.print(
        f"from {escape(source)}, {escape(_describe_parties(settings, source, caller, number))}",
        highlight=False,
    )
    console.print(_describe_rule(decision.rule, bool(settings.routes)), highlight=False)
    if decision.ends is not None:
        console.print(f"ends in the form {escape(decision.ends.form)}; we answer it", highlight=False)
        for what, place in (
            ("then", decision.ends.then),
            ("person", decision.ends.person),
            ("otherwise", decision.ends.otherwise),
        ):
            if place is not None:
                console.print(
                    f"{what}: {escape(place.callee.user)} at {escape(place.trunk)}", highlight=False
                )
        return
    if not decision.destinations:
        console.print(f"refused with {decision.code}", highlight=False)
        raise typer.Exit(1)
    table = Table("", "trunk", "host", "caller", "callee", box=None, pad_edge=False)
    hosts = {
        trunk.name: f"{trunk.host}:{trunk.port}" if trunk.port else trunk.host
        for trunk in build_trunks(settings)
    }
    for order, to in enumerate(decision.destinations, 1):
        table.add_row(str(order), *map(escape, (to.trunk, hosts[to.trunk], to.caller.user, to.callee.user)))
    console.print(table)


def _describe_parties(settings: SignallingSettings, source: str, caller: str, number: str) -> str:
    numbers = build_router(settings).places[source].numbers
    return f"{numbers.read(caller)} calls {numbers.read(number)}"


def _describe_rule(rule: str, any_routes: bool) -> str:
    if rule:
        return f"by [bold]\\[route {escape(rule)}][/]" if rule != "route" else "by [bold]\\[route][/]"
    return (
        "no route fits" if any_routes else "there are no routes: all trunks of the other kind, in their order"
    )
