"""Plans an attended transfer between two calls of ours (RFC 5589 section 7): decides which of them
goes on, after a REFER whose Replaces names a leg of the other.

Rule 1: the call that goes on keeps its customer's leg, its media session, its mask and its capture.
        The other one lends its leg (`leg_loan`) and ends. The call of the REFER goes on, unless
        only the reverse is safe.
Rule 2: into a masked call only a leg of a PBX comes, and only to the agent's side. A masked call
        lends no leg.
Rule 3: where a carrier and a PBX are joined, the carrier's leg is on the customer's side, because
        the mask is on the path from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from b2bua.call.call import Call
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.state import BridgeState
from b2bua.call.transfer.plan import AttendedTransfer
from media.events import Side


@dataclass(frozen=True, slots=True)
class JoinCandidate:
    """One of the two calls. `leaves`: the side of the transferor's leg, which ends."""

    call: Call
    leaves: Side

    @property
    def stays(self) -> Side:
        """The side whose leg goes on."""
        return OTHER[self.leaves]

    @property
    def masked(self) -> bool:
        """Whether the call is masked, or may be."""
        return self.call.payment.masked


def plan_join(
    asked: JoinCandidate, named: JoinCandidate | None, side_of: Callable[[str], Side | None]
) -> AttendedTransfer | int:
    """Plan how the call of a REFER and the call that it names are joined; an int is the code that
    refuses the REFER. `side_of`: the side of a trunk, by its name."""
    if named is None:
        return 481
    code = 603 if asked.call is named.call else _busy_code(asked) or _busy_code(named)
    if asked.call.unattended.active or named.call.unattended.active:
        return 603  # an end of ours goes with its own call
    if code:
        return code
    if not asked.call.bridge.offer_answer.has_same_kinds(named.call.bridge.offer_answer):
        return 488
    if _is_safe(asked, named, side_of):
        plan = AttendedTransfer(asked.leaves, named.stays, lender_asked=False)
        return plan if _have_same_interface(asked, named) else 488
    if _is_safe(named, asked, side_of):
        plan = AttendedTransfer(named.leaves, asked.stays, lender_asked=True)
        return plan if _have_same_interface(named, asked) else 488
    return 603


def _busy_code(candidate: JoinCandidate) -> int:
    """The code for a call that cannot be joined now; 0 for one that can."""
    call = candidate.call
    if call.bridge.state is not BridgeState.UP or not call.bridge.offer_answer.complete:
        return 480
    busy = call.transfer.active or call.loan.active or not call.bridge.may_offer
    return 491 if busy else 0


def _have_same_interface(host: JoinCandidate, lender: JoinCandidate) -> bool:
    """Whether RTP of the leg that comes can be received where that of the leg which ends was."""
    here = host.call.bridge.trunks.policy(host.leaves).interface
    return here == lender.call.bridge.trunks.policy(lender.stays).interface


def _is_safe(host: JoinCandidate, lender: JoinCandidate, side_of: Callable[[str], Side | None]) -> bool:
    """Whether rules 2 and 3 allow that `host` goes on."""
    lender_trunk = lender.call.bridge.trunks.trunk(lender.stays)
    host_trunk = host.call.bridge.trunks.trunk(host.stays)
    comes, stays = side_of(lender_trunk) is Side.CALLER, side_of(host_trunk) is Side.CALLER
    if lender.masked or (host.masked and (comes or host.leaves is Side.CALLER)):
        return False
    return comes is stays or (stays if host.leaves is Side.AGENT else comes)
