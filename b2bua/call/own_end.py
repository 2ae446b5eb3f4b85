"""Answers the commands to an end of a call that is ours: where a call ends in a form there is no
far peer, and this is its leg.

Rule 1: it keeps nothing: what it is asked is all that it needs, so any process can go on with it.
Rule 2: it accepts what a phone with one audio stream would, and asks for nothing itself.
"""

from __future__ import annotations

from b2bua.call import leg, leg_command
from b2bua.call.leg import LegEvent
from b2bua.call.leg_command import LegCommand
from b2bua.call.sdp.own_answer import own_answer, own_offer


def obey(command: LegCommand) -> list[LegEvent]:
    """Execute a command; returns what our end says to it."""
    match command:
        case leg_command.InviteLeg(offer=offer):
            answer = own_answer(offer) if offer else own_offer()
            failed = leg.LegFailed(488, "Not Acceptable Here")
            return [leg.LegAnswered(answer) if answer is not None else failed]
        case leg_command.ReinviteLeg(offer=offer):
            answer = own_answer(offer) if offer else own_offer()
            refused = leg.ReinviteFailed(488, "Not Acceptable Here")
            return [leg.ReinviteAnswered(answer) if answer is not None else refused]
        case leg_command.RequestLeg(request=request, method=method):
            # An INFO is as good as heard; a text reaches nobody.
            return [leg.LegResponded(request, 200 if method == "INFO" else 480, "")]
        case _:
            return []
