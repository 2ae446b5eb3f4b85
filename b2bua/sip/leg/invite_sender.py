"""Sending of an INVITE: by one hop after another, and to the targets of a redirection.

Rule 1: an INVITE that is sent anew is a new transaction of the same leg: same Call-ID and From, the
        next CSeq.
Rule 2: its early dialogs end with the INVITE that opened them.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from b2bua.call.leg import LegId
from b2bua.call.leg_command import InviteLeg
from b2bua.sip.hop import Hop
from b2bua.sip.leg.dialog import DialogKey, Forks
from b2bua.sip.leg.failover import TargetSet, redirect_contacts
from b2bua.sip.leg.invitation import new_invite, signed_content, transfer_lines
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.leg_state import LegState, LegTrigger
from b2bua.sip.leg.provisional import ReceivedProvisionals
from b2bua.sip.message.compose import (
    SUPPORTED_LINE,
    SUPPORTED_WITHOUT_100REL_LINE,
    Outgoing,
    new_branch,
    new_tag,
    replace_user,
)
from b2bua.sip.message.header_policy import MessageClass
from b2bua.sip.message.message import Response
from b2bua.sip.message.spiral import is_for_same_user
from b2bua.sip.message.uri import Uri
from b2bua.sip.transaction.transactions import ClientTransaction
from b2bua.sip.trunk.health import HOP_TIMEOUT_OF_T1
from b2bua.sip.trunk.peers import Peer


@dataclass(init=False, repr=False, eq=False, kw_only=True)
class InviteSender(Leg):
    """The sending half of an outgoing leg."""

    _tag: str
    _offer: bytes
    _crossing_lines: tuple[str, ...]  # lines of the INVITE that come from the other leg
    _transfer_lines: tuple[str, ...]  # those of a transfer
    _targets: TargetSet
    _invite: ClientTransaction
    _forks: Forks
    _received_provisionals: ReceivedProvisionals
    # The keys of early dialogs in which the peer may send requests.
    _early: list[DialogKey]
    _next_hop_at: float | None  # when another hop is tried

    def __init__(
        self, context: LegContext[Leg], leg_id: LegId, peer: Peer, hops: list[Hop], command: InviteLeg
    ) -> None:
        """`hops`: the ways to the trunk, best first; at least one."""
        super().__init__(context, leg_id, peer, LegState.CALLING, hops[0], owner=True)
        self._tag, self._offer = new_tag(), command.offer
        self._forks, self._received_provisionals, self._early = Forks(), ReceivedProvisionals(), []
        self._next_hop_at = None
        own = context.transports.host(hops[0])
        believed = signed_content(command, peer, own)
        self._crossing_lines, body, kind = self.compose_crossing(
            MessageClass.INVITE, command.carried, command.offer, believed
        )
        self._transfer_lines = transfer_lines(command)
        invite = new_invite(command, peer, hops[0], own, self._tag)
        invite = msgspec.structs.replace(invite, lines=self._invite_lines(), body=body, content_type=kind)
        self._targets = TargetSet(invite.uri, hops[1:])
        context.outgoing[invite.call_id, self._tag] = self  # before there is a transaction
        context.tap.open(leg_id, invite.call_id)
        self._invite = self._send_invite(invite, hops[0])

    @property
    def call_id(self) -> str:
        """The Call-ID of its INVITE."""
        return self._invite.request.call_id

    @property
    def invitation(self) -> tuple[str, str]:
        """Call-ID and From tag of its INVITE."""
        return self._invite.request.call_id, self._tag

    @property
    def dialog_keys(self) -> tuple[DialogKey, ...]:
        """Those of early dialogs, too."""
        return (*super().dialog_keys, *self._early)

    def leap(self, requests: int) -> None:
        """See Leg; in each early dialog."""
        super().leap(requests)
        for dialog in self._forks.dialogs.values():
            if dialog is not self.dialog:
                dialog.local_cseq += requests

    def _invite_lines(self) -> tuple[str, ...]:
        """Compose our headers. Without an offer no 100rel, whose answer would have to have one."""
        lines = self.own_lines()
        if not self._offer:
            lines = tuple(SUPPORTED_WITHOUT_100REL_LINE if line == SUPPORTED_LINE else line for line in lines)
        return (*lines, *self.session.timer_lines(), *self._crossing_lines, *self._transfer_lines)

    # --- ways -------------------------------------------------------------------------------------

    def _send_invite(self, invite: Outgoing, hop: Hop) -> ClientTransaction:
        """Send the INVITE to a hop; where there is another, do not wait long for any answer."""
        self._next_hop_at = None
        if self._targets.hops:
            self._next_hop_at = self.context.scheduler.now() + HOP_TIMEOUT_OF_T1 * self.context.timers.t1
            self.context.scheduler.watch(self)
        return self.context.layer.open_client(invite, hop, self)

    def _send_anew(self, hop: Hop) -> None:
        self.move(LegTrigger.RESENT)
        self._forget_early()
        self.source = hop
        was = self._invite.request
        again = msgspec.structs.replace(
            was,
            uri=self._targets.uri,
            branch=new_branch(),
            cseq=was.cseq + 1,
            lines=self._invite_lines(),
            sent_by="",
        )
        self._invite = self._send_invite(again, hop)
        self.context.changed(self.id)

    def _try_next_hop(self) -> bool:
        """Try the next hop of this target. False: there is none, or the call is over."""
        now = self.context.scheduler.now()
        while self.state in {LegState.CALLING, LegState.RINGING} and self._targets.hops:
            hop = self._targets.hops.pop(0)
            if self.peer.usable(hop, now):
                self.context.count["failovers"] += 1
                self._send_anew(hop)
                return True
        return False

    def _try_next_target(self) -> bool:
        """Try the next target of a redirection. False: there is none, or the call is over."""
        while self.state in {LegState.CALLING, LegState.RINGING} and self._targets.next_target():
            if self._targets.hops:
                self.context.count["redirections"] += 1
                self._send_anew(self._targets.hops.pop(0))
                return True
        return False

    def _redirect(self, reply: Response) -> None:
        """Add the targets of a 3xx: at the address of the trunk's that a Contact names, or by the
        trunk's hops."""
        found = []
        for contact in redirect_contacts(reply):
            own = self.peer.find_hop(contact.uri)
            uri = contact.uri if own is not None else replace_user(self._invite.request.uri, contact.user)
            found.append((uri, [own] if own is not None else self.peer.hops(self.context.scheduler.now())))
        self._targets.add_targets(found)

    def is_for_same_user(self, uri: Uri) -> bool:
        """Tell whether a Request-URI is for the user of our INVITE: then it came in a circle."""
        return is_for_same_user(self._invite.request.uri, uri)

    # --- the end ----------------------------------------------------------------------------------

    def _forget_early(self) -> None:
        """Forget the early dialogs of an INVITE that failed, or was answered by another fork."""
        for key in self._early:
            self.context.dialogs.pop(key, None)
        self.dialog = None
        self._early, self._forks, self._received_provisionals = [], Forks(), ReceivedProvisionals()

    def _release(self) -> None:
        for key in self._early:
            self.context.dialogs.pop(key, None)
        self.context.outgoing.pop(self.invitation, None)
        super()._release()
