"""Charges one card, or delivers one form, and ends: `python -m provider_adapters.payer.process
--fd N`.

`--fd` is its end of a socket pair with media.

It reads its account from TONEWALL_PROVIDER_*, prepares everything that needs no card, says Ready,
waits for one charge, and exits after the outcome, or when media closes. With it goes whatever JSON,
TLS and Python copied of the card.

Rule 1: it does not start where freed memory is not overwritten (tonewall.process.card_environment).
Rule 2: whatever happens, media gets an outcome: Failed if nothing was sent, else the provider's
        answer or Unknown.
Rule 3: a payer that waits ends as soon as the journal can no longer be written: nobody shall key a
        card for it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from provider_adapters.account import Account, patience
from provider_adapters.card import CardBlock
from provider_adapters.keyed import BadFields, FormBlock
from provider_adapters.payer.charging import Charging
from provider_adapters.payer.environment import BadAccount, read_accounts
from provider_adapters.payer.journal import Journal
from provider_adapters.payer.messages import (
    ChargeRequest,
    Ready,
    Resolution,
    Resolved,
    Result,
    receive_exactly,
    receive_request,
)
from provider_adapters.payment import (
    JOURNAL_FAILED,
    WRONG_CONFIGURATION,
    Failed,
    Outcome,
    outcome_type,
)
from tonewall.confinement import ALONE, confine
from tonewall.frames import BadFrame, pack
from tonewall.log import configure_log, get_logger
from tonewall.process import harden, ignore_hangup, overwrites_freed_memory

_LOOK_EVERY = 3.0  # seconds between two looks at the journal while no charge comes
log = get_logger(__name__)


class JournalFailed(Exception):
    """The journal cannot be written; the cause is an OSError."""


class Payer:
    """What is prepared for one charge."""

    def __init__(self, accounts: Sequence[Account], sock: socket.socket) -> None:
        self._patience = patience(accounts)
        self._sock = sock
        self._journal = Journal(Path(accounts[0].journal))
        self._charging = Charging(accounts, self._journal)

    def serve(self) -> None:
        """Wait for one charge and answer it. Returns early where media closes before it handed over
        everything.

        Raises JournalFailed before a charge comes, OSError and BadFrame where the socket fails."""
        with asyncio.Runner() as loop:
            self._look_at_journal()
            loop.run(self._charging.open())
            try:
                self._sock.sendall(pack(Ready(pid=os.getpid(), patience=self._patience)))
            # Media ended while this process was started.
            except (BrokenPipeError, ConnectionResetError):
                return
            request = self._await_charge()
            if request is None:
                return
            # From here on the charge is brought to its end, also where whoever started us stops.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            outcome = self._take(request, loop)
            if outcome is not None:
                log.info("charged", outcome=outcome_type(outcome), payment=request.charge.idempotency_key)
                # Media may be gone; the journal has the outcome.
                with contextlib.suppress(OSError):
                    self._sock.sendall(pack(Result(outcome=outcome)))
            loop.run(self._charging.close())

    def _await_charge(self) -> ChargeRequest | None:
        """The charge; until it comes, what the journal says of others. None where media closed."""
        # Not select.select(), which takes no descriptor from 1,024 on.
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        while True:
            while not poll.poll(_LOOK_EVERY * 1000):
                self._look_at_journal()
            request = receive_request(self._sock)
            if not isinstance(request, Resolution):
                return request
            try:
                outcome = self._journal.resolve(request.charge, request.submitted_at, self._patience)
            except OSError as error:
                raise JournalFailed from error
            try:
                self._sock.sendall(pack(Resolved(outcome=outcome)))
            except (BrokenPipeError, ConnectionResetError):  # the next receive says so, too
                return None

    def _look_at_journal(self) -> None:
        try:
            self._journal.open()
        except OSError as error:
            raise JournalFailed from error

    def _take(self, request: ChargeRequest, loop: asyncio.Runner) -> Outcome | None:
        block: CardBlock | FormBlock
        is_delivery = request.charge.operation == "deliver"
        refused = Failed(reason="bad_fields" if is_delivery else "bad_card")
        try:
            block = FormBlock(request.fields) if is_delivery else CardBlock(request.fields)
        except BadFields:
            return refused
        try:
            if not receive_exactly(self._sock, block.space()):
                return None
            keyed = block.fields() if isinstance(block, FormBlock) else block.card()
            return loop.run(self._charging.charge(request.charge, keyed))
        except BadFields:
            return refused
        finally:
            block.wipe()


def main() -> NoReturn:
    """Run one payer, and exit: 0 after an outcome or an end, 78 where it may not start."""
    status = _run()
    sys.stderr.flush()
    # Not sys.exit: taking the interpreter down in order takes 40 ms, in which copies of the card
    # would outlive the charge.
    os._exit(status)


def _run() -> int:
    arguments = argparse.ArgumentParser(prog="provider_adapters.payer.process", description=main.__doc__)
    arguments.add_argument("--fd", type=int, required=True, help="the socket to media, inherited")
    arguments.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    chosen = arguments.parse_args()
    configure_log("payer", chosen.log_level)
    ignore_hangup()
    # Ctrl-C reaches the whole group; our end is media's close.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not overwrites_freed_memory():
        log.error(
            "refused_to_start", why="freed memory is not overwritten", hint="start with card_environment()"
        )
        return WRONG_CONFIGURATION
    if not harden():
        log.debug("memory_not_locked", hint="raise RLIMIT_MEMLOCK to keep the payer out of swap")
    confine(ALONE)
    with socket.socket(fileno=chosen.fd) as sock:
        try:
            payer = Payer(read_accounts(os.environ), sock)
        except OSError as error:
            log.error("refused_to_start", why="a certificate file cannot be read", exc_info=error)
            return WRONG_CONFIGURATION
        except BadAccount as error:
            sys.stderr.write(f"{error}\n")
            return WRONG_CONFIGURATION
        try:
            payer.serve()
        except JournalFailed as failed:
            cause = failed.__cause__
            why = cause.strerror if isinstance(cause, OSError) else None
            log.error("journal_failed", setting="[provider] journal", why=why, exc_info=cause)
            return JOURNAL_FAILED
        except (OSError, BadFrame) as error:
            log.error("gave_up", exc_info=error)
            return 1
    return 0


if __name__ == "__main__":
    main()
