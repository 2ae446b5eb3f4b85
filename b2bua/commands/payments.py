"""`tonewall payments`: lists, shows, refunds and settles payments, and has unknown ones asked
about, over the API of the running Tonewall."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlencode

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from b2bua.api.payments import MAX_LISTED
from b2bua.call.follow_up import FollowUpView
from b2bua.call.link import LinkState
from b2bua.call.view import PaymentView
from b2bua.commands.api_client import ApiClient
from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.payment_words import in_words, link_facts, printable
from b2bua.records import export as out
from b2bua.records import payment_export
from provider_adapters.currency import MINOR_UNITS
from provider_adapters.own_reasons import ALL_REASONS
from provider_adapters.payment import Unknown

app = typer.Typer(
    help="Payments: list, show, reconcile, settle, refund, export.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
NOT_DONE: Final = 1
NOT_KNOWN: Final = 3
_LOOK_EVERY = 0.5  # seconds between two looks at what became of a request
Url = Annotated[str, typer.Option(help="Where the API is; else the Tonewall of this machine.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for what comes of it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
PaymentId = Annotated[str, typer.Argument(metavar="ID", help="The payment's id.")]


@app.command("list")
def list_command(
    config: ConfigFile = None,
    order: Annotated[str, typer.Option(help="Those with this reference of yours only.")] = "",
    outcome: Annotated[str, typer.Option(help="Those with this outcome only, such as unknown.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MAX_LISTED, help="The most payments to list.")] = 20,
    url: Url = "",
) -> None:
    """List payments, the newest first. Times are UTC."""
    asked = {"limit": str(limit)} | ({"transaction_id": order} if order else {})
    asked |= {"outcome": outcome} if outcome else {}
    found = ApiClient.for_config(config, url).fetch(f"/v1/payments?{urlencode(asked)}", list[PaymentView])
    _print_table(found)


@app.command("show")
def show_command(payment: PaymentId, config: ConfigFile = None, url: Url = "") -> None:
    """Show one payment: what became of it, what was done about it, and what to do where that is not
    known."""
    _print_payment(_fetch(ApiClient.for_config(config, url), payment))


@app.command("reconcile")
def reconcile_command(
    payments: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="The payments to ask about.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Ask about all whose outcome is unknown.")] = False,
    config: ConfigFile = None,
    wait: Wait = 15.0,
    url: Url = "",
) -> None:
    """Ask the provider now what became of payments whose outcome is unknown. Status 3 if one still
    is."""
    named = payments or []
    if bool(named) == every:
        give_up("say which payments, or --all")
    api = ApiClient.for_config(config, url)
    asked = api.send("/v1/payments/reconcile", {"payments": named}, list[PaymentView])
    if not asked:
        print("no payment is unknown")
        return
    found = {each.id: each for each in asked}

    def decided() -> bool:
        for key in [key for key, each in found.items() if isinstance(each.outcome, Unknown)]:
            found[key] = _fetch(api, key)
        return not any(isinstance(each.outcome, Unknown) for each in found.values())

    known = _await(decided, wait)
    _print_table(list(found.values()))
    if not known:
        print("what is unknown is asked for again; `tonewall payments show ID` says more", file=sys.stderr)
        raise typer.Exit(NOT_KNOWN)


@app.command("settle")
def settle_command(
    payment: PaymentId,
    outcome: Annotated[
        Literal["approved", "declined", "failed"],
        typer.Option(help="What the provider's own tools show; failed: it has no such payment."),
    ],
    reference: Annotated[str, typer.Option(help="The provider's reference; a refund needs it.")] = "",
    amount: Annotated[
        str, typer.Option(help="How much was approved, such as 9.90, where that is not all.")
    ] = "",
    follow_up: Annotated[
        str, typer.Option(help="The key of a capture, void or refund, in the payment's place.")
    ] = "",
    yes: Yes = False,
    config: ConfigFile = None,
    url: Url = "",
) -> None:
    """Settle by hand what nobody can find out about a payment. Nobody asks about it any more."""
    api = ApiClient.for_config(config, url)
    view = _fetch(api, payment)
    body: dict[str, object] = {"outcome": outcome, "reference": reference, "follow_up": follow_up}
    if amount:
        body["amount"] = _minor(amount, view.order.currency)
    what = f"what was done about {{}} under the key {follow_up}" if follow_up else "{}"
    reference = printable(what.format(view.order.transaction_id))
    _confirm(f"Settle {reference} as {outcome}? It cannot be changed later.", yes=yes)
    _print_payment(api.send(f"{_path(payment)}/settlement", body, PaymentView))


@app.command("refund")
def refund_command(
    payment: PaymentId,
    amount: Annotated[
        str, typer.Option(help="How much, such as 9.90, in the payment's currency; else all that is left.")
    ] = "",
    yes: Yes = False,
    config: ConfigFile = None,
    wait: Wait = 60.0,
    url: Url = "",
) -> None:
    """Refund a payment, or a part of it. Status 0 if it was done or accepted, 1 if it was not, 3 if
    that is not known."""
    api = ApiClient.for_config(config, url)
    view = _fetch(api, payment)
    wanted = _minor(amount, view.order.currency) if amount else view.left["refund"]
    if not wanted and view.offers is not None and not {"refund", "refund_part"} & set(view.offers):
        give_up("the provider of this payment refunds nothing from here")
    if not wanted:
        give_up("nothing of this payment can be refunded; `tonewall payments show` says why")
    before = f", of which {_money(view.refunded, view)} was refunded before" if view.refunded else ""
    _confirm(f"Refund {_money(wanted, view)} of {printable(view.order.transaction_id)}{before}?", yes=yes)
    begun = api.send(f"{_path(payment)}/refunds", {"amount": wanted}, PaymentView).follow_ups[-1]
    last = begun

    def decided() -> bool:
        nonlocal last
        last = next((each for each in _fetch(api, payment).follow_ups if each.key == begun.key), begun)
        return last.outcome is not None

    _await(decided, wait)
    print(f"{begun.key}: refund of {_money(wanted, view)}: {in_words(last.outcome)}")
    if last.outcome is None or isinstance(last.outcome, Unknown):
        raise typer.Exit(NOT_KNOWN)
    if not last.is_done:
        raise typer.Exit(NOT_DONE)


@app.command("export")
def export_command(
    config: ConfigFile = None,
    form: Annotated[out.Format, typer.Option("--format", help="jsonl, json or csv.")] = out.Format.CSV,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="What was submitted from then on."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file; without it, standard output.")
    ] = None,
    url: Url = "",
) -> None:
    """Write payments for the books, oldest first: a row each, and a row for each capture, void and
    refund. Days are local time; what is written is UTC."""
    api = ApiClient.for_config(config, url)
    rows = (row for each in _all_since(api, since) for row in payment_export.rows(each, since))
    found = out.lines(rows, form, payment_export.COLUMNS)
    try:
        if output is None:
            sys.stdout.writelines(found)
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(found)
    except BrokenPipeError:
        raise typer.Exit(0) from None
    except OSError as error:
        give_up(f"the output cannot be written ({error.strerror})")


def _all_since(api: ApiClient, since: datetime | None) -> Iterator[PaymentView]:
    """Every payment that began since then, or about which something was done, oldest first."""
    asked = {"since": str(since.astimezone().timestamp() if since else 0.0), "limit": str(MAX_LISTED)}
    after: dict[str, str] = {}
    while True:
        found = api.fetch(f"/v1/payments?{urlencode(asked | after)}", list[PaymentView])
        yield from found
        if len(found) < MAX_LISTED:
            return
        after = {"after": found[-1].id}


def _fetch(api: ApiClient, payment_id: str) -> PaymentView:
    return api.fetch(_path(payment_id), PaymentView)


def _path(payment_id: str) -> str:
    return f"/v1/payments/{quote(payment_id, safe='')}"


def _await(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def _confirm(question: str, *, yes: bool) -> None:
    """Ask whoever sits there, unless they said yes before."""
    if yes:
        return
    if not sys.stdin.isatty():
        give_up("nobody can be asked here: say --yes")
    typer.confirm(question, abort=True, err=True)


def _minor(text: str, currency: str) -> int:
    """An amount as a person writes it, in the currency's minor unit."""
    decimals = MINOR_UNITS.get(currency, 2)
    whole, _, fraction = text.partition(".")
    digits = whole + fraction.ljust(decimals, "0")
    if not (digits.isascii() and digits.isdecimal()) or len(fraction) > decimals or not whole:
        sample = "10." + "50".ljust(decimals, "0")[:decimals] if decimals else "10"
        give_up(f"--amount: expected an amount in {currency} such as {sample}")
    return int(digits)


def _money(amount: int, payment: PaymentView) -> str:
    if payment.order.operation == "deliver":
        return f"form {payment.order.form}"
    decimals = MINOR_UNITS.get(payment.order.currency, 2)
    digits = str(amount).rjust(decimals + 1, "0")
    number = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
    return f"{payment.order.currency} {number}"


def _state(payment: PaymentView) -> str:
    if payment.link is not None and payment.link.state not in (LinkState.PAID, LinkState.FAILED):
        return f"link {payment.link.state.value}"
    if payment.outcome is None:
        return payment.stage.value
    return str(type(payment.outcome).__struct_config__.tag).replace("_", " ")


def _print_table(payments: list[PaymentView]) -> None:
    console = Console(highlight=False)
    if not payments:
        console.print("no such payments", markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("payment", "started UTC", "reference", "amount", "outcome", "refunded", "card"):
        table.add_column(name, no_wrap=name != "reference", overflow="fold")
    for each in payments:
        card = " ".join(filter(None, (each.brand, each.last_four)))
        refunded = _money(each.refunded, each) if each.refunded else ""
        cells = (
            each.id, each.started_at[:19].replace("T", " "), each.order.transaction_id,
            _money(each.order.amount, each), _state(each), refunded, card,
        )  # fmt: skip
        table.add_row(*(escape(printable(cell)) for cell in cells))
    console.print(table)


def _print_payment(payment: PaymentView) -> None:
    outcome = payment.outcome
    facts: dict[str, Any] = {
        "payment": payment.id,
        "reference": payment.order.transaction_id,
        "amount": f"{_money(payment.order.amount, payment)}, {payment.order.operation}",
        "started": f"{payment.started_at} by {payment.started_by or '-'}",
        "submitted": payment.submitted_at,
        "call": payment.call,
        "saved from": payment.saved_from,
        **link_facts(payment.link),
        "card": " ".join(filter(None, (payment.brand, payment.last_four))),
        "stage": payment.stage.value,
        "outcome": in_words(outcome) if outcome is not None else payment.reason,
        "provider's reference": getattr(outcome, "reference", None),
        "provider": getattr(outcome, "provider", None),
        "found": _found(payment),
        "captured": _money(payment.captured, payment) if payment.captured else None,
        "refunded": _money(payment.refunded, payment) if payment.refunded else None,
        "voided": _money(payment.voided, payment) if payment.voided else None,
        "to do": _to_do(payment),
    }
    lines = [(name, str(value)) for name, value in facts.items() if value]
    lines += [(each.kind, _follow_up(each, payment)) for each in payment.follow_ups]
    for name, text in lines:
        print(f"{name:<21}{printable(text)}")


def _found(each: PaymentView | FollowUpView) -> str:
    """When and by whom its outcome was found, where that was not the sender."""
    if not each.decided_at or not each.decided_by:
        return ""
    return f"{each.decided_at} by {each.decided_by}{f' {each.settled_by}' if each.settled_by else ''}"


def _follow_up(each: FollowUpView, payment: PaymentView) -> str:
    amount = _money(each.amount, payment)
    return f"{amount} at {each.at} by {each.by or '-'}, key {each.key}: {in_words(each.outcome)}"


def _to_do(payment: PaymentView) -> str:
    """What whoever runs Tonewall has to do about it; empty where that is nothing."""
    reason = getattr(payment.outcome, "reason", "")
    known = ALL_REASONS.get(reason)
    if known is not None and known.operator:
        return known.operator
    if isinstance(payment.outcome, Unknown):
        return "It is asked for at the provider by itself; `tonewall payments reconcile` asks now."
    return ""
