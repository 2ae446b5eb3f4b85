"""`tonewall self-test`: calls through the real carrier, and shows that no key reaches the agent's
side."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from b2bua.audit.entry import write_time
from b2bua.audit.signing_key import read_private
from b2bua.commands.api_client import ApiClient
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.config.audit_log import digest
from b2bua.config.settings import Settings
from b2bua.self_test.phone import Phone, PhoneFailed
from b2bua.self_test.report import describe_trial, write_report
from b2bua.self_test.trial import Plan, Result, Trial, try_line
from b2bua.sip.hop import Transport
from tonewall.version import VERSION

_STATUS = {Result.PASSED: 0, Result.FAILED: 1, Result.INCONCLUSIVE: 3}


def self_test(
    to: Annotated[str, typer.Option(help="The number that comes back in through the carrier.")],
    config: ConfigFile = None,
    trunk: Annotated[
        str, typer.Option(help="The trunk that is the self-test's telephone.")
    ] = "pbx self-test",
    caller: Annotated[str, typer.Option("--from", help="The number that it calls from.")] = "self-test",
    wait: Annotated[
        bool, typer.Option("--wait", help="Do not call: a person calls from outside, and keys.")
    ] = False,
    keys: Annotated[int, typer.Option(min=8, max=64, help="Canary keys of each form.")] = 16,
    patience: Annotated[
        float, typer.Option(min=5, help="Seconds for a call to come, or for a person.")
    ] = 60.0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A directory for the report; else [audit] reports.")
    ] = None,
    url: Annotated[str, typer.Option(help="The API; without it, as ready.json says.")] = "",
) -> None:
    """Press canary keys on a test call through the carrier, and count what arrives at an agent's
    telephone. Status 0: none under the mask; 1: some; 3: nothing was shown. Tonewall has to run."""
    settings = load_settings(config)
    section = settings.signalling.trunks.get(trunk)
    if section is None:
        give_up(f"there is no [{trunk}]: the self-test needs a trunk of its own, see docs/self-test.md")
    if not _is_numeric(section.host) or not section.port:
        give_up(f"[{trunk}] host and port: expected a numeric address of this machine, and a port")
    audit = settings.signalling.audit
    directory = output or audit.reports
    if directory is None:
        give_up("where does the report go? Give -o DIRECTORY, or set [audit] reports")
    try:
        key = read_private(audit.key_file) if audit.key_file is not None else None
    except (OSError, ValueError) as error:
        give_up(f"{audit.key_file}: {error}")
    plan = Plan(to, keys=keys, by_hand=wait, patience=patience, ask=typer.echo, now=_now)
    api = _Api(ApiClient.for_config(config, url))
    try:
        trial = asyncio.run(_try(settings, (section.host, section.port), caller, api, plan))
    except OSError as error:
        give_up(f"[{trunk}]: {section.host}:{section.port} cannot be used: {error.strerror or error}")
    trial.product, trial.configuration = f"tonewall {VERSION}", digest(settings.signalling)
    for line in describe_trial(trial):
        typer.echo(line)
    try:
        path = write_report(trial, directory, key)
    except OSError as error:
        give_up(f"{directory}: {error.strerror or error}")
    typer.echo(f"report: {path}" + ("" if key else ", not signed: there is no [audit] key_file"))
    raise typer.Exit(_STATUS[trial.result])


async def _try(settings: Settings, at: tuple[str, int], caller: str, api: _Api, plan: Plan) -> Trial:
    phone = Phone(at[0], _find_tonewall(settings, at[0]), caller)
    await phone.open(at[1])
    try:
        return await try_line(phone, api, plan)
    except PhoneFailed as error:
        return Trial(at=_now(), result=Result.INCONCLUSIVE, why=str(error), number=plan.number)
    finally:
        await phone.close()


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _find_tonewall(settings: Settings, host: str) -> tuple[str, int]:
    """Where SIP over UDP is received, in the family of this address."""
    version = ipaddress.ip_address(host).version
    for bind in settings.signalling.general.binds:
        address = ipaddress.ip_address(bind.host)
        if bind.transport is Transport.UDP and address.version == version:
            return (host if address.is_unspecified else bind.host), bind.port
    return give_up("[general] listen has no address for UDP: the self-test's telephone speaks UDP alone")


class _Api:
    """The requests of a trial, each in a thread of its own."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def calls(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self._client.fetch, "/v1/calls", list[dict[str, Any]])

    async def call(self, call_id: str) -> dict[str, Any]:
        return dict(await asyncio.to_thread(self._client.fetch, f"/v1/calls/{call_id}", dict[str, Any]))

    async def mask(self, call_id: str) -> None:
        await asyncio.to_thread(self._client.send, f"/v1/calls/{call_id}/mask", {}, Any)


def _now() -> str:
    return write_time(time.time())
