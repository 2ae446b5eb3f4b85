"""Which of two calls goes on, where a transfer joins them: a REFER whose Replaces names a leg of
another call of ours.

Rule 1: the call that goes on keeps its customer's leg, its media session, its mask and its capture;
        the other one lends its leg (see `loan`) and ends. It is the call of the REFER, unless only
        the other way round is safe.
Rule 2: into a masked call nobody comes but from a PBX, and to the agent's side; a masked call lends
        no leg.
Rule 3: where a carrier and a PBX are joined, the carrier's leg is on the customer's side: the mask
        looks that way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from b2bua.call.call import Call
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.state import BridgeState
from b2bua.call.transfer.transfer import AttendedTransfer
from media.events import Side


@dataclass(frozen=True, slots=True)
class JoinCandidate:
    """One of the two calls. `leaves`: the side whose leg is the transferor's, and ends."""

    call: Call
    leaves: Side

    @property
    def stays(self) -> Side:
        return OTHER[self.leaves]

    @property
    def masked(self) -> bool:
        return self.call.payment.masked


def plan_join(
    asked: JoinCandidate, named: JoinCandidate | None, side_of: Callable[[str], Side | None]
) -> AttendedTransfer | int:
    """How the call of a REFER and the one that it names are joined; or the code that it is answered
    with. `side_of`: where the legs of a trunk belong."""
    if named is None:
        return 481
    code = 603 if asked.call is named.call else _not_now(asked) or _not_now(named)
    if code:
        return code
    if not asked.call.bridge.offer_answer.has_same_kinds(named.call.bridge.offer_answer):
        return 488
    if _safe(asked, named, side_of):
        return (
            AttendedTransfer(asked.leaves, named.stays, lender_asked=False) if _reached(asked, named) else 488
        )
    if _safe(named, asked, side_of):
        return (
            AttendedTransfer(named.leaves, asked.stays, lender_asked=True) if _reached(named, asked) else 488
        )
    return 603


def _not_now(half: JoinCandidate) -> int:
    call = half.call
    if call.bridge.state is not BridgeState.UP or not call.bridge.offer_answer.complete:
        return 480
    busy = call.transfer.active or call.loan.active or not call.bridge.may_offer
    return 491 if busy else 0


def _reached(host: JoinCandidate, lender: JoinCandidate) -> bool:
    """Whether RTP of the leg that comes can be received where that of the leg which leaves was."""
    here, there = (
        half.call.bridge.trunks.policy(side).interface
        for half, side in ((host, host.leaves), (lender, lender.stays))
    )
    return here == there


def _safe(host: JoinCandidate, lender: JoinCandidate, side_of: Callable[[str], Side | None]) -> bool:
    comes, stays = (
        side_of(half.call.bridge.trunks.trunk(half.stays)) is Side.CALLER for half in (lender, host)
    )
    if lender.masked or (host.masked and (comes or host.leaves is Side.CALLER)):
        return False
    return comes is stays or (stays if host.leaves is Side.AGENT else comes)
