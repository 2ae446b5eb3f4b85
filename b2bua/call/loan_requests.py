"""Two calls that a transfer joins (RFC 5589): one lends its leg to the other.

Rule 1: what the other call asks of a leg on loan is carried out here, and what becomes of that leg
        is told to the other call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from b2bua.call import leg_command
from b2bua.call.command import CallCommand
from b2bua.call.mid_call_requests import MidCallRequests
from b2bua.call.report import CallReport
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.transfer.leg_loan import LegLoan
from b2bua.call.transfer.plan import AttendedTransfer
from b2bua.call.transfer.transfer import Transfer
from media.events import Side


class LoanRequests(ABC):
    """The requests for one call, which has the parts below."""

    __slots__ = ()

    transfer: Transfer
    loan: LegLoan
    report: CallReport
    mid_call_requests: MidCallRequests

    @abstractmethod
    def _finish(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """The commands, and whatever follows from the new state."""

    @abstractmethod
    def _finish_exchange(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """The same, after an event that may have ended an offer/answer exchange."""

    def borrow_leg(
        self, plan: AttendedTransfer, loaned: LoanedLeg, referral: str, now: float
    ) -> list[CallCommand]:
        """Begin to replace one of our legs by another call's."""
        return self._finish_exchange(self.transfer.borrow_leg(plan, loaned, referral, now), now)

    def lend_leg(self, side: Side, now: float) -> tuple[LoanedLeg, list[CallCommand]]:
        """Lend this side's leg to another call; returns what that call needs to know."""
        return self.loan.lend_leg(side), self._finish(self.mid_call_requests.answer_all(), now)

    def borrower_command(self, command: leg_command.LegCommand, now: float) -> list[CallCommand]:
        """Execute a command of the call that borrows our leg."""
        return self._finish(self.loan.borrower_command(command), now)

    def leg_returned(self, now: float) -> list[CallCommand]:
        """Take the leg back: the other call does not need it."""
        return self._finish_exchange(self.loan.leg_returned(), now)

    def leg_kept(self, by: str, now: float) -> list[CallCommand]:
        """End this call: the other one, `by`, keeps the leg."""
        self.report.ledger.left(self.loan.side, now)
        return self._finish(self.loan.leg_kept(by), now)
