"""Charges a provider's published test card in its sandbox, and says what came back, step by step:
`python -m provider_adapters.payer.trial`.

It reads its account from TONEWALL_PROVIDER_*, asks whether the key is known, charges, asks for the
charge where that can be done, opens a payment link and closes it where there are some, and prints a
line of JSON for each request and each result. To a company's own service it delivers a form of
zeros.

Rule 1: it charges only where no money moves (registry.Row.is_sandbox), and delivers only to a
        service that promises, by its answer to the examination, to keep nothing of it, or to this
        machine. There is no argument by which that could be turned off.
Rule 2: it writes no journal: what it charges is nobody's order.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
import uuid
from collections.abc import Generator
from typing import Any

import msgspec

from provider_adapters import registry
from provider_adapters.account import Account
from provider_adapters.base import Inquiry, NotFound, Request, Response
from provider_adapters.card import FIELDS, Card, CardBlock
from provider_adapters.delivery import TEST_FORM
from provider_adapters.errors import ProviderError
from provider_adapters.keyed import FormBlock
from provider_adapters.payer.charging import discreet
from provider_adapters.payer.environment import BadAccount, read_account
from provider_adapters.payer.examine import examine
from provider_adapters.payer.runner import Runner
from provider_adapters.payment import (
    LINK_CLOSED,
    WRONG_CONFIGURATION,
    Approved,
    Charge,
    Failed,
    Link,
    LinkRequest,
    Operation,
    Outcome,
    Unknown,
    outcome_type,
)
from provider_adapters.reasons import REASONS
from tonewall.log import configure_log

NOT_A_SANDBOX = 3
_LINK_LIFE = 3600.0  # seconds
_NOT_APPROVED = 1
_TEST_FIELD, _TEST_LENGTH = "test", 10


def tell(**what: object) -> None:
    """Print one line of the story."""
    sys.stdout.write(msgspec.json.encode(what).decode() + "\n")
    sys.stdout.flush()


def watch(step: str, flow: Generator[Request, Response, Any]) -> Generator[Request, Response, Any]:
    """The flow, with a line for each request and the status of its answer; none where no answer
    came."""
    try:
        request = next(flow)
        while True:
            since = time.monotonic()
            status: int | None = None
            try:
                response = yield request
                status = response.status
            finally:
                seconds = round(time.monotonic() - since, 3)
                tell(step=step, method=request.method, path=request.path, status=status, seconds=seconds)
            request = flow.send(response)
    except StopIteration as end:
        return end.value
    finally:
        flow.close()


def show(step: str, outcome: Outcome) -> None:
    """A line for what became of the charge."""
    reason = REASONS.get(getattr(outcome, "reason", ""))
    tell(
        step=step,
        outcome=outcome_type(outcome),
        details={
            name: value
            for name, value in msgspec.to_builtins(outcome).items()
            if name != "type" and value not in (None, "")
        },
        says="" if reason is None else reason.operator or reason.en,
    )


async def run(account: Account, amount: int, currency: str) -> Outcome:
    """Examine, charge, inquire."""
    row = registry.ADAPTERS[account.adapter]
    examined = await examine(account)
    tell(step="examination", found=examined.found, says=examined.says)
    key = f"trial-{uuid.uuid4().hex}"
    charge = Charge(
        idempotency_key=key,
        transaction_id=f"tonewall-{key[:14]}",
        amount=amount,
        currency=currency or row.test_currency,
        description="Tonewall trial",
    )
    flow, runner = registry.load(account), Runner(account)
    if row.is_own_service:
        await runner.close()
        return await _try_delivery(account, charge, is_ready=examined.found == "accepted")
    card = make_card(row.test_card)
    if Operation.CHARGE not in flow.OPERATIONS:
        await runner.close()
        card.wipe()
        return await _try_link(account, charge)
    try:
        await runner.open()
        outcome = discreet(
            await runner.settle(
                watch("charge", flow.charge(charge, card)),
                lambda notes: watch("inquiry", flow.inquire(charge, notes)),
            ),
            card,
        )
        show("charge", outcome)
        if isinstance(outcome, Approved):
            await _inquire(runner, flow.inquire(charge, runner.notes))
    finally:
        card.wipe()
        await runner.close()
    if Operation.LINK in flow.OPERATIONS:
        await _try_link(account, charge)
    return outcome


async def _try_delivery(account: Account, charge: Charge, *, is_ready: bool) -> Outcome:
    """Deliver a form of zeros, by the name that says what it is."""
    if not is_ready and not registry.ADAPTERS[account.adapter].is_sandbox(account.url, account.api_key):
        failed = Failed(reason="not_sent")
        show("delivery", failed)
        return failed
    charge = msgspec.structs.replace(charge, amount=0, currency="", operation="deliver", form=TEST_FORM)
    flow, runner = registry.load(account), Runner(account)
    block = FormBlock([(_TEST_FIELD, _TEST_LENGTH)])
    block.space()[:] = b"0" * _TEST_LENGTH
    fields = block.fields()
    try:
        await runner.open()
        found = await runner.settle(
            watch("delivery", flow.charge(charge, fields)), lambda _: watch("delivery", _nothing_to_ask())
        )
        outcome = discreet(found, fields)
    finally:
        block.wipe()
        await runner.close()
    show("delivery", outcome)
    return outcome


async def _try_link(account: Account, charge: Charge) -> Outcome:
    """Open a payment link, and close it unpaid."""
    closed: Outcome | Link | None
    flow, runner = registry.load_links(account), Runner(account)
    assert flow is not None
    charge = msgspec.structs.replace(charge, idempotency_key=f"{charge.idempotency_key}-link")
    request = LinkRequest(charge=charge, expires_at=time.time() + _LINK_LIFE)
    try:
        found = await runner.settle(
            watch("link", flow.open_link(request)), lambda _: watch("link", _nothing_to_ask())
        )
        if not isinstance(found, Link):
            ended: Outcome = found
            show("link", ended)
            return ended
        tell(step="link", found="opened", says=found.url)
        closed = await runner.drive(watch("link", flow.close_link(charge, found)))
    except ProviderError as error:
        closed = Unknown(reason=error.reason)
    finally:
        await runner.close()
    if closed is None or isinstance(closed, Link):
        closed = Unknown(reason="not_cancelled")
    show("link", closed)
    return closed


def _nothing_to_ask() -> Any:
    return None
    yield


async def _inquire(runner: Runner, inquiry: Inquiry) -> None:
    try:
        found = await runner.drive(watch("inquiry", inquiry))
    except ProviderError as error:
        tell(step="inquiry", found=error.reason, says="it could not be asked")
        return
    if found is None or isinstance(found, NotFound):
        says = "the provider does not show the charge, or not yet"
        tell(step="inquiry", found="nothing" if found is None else "not_found", says=says)
    else:
        show("inquiry", found)


def make_card(published: registry.TestCard) -> Card:
    """The published card as an adapter takes it."""
    digits = (published.number, published.expiry, published.code)
    block = CardBlock([(name, len(text)) for name, text in zip(FIELDS, digits, strict=True)])
    block.space()[:] = "".join(digits).encode("ascii")
    return block.card()


def main() -> int:
    """Charge once. Returns 0 where that was approved (where no card is taken: a link closed), 1
    where not, 3 where it is no sandbox, 78 where the settings are wrong."""
    arguments = argparse.ArgumentParser(prog="provider_adapters.payer.trial", description=main.__doc__)
    arguments.add_argument("--amount", type=int, default=100, help="in the currency's minor unit")
    arguments.add_argument("--currency", default="", help="instead of the sandbox's usual one")
    chosen = arguments.parse_args()
    configure_log("trial", "error")
    try:
        account = read_account(os.environ)
        row = registry.ADAPTERS[account.adapter]
        if not row.is_own_service and not row.is_sandbox(account.url, account.api_key):
            return NOT_A_SANDBOX
        card = "" if row.is_own_service else f"…{row.test_card.number[-4:]}"
        tell(step="start", provider=row.title, url=account.url, card=card)
        outcome = asyncio.run(run(account, chosen.amount, chosen.currency))
    except BadAccount as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_CONFIGURATION
    except OSError as error:
        sys.stderr.write(f"ca_file: {error.strerror or 'holds no certificates'}\n")
        return WRONG_CONFIGURATION
    as_wanted = isinstance(outcome, Approved) or outcome == Failed(reason=LINK_CLOSED)
    return 0 if as_wanted else _NOT_APPROVED


if __name__ == "__main__":
    sys.exit(main())
