"""`tonewall webhooks`: lists what your own services got, sends an event again, and tries a service
out."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Final, Literal
from urllib.parse import quote, urlencode

import msgspec
import typer

from b2bua.api.webhook_routes import MAX_LISTED
from b2bua.call.webhook_kinds import PREFIX
from b2bua.commands.api_client import ApiClient
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.payment_words import printable
from b2bua.commands.settings import load_settings
from b2bua.config.event_settings import webhook_name
from b2bua.config.webhooks import build_sender, event_source
from b2bua.notify.message import Message
from b2bua.notify.sender import Sender
from b2bua.switchboard.payment_views import timestamp
from b2bua.switchboard.webhook_views import DeliveryView, WebhookView
from tonewall.ini import ConfigError
from tonewall.tokens import token

app = typer.Typer(help="Webhooks: list, redeliver, test.", no_args_is_help=True, rich_markup_mode=None)
NOT_ACCEPTED: Final = 1
_TEST: Final = "webhook.test"
Url = Annotated[str, typer.Option(help="Where the API is; else the Tonewall of this machine.")]


@app.command("list")
def list_command(
    config: ConfigFile = None,
    state: Annotated[
        Literal["waiting", "delivered", "failed"] | None, typer.Option(help="Those in this state only.")
    ] = None,
    webhook: Annotated[str, typer.Option(help="Those to [webhook NAME] of this name only.")] = "",
    payment: Annotated[str, typer.Option(help="Those of the payment with this id only.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MAX_LISTED, help="The most deliveries to list.")] = 20,
    url: Url = "",
) -> None:
    """List the services, then what became of deliveries, the newest first. Times are UTC."""
    api = ApiClient.for_config(config, url)
    services = api.fetch("/v1/webhooks", list[WebhookView])
    if not services:
        print("sip.conf has no [webhook NAME]")
    for each in services:
        key = f", public key {each.public_key}" if each.public_key else ""
        why = f" ({each.reason})" if each.reason else ""
        print(f"{each.name}: {each.host}, {each.waiting} wait{why}, {each.failed} failed today{key}")
    given = {"limit": str(limit), "state": state or "", "webhook": webhook, "payment": payment}
    asked = urlencode({name: value for name, value in given.items() if value})
    _print_table(api.fetch(f"/v1/webhooks/deliveries?{asked}", list[DeliveryView]))


@app.command("redeliver")
def redeliver_command(
    deliveries: Annotated[list[str], typer.Argument(metavar="ID...", help="The deliveries, as listed.")],
    config: ConfigFile = None,
    url: Url = "",
) -> None:
    """Send events again, under the same `webhook-id`."""
    api = ApiClient.for_config(config, url)
    sent = [
        api.send(f"/v1/webhooks/deliveries/{quote(each, safe='')}/redeliver", {}, DeliveryView)
        for each in deliveries
    ]
    _print_table(sent)


@app.command("test")
def try_command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Which services; else all.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Send each service a test event from here, once, as sip.conf says. Status
    1 if one does not accept it. It needs no running Tonewall, and nothing is kept."""
    settings = load_settings(config).signalling
    found = {webhook_name(header): (header, each) for header, each in settings.webhooks.items() if each.url}
    if unknown := [each for each in names or () if each not in found]:
        give_up(f"there is no [webhook {unknown[0]}] in sip.conf")
    if not found:
        give_up("sip.conf has no [webhook NAME]")
    source, refused = event_source(settings), False
    for name in names or found:
        try:
            sender = build_sender(*found[name])
        except ConfigError as error:
            give_up(f"the configuration is wrong:\n{error}")
        reason = asyncio.run(_try(sender, source))
        print(f"{name}: {sender.host} {f'does not accept it ({reason})' if reason else 'accepts it'}")
        refused = refused or bool(reason)
    raise typer.Exit(NOT_ACCEPTED if refused else 0)


async def _try(sender: Sender, source: str) -> str:
    now, event = time.time(), f"evt_{token(16)}"
    body = {
        "specversion": "1.0", "id": event, "source": source, "type": PREFIX + _TEST, "time": timestamp(now),
        "subject": "test", "datacontenttype": "application/json", "data": {},
    }  # fmt: skip
    message = Message(
        id=event, subject="test", kind=_TEST, body=msgspec.json.encode(body), created_at=now, until=now
    )
    try:
        return await sender.send(message, now)
    finally:
        await sender.close()


def _print_table(deliveries: list[DeliveryView]) -> None:
    """A line each, whatever the width of the terminal: an id must be copied whole."""
    if not deliveries:
        print("no such deliveries")
        return
    rows = [("delivery", "type", "payment", "state", "tries", "tried UTC", "reason")]
    for each in deliveries:
        tried = (each.tried_at or "")[:19].replace("T", " ")
        kind = each.type.removeprefix(PREFIX)
        rows.append((each.id, kind, each.subject, each.state, str(each.attempts), tried, each.reason))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
