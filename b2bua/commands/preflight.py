"""`tonewall preflight`: test calls on a trunk, before it takes calls."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from b2bua.audit.entry import write_time
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.config.assembly import build_trunks
from b2bua.config.settings import Settings
from b2bua.config.trunk_settings import CarrierSettings, TrunkSettings
from b2bua.config.values import trunk_name
from b2bua.preflight.phone import MediaPlace, TrunkPhone
from b2bua.preflight.report import Mark, Report, Result, describe, sip_conf
from b2bua.preflight.trial import Plan, try_trunk
from b2bua.sip.hop import Bind
from b2bua.sip.transport.tls import TlsContexts
from tonewall.log import configure_log

_STATUS = {Result.PASSED: 0, Result.FAILED: 1, Result.INCONCLUSIVE: 3}
_MARKS = {
    Mark.GOOD: "[green]ok[/]",
    Mark.NOTE: "note",
    Mark.WARNING: "[yellow]warning[/]",
    Mark.FAULT: "[red]fault[/]",
}


def preflight(
    trunk: Annotated[str, typer.Argument(help="The trunk: its section, as `carrier north`, or its name.")],
    config: ConfigFile = None,
    to: Annotated[
        str, typer.Option(help="The number to call, written as the trunk wants it; it comes back in here.")
    ] = "",
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="A person answers --to, and keys what is shown.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Do not call: a person calls in, and keys what is shown.")
    ] = False,
    caller: Annotated[str, typer.Option("--from", help="The number that it calls from.")] = "",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Our port for SIP, instead of those of [general].")
    ] = 0,
    keys: Annotated[int, typer.Option(min=4, max=32, help="Keys of each form.")] = 10,
    patience: Annotated[float, typer.Option(min=5, help="Seconds for a call, or for a person.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Make a test call on a trunk, say how it really sends keys and audio, and print the lines of
    sip.conf that fit. Tonewall must not run at the same ports. Status 0: every key arrived; 1: the
    call was refused, or keys are missing; 3: nothing can be concluded."""
    configure_log("preflight", "warning", form="text")
    settings = load_settings(config)
    header, section = _find_section(settings, trunk)
    if wait == bool(to):
        give_up("give either --to NUMBER, which is called, or --wait, for a call that comes in")
    plan = Plan(
        section=header,
        number=to,
        caller=caller or section.user or section.username or "preflight",
        keys=keys,
        by_hand=by_hand or wait,
        patience=patience,
        ask=lambda text: typer.echo(text, err=as_json),
        now=lambda: write_time(time.time()),
        current={name: _as_written(value) for name, value in section.model_dump().items()},
        is_carrier=isinstance(section, CarrierSettings),
    )
    try:
        report = asyncio.run(_try(settings, header, section, port, plan))
    except OSError as error:
        give_up(
            f"SIP or RTP cannot be received: {error.strerror or error}; where Tonewall runs, stop it, or "
            "give another --port"
        )
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(report), indent=1).decode())
    else:
        _print(report)
    raise typer.Exit(_STATUS[report.result])


async def _try(settings: Settings, header: str, section: TrunkSettings, port: int, plan: Plan) -> Report:
    general, media = settings.signalling.general, settings.media
    found = {each.name: each for each in build_trunks(settings.signalling)}
    binds = [bind._replace(port=port) if port else bind for bind in general.binds]
    low, high = media.port_range()
    place = MediaPlace(
        section.media_address or media.address, section.media_advertised or media.advertised, low, high
    )
    phone = TrunkPhone(
        found[trunk_name(header)],
        _distinct(binds),
        TlsContexts(general.tls_certificate, general.tls_key),
        place,
        encrypted=section.srtp,
    )
    try:
        await phone.open()
        return await try_trunk(phone, plan)
    finally:
        await phone.close()


def _find_section(settings: Settings, given: str) -> tuple[str, TrunkSettings]:
    trunks = settings.signalling.trunks
    for header, section in trunks.items():
        if given in (header, trunk_name(header)):
            if section.host == "dynamic" or _is_unspecified(section.host):
                give_up(f"[{header}] registers here: there is nobody to call before it does")
            return header, section
    names = ", ".join(f"`{header}`" for header in trunks)
    return give_up(f"there is no trunk {given!r} in the configuration; there are: {names}")


def _distinct(binds: list[Bind]) -> list[Bind]:
    return list({(each.transport, each.host, each.port): each for each in binds}.values())


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _as_written(value: object) -> str:
    """A value as sip.conf has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _print(report: Report) -> None:
    console = Console(highlight=False)
    title = f"preflight of [{report.section}] at {report.at}: {report.result}"
    console.print(escape(title))
    console.print(f"  {escape(report.why)}\n")
    rows = describe(report)
    if rows:
        table = Table("", "what", "finding", box=None, pad_edge=False)
        for mark, topic, text in rows:
            table.add_row(_MARKS[mark], escape(topic), escape(text))
        console.print(table)
    lines = sip_conf(report)
    if lines:
        console.print("\nThe lines of sip.conf that fit:\n")
        print("\n".join(lines))
