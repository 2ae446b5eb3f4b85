"""Asks each provider whether it knows us: `python -m provider_adapters.payer.examine`.

It reads its accounts from TONEWALL_PROVIDER_*, sends what each adapter's `examine` yields, which
moves no money, and prints a line of JSON for each: `{"name": …, "found": …, "says": …}`. `found` is
`accepted`, `refused` (the provider said what is wrong) or `unclear`.

Rule: what it says is our own words; nothing of the key, and nothing that the provider wrote.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import Literal

import msgspec

from provider_adapters import registry
from provider_adapters.account import Account
from provider_adapters.errors import ProviderError
from provider_adapters.payer.environment import BadAccount, read_accounts
from provider_adapters.payer.runner import Runner
from provider_adapters.payment import WRONG_CONFIGURATION
from provider_adapters.reasons import REASONS
from tonewall.log import configure_log, get_logger

_PATIENCE = 10.0  # seconds for one provider
log = get_logger(__name__)


class Examined(msgspec.Struct, frozen=True):
    """What a provider made of the account."""

    name: str
    found: Literal["accepted", "refused", "unclear"]
    says: str


async def examine(account: Account) -> Examined:
    """Ask one provider."""
    runner = Runner(account)
    try:
        async with asyncio.timeout(_PATIENCE):
            flow = registry.load(account)
            return judge(account.name, await runner.drive(flow.examine()), flow.PROVES)
    except (ProviderError, TimeoutError) as error:
        reason = error.reason if isinstance(error, ProviderError) else "no_answer_in_time"
        return Examined(account.name, "unclear", f"it could not be asked ({reason})")
    except Exception as error:
        log.error("adapter_failed", exc_info=error)
        return Examined(account.name, "unclear", "it could not be asked (adapter_failed)")
    finally:
        await runner.close()


def judge(name: str, reason: str | None, proves: str = "") -> Examined:
    """What an examination's result means. `reason`: a word of REASONS, where the provider says what
    is wrong; another where it does not. `proves`: what is proven where nothing is wrong."""
    if reason is None:
        return Examined(name, "accepted", proves or "the key is accepted")
    if reason == "request_refused":
        return Examined(
            name, "refused", "it does not understand what it is asked; look at url (request_refused)"
        )
    known = REASONS.get(reason)
    if known is None or reason == "try_again_later":
        return Examined(name, "unclear", f"it does not say whether the key is good ({reason})")
    return Examined(name, "refused", f"{known.operator or known.en} ({reason})")


async def examine_all(accounts: list[Account]) -> list[Examined]:
    """Ask all of them at once."""
    return await asyncio.gather(*(examine(account) for account in accounts))


def main() -> int:
    """Ask and print. Returns 78 where the settings are wrong, else 0."""
    argparse.ArgumentParser(prog="provider_adapters.payer.examine", description=main.__doc__).parse_args()
    configure_log("examine", "error")
    try:
        accounts = read_accounts(os.environ)
        found = asyncio.run(examine_all(accounts))
    except BadAccount as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_CONFIGURATION
    except OSError as error:
        sys.stderr.write(f"ca_file: {error.strerror or 'holds no certificates'}\n")
        return WRONG_CONFIGURATION
    sys.stdout.write("".join(msgspec.json.encode(each).decode() + "\n" for each in found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
