"""Requests of PJSIP's, composed anew for the peer: the dialog, the headers and the body are ours.

Rule 1: of PJSIP's request only method, branch, CSeq number and tags are used.
"""

from __future__ import annotations

import msgspec

from b2bua.call.leg_command import RequestLeg
from b2bua.pjsua.leg import PjsuaLeg
from b2bua.sip.hop import Hop
from b2bua.sip.message.compose import SDP, Outgoing
from b2bua.sip.message.message import Request


def compose_request(leg: PjsuaLeg, request: Request, contact: tuple[str, ...]) -> tuple[Outgoing, Hop] | None:
    """Compose a request for the peer, and name its hop; None for one of an unknown dialog.

    `contact`: our headers of requests that establish or refresh a dialog.
    """
    branch, method = request.via.branch, request.method
    before = leg.sent.get(branch)
    if before is not None and method in {"ACK", "CANCEL"}:
        if method == "CANCEL":
            return msgspec.structs.replace(before.new_cancel(), lines=leg.lines.get(0, ())), leg.source
        to = _ack_to(leg, before, request)
        return msgspec.structs.replace(before, method="ACK", to=to, lines=(), body=b""), leg.source
    if before is not None:
        return before, leg.source
    lines, body, kind = contact, b"", SDP
    if method == "INVITE":
        body = leg.local if leg.offering is None else leg.offering
    elif method == "BYE":
        lines = leg.lines.get(0, ())
    elif method in {"INFO", "MESSAGE"}:
        ours = _match_command(leg, request.cseq)
        if ours is None:
            return None
        body, kind = ours.body, ours.content_type
        lines = (f"Info-Package: {ours.info_package}",) if ours.info_package else ()
    made = _compose(leg, request, lines, body)
    if made is None:
        return None
    out, hop = made
    out = msgspec.structs.replace(out, branch=branch, content_type=kind)
    if method == "INVITE":
        leg.sent[branch] = out
    return out, hop


def _compose(
    leg: PjsuaLeg, request: Request, lines: tuple[str, ...], body: bytes
) -> tuple[Outgoing, Hop] | None:
    if not request.to_tag:
        if leg.invite is None:
            return None
        invite = leg.invite
        tagged, lines = f"{invite.from_};tag={request.from_tag}", (*lines, *invite.lines)
        out = msgspec.structs.replace(invite, from_=tagged, cseq=request.cseq, lines=lines, body=body)
        return out, leg.source
    dialog = leg.dialogs.get(request.to_tag)
    if dialog is None:
        return None
    out = dialog.request(request.method, lines, body, request.cseq)
    stays = leg.peer.behind_nat and not dialog.route_set
    return out, leg.peer.next_hop(dialog.next_hop, leg.source, stays=stays)


def _ack_to(leg: PjsuaLeg, before: Outgoing, ack: Request) -> str:
    dialog = leg.dialogs.get(ack.to_tag)
    return dialog.remote if dialog is not None else before.to


def _match_command(leg: PjsuaLeg, cseq: int) -> RequestLeg | None:
    """Find the command of an INFO or MESSAGE by its CSeq; the oldest queued for a new number."""
    if cseq not in leg.sent_requests and leg.queued_requests:
        leg.sent_requests[cseq] = leg.queued_requests.pop(0)
    return leg.sent_requests.get(cseq)
