"""Asks for the outcomes of payments that cannot come by themselves any more.

Rule 1: what was submitted is asked for after media was lost, after a restart, and after a silence
        longer than any charge takes.
Rule 2: after GIVEN_UP seconds of asking an outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from b2bua.call.view import CaptureStage, PaymentView
from media.events import ResolveCharge

SILENT = 600.0  # seconds after a submission: longer than media lets a charge take
GIVEN_UP = 900.0  # seconds of asking, after which an outcome is unknown


@dataclass(slots=True)
class OpenPayment:
    """A payment that is not final, or whose end is not on disk yet. `in_call`: a call of this
    process has it, and records it. `repeats`: earlier payments of the order that the agent repeats
    expressly. `asked_since`: when its outcome was first asked for."""

    view: PaymentView
    in_call: bool = True
    repeats: tuple[str, ...] = ()
    submitted_at: float = 0.0
    asked_since: float | None = None

    @property
    def is_charging(self) -> bool:
        """Whether an outcome is to come."""
        return self.view.stage is CaptureStage.CHARGING


def ask_for_all(payments: Iterable[OpenPayment], now: float) -> None:
    """Ask for the outcome of whatever was submitted, from now on."""
    for each in payments:
        if each.is_charging and each.asked_since is None:
            each.asked_since = now


def questions(payments: Iterable[OpenPayment], now: float) -> Iterator[ResolveCharge]:
    """The commands that ask media for outcomes, every second or so."""
    for each in payments:
        if each.is_charging and each.asked_since is None and now - each.submitted_at > SILENT:
            each.asked_since = now
        if each.is_charging and each.asked_since is not None:
            charge = each.view.order.charge(each.view.id)
            yield ResolveCharge(charge=charge, submitted_at=each.submitted_at)


def given_up(payments: Iterable[OpenPayment], now: float) -> list[str]:
    """The payments whose outcomes were asked for in vain for too long."""
    return [
        each.view.id
        for each in payments
        if each.is_charging and each.asked_since is not None and each.asked_since < now - GIVEN_UP
    ]
