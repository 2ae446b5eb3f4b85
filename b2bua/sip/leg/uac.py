"""A leg that we open: INVITE, its forks, its challenges, its other ways, CANCEL.

Rule 1: an INVITE that is sent anew is a new transaction of the same leg: same Call-ID and From, the
        next CSeq.
Rule 2: only a 503, a 408 before any ringing, a time-out without any answer and a transport error
        send it to another hop (RFC 3263 section 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from b2bua.call.leg import (
    NOTHING,
    Carried,
    InviteLeg,
    LegAnswered,
    LegFailed,
    LegHungUp,
    LegId,
    LegProgressed,
)
from b2bua.sip.hop import Hop
from b2bua.sip.leg.dialog import Dialog, Forks, ForkVerdict
from b2bua.sip.leg.failover import MAX_TARGETS, AbandonedInvite, TargetSet, redirect_contacts
from b2bua.sip.leg.invitation import new_invite, signed_content, transfer_lines
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.leg_state import LegState, LegTrigger
from b2bua.sip.leg.provisional import ReceivedProvisionals, rseq_of
from b2bua.sip.message.compose import (
    SUPPORTED_LINE,
    SUPPORTED_WITHOUT_100REL_LINE,
    Outgoing,
    add_user,
    new_branch,
    new_tag,
    reason_phrase,
)
from b2bua.sip.message.header_policy import MessageClass
from b2bua.sip.message.message import Response
from b2bua.sip.message.retry_after import read_retry_after
from b2bua.sip.message.spiral import is_for_same_user
from b2bua.sip.message.uri import Uri
from b2bua.sip.transaction.layer import NOBODY, ClientTransaction
from b2bua.sip.trunk.health import HOP_TIMEOUT_OF_T1
from b2bua.sip.trunk.peers import Peer

_MAX_RAISED = 4  # 422s to one call: each asks for more than the one before


@dataclass(init=False, repr=False, eq=False, kw_only=True)
class UacLeg(Leg):
    """An outgoing leg, from INVITE to its end."""

    _tag: str
    _offer: bytes
    _crossing_lines: tuple[str, ...]  # lines of the INVITE that come from the other leg
    _transfer_lines: tuple[str, ...]  # those of a transfer
    _targets: TargetSet
    _invite: ClientTransaction
    _forks: Forks
    _received_provisionals: ReceivedProvisionals
    # The keys of early dialogs in which the peer may send requests.
    _early: list[tuple[str, str, str]]
    _times_raised: int  # how often the session's interval was too brief for the peer
    _unconfirmed: int | None  # the CSeq of the INVITE whose ACK waits for ConfirmLeg
    _next_hop_at: float | None  # when another hop is tried
    _give_up_at: float | None  # when the answer to CANCEL is not waited for any longer

    def __init__(
        self, context: LegContext[Leg], leg_id: LegId, peer: Peer, hops: list[Hop], command: InviteLeg
    ) -> None:
        """`hops`: the ways to the trunk, best first; at least one."""
        super().__init__(context, leg_id, peer, LegState.CALLING, hops[0], owner=True)
        self._tag, self._offer = new_tag(), command.offer
        self._forks, self._received_provisionals, self._early = Forks(), ReceivedProvisionals(), []
        self._times_raised = 0
        self._unconfirmed = self._next_hop_at = self._give_up_at = None
        own = context.transports.host(hops[0])
        believed = signed_content(command, peer, own)
        self._crossing_lines, body, kind = self.compose_crossing(
            MessageClass.INVITE, command.carried, command.offer, believed
        )
        self._transfer_lines = transfer_lines(command)
        invite = new_invite(command, peer, hops[0], own, self._tag)
        invite = msgspec.structs.replace(invite, lines=self._invite_lines(), body=body, content_type=kind)
        self._targets = TargetSet(invite.uri, hops[1:])
        context.outgoing[invite.call_id, self._tag] = self
        context.tap.open(leg_id, invite.call_id)
        self._invite = self._send_invite(invite, hops[0])

    def _invite_lines(self) -> tuple[str, ...]:
        """Of the INVITE. Without an offer it asks for no reliable provisional answer, which would
        have to have one."""
        lines = self.own_lines()
        if not self._offer:
            lines = tuple(SUPPORTED_WITHOUT_100REL_LINE if line == SUPPORTED_LINE else line for line in lines)
        return (*lines, *self.session.timer_lines(), *self._crossing_lines, *self._transfer_lines)

    # --- ways -------------------------------------------------------------------------------------

    def _send_invite(self, invite: Outgoing, hop: Hop) -> ClientTransaction:
        """Send the INVITE there; where there is another way, do not wait long for any answer."""
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

    def _try_next_hop(self) -> bool:
        """Try the next hop for this target. False: there is none, or nobody waits for the call any
        longer."""
        now = self.context.scheduler.now()
        while self.state in {LegState.CALLING, LegState.RINGING} and self._targets.hops:
            hop = self._targets.hops.pop(0)
            if self.peer.usable(hop, now):
                self.context.count["failovers"] += 1
                self._send_anew(hop)
                return True
        return False

    def _try_next_target(self) -> bool:
        while self.state in {LegState.CALLING, LegState.RINGING} and self._targets.next_target():
            if self._targets.hops:
                self.context.count["redirections"] += 1
                self._send_anew(self._targets.hops.pop(0))
                return True
        return False

    def _redirect(self, reply: Response) -> None:
        """Take the targets of a 3xx: by the trunk's own hops, or at that of its addresses which a
        Contact names."""
        found = []
        plain = self._invite.request.uri.rpartition("@")[2]
        for contact in redirect_contacts(reply):
            own = self.peer.find_hop(contact.uri)
            uri = contact.uri if own is not None else add_user(f"sip:{plain}", contact.user)
            found.append((uri, [own] if own is not None else self.peer.hops(self.context.scheduler.now())))
        self._targets.add_targets(found)

    def is_for_same_user(self, uri: Uri) -> bool:
        """Whether the INVITE is for whom this Request-URI asks for, so that a request with it has
        come in a circle."""
        return is_for_same_user(self._invite.request.uri, uri)

    # --- the end ----------------------------------------------------------------------------------

    def _forget_early(self) -> None:
        """The early dialogs of an INVITE that failed, or was answered by another."""
        for key in self._early:
            self.context.dialogs.pop(key, None)
        self.dialog = None
        self._early, self._forks, self._received_provisionals = [], Forks(), ReceivedProvisionals()

    def _release(self) -> None:
        for key in self._early:
            self.context.dialogs.pop(key, None)
        self.context.outgoing.pop((self._invite.request.call_id, self._tag), None)
        super()._release()

    def hang_up(self, carried: Carried = NOTHING) -> None:
        self.bye_extras = carried
        was = self.state
        if not self.move(LegTrigger.HANG_UP) or was is self.state:
            return
        if self.state is LegState.CANCELLING:
            self._cancel()
        elif self.state is LegState.HANGING_UP:
            self.confirm(b"")
            self.send_bye()

    def confirm(self, answer: bytes) -> bool:
        """Send the ACK that waited for the answer to the peer's offer. False: none waits."""
        if self._unconfirmed is None or self.dialog is None:
            return False
        self._unconfirmed = None
        self.session.local = answer
        self.acknowledge(self.dialog, self._invite.request, answer)
        return True

    def on_response(self, client: ClientTransaction, reply: Response) -> None:
        if client is self._invite:
            self._on_invite_response(client, reply)
        elif client.request.method == "PRACK":
            self._on_prack_response(client, reply)
        elif client.request.method != "CANCEL":
            super().on_response(client, reply)

    def _on_prack_response(self, client: ClientTransaction, reply: Response) -> None:
        """Nothing depends on it but a challenge; a peer that wants its PRACK and has none ends the
        INVITE by itself."""
        early = [dialog for dialog in self._forks.dialogs.values() if dialog.remote == client.request.to]
        again = self.answer_challenge(client, reply) if reply.code >= 200 else None
        for dialog in early:
            if again is not None:
                dialog.local_cseq = max(dialog.local_cseq, again.request.cseq)

    def on_no_response(self, client: ClientTransaction, code: int) -> None:
        if client is self._invite:
            self.peer.record_failure(client.requested_hop, self.context.scheduler.now())
            if not self._try_next_hop() and not self._try_next_target():
                self._fail(code, "")
        elif client.request.method != "CANCEL":
            super().on_no_response(client, code)

    def _on_invite_response(self, client: ClientTransaction, reply: Response) -> None:
        if 200 <= reply.code < 300:
            self._on_success(client, reply)
        elif reply.code >= 300:
            self._on_refusal(client, reply)
        else:
            if reply.to_tag and self.state is not LegState.UP:
                verdict, dialog = self._forks.receive_response(client.request, self._tag, reply)
                if verdict is ForkVerdict.EXCESS:
                    self.context.count["forks_refused"] += 1
                    return
                if not self._acknowledge_early(dialog, client, reply):
                    return
            wanted = self.state is LegState.CANCEL_PENDING
            if self.move(LegTrigger.PROVISIONAL):
                if wanted:
                    self._cancel()
                elif self.state is LegState.RINGING and reply.code > 100:
                    self.session.remote = reply.body or self.session.remote
                    self.emit(
                        LegProgressed(
                            reply.code,
                            reason_phrase(reply.code, reply.phrase),
                            reply.body,
                            self.extract_carried(MessageClass.PROVISIONAL, reply),
                        )
                    )

    def _acknowledge_early(self, dialog: Dialog, client: ClientTransaction, reply: Response) -> bool:
        """Send the PRACK that a provisional answer asks for. False: it is none to be heard of now
        (RFC 3262 section 4)."""
        rseq = rseq_of(reply)
        if rseq is None:
            return True
        if not self._received_provisionals.is_next(reply.to_tag, rseq):
            return False
        self.update_source(reply.source)
        if dialog.key not in self._early:
            self._early.append(dialog.key)
            self.context.dialogs[dialog.key] = self
        self.dialog = dialog
        self.send_request("PRACK", (f"RAck: {rseq} {client.request.cseq} INVITE", *self.own_lines()[-1:]))
        return True

    @property
    def agreed_early(self) -> bool:
        return self.dialog is not None and bool(self.session.remote)

    def _on_refusal(self, client: ClientTransaction, reply: Response) -> None:
        now = self.context.scheduler.now()
        seconds = read_retry_after(reply) if reply.code == 503 else 0
        if seconds:
            self.peer.start_rest(client.requested_hop, now, seconds)
        elif reply.code not in {408, 503}:
            self.peer.record_success(client.requested_hop)
        if self.state in {LegState.CALLING, LegState.RINGING}:
            retry = self.answer_challenge(client, reply, opening=True)
            if retry is not None:
                self.move(LegTrigger.RESENT)
                self._forget_early()
                self._invite, self._next_hop_at = retry, None
                return
            if reply.code == 422 and self._times_raised < _MAX_RAISED and self.session.raise_min_se(reply):
                self._times_raised += 1  # RFC 4028 section 7.3
                self._send_anew(client.requested_hop)
                return
            elsewhere = reply.code == 503 or (reply.code == 408 and not self._forks.dialogs)
            if elsewhere and self._try_next_hop():
                return
            if reply.code in {300, 301, 302} and self.peer.trunk.follow:
                self._redirect(reply)
            if reply.code < 600 and self._try_next_target():
                return
        users = [contact.user for contact in redirect_contacts(reply)] if reply.code < 400 else []
        self._fail(
            reply.code,
            reply.phrase,
            tuple(dict.fromkeys(users))[:MAX_TARGETS],
            self.extract_carried(MessageClass.FAILURE, reply),
        )

    def _on_success(self, client: ClientTransaction, reply: Response) -> None:
        verdict, dialog = self._forks.receive_response(client.request, self._tag, reply)
        waits = not self._offer and self.state in {LegState.CALLING, LegState.RINGING, LegState.UP}
        if verdict is ForkVerdict.WON:
            self.update_source(reply.source)  # before the ACK, which may have to go there
        if waits and verdict is ForkVerdict.WON:
            self._unconfirmed = client.request.cseq
        elif not waits or verdict is not ForkVerdict.RETRANSMITTED or self._unconfirmed is None:
            self.acknowledge(dialog, client.request)
        if verdict is ForkVerdict.LATE or (verdict is ForkVerdict.WON and self.state is LegState.ENDED):
            self._end_fork(dialog)
        if verdict is not ForkVerdict.WON or not self.move(LegTrigger.SUCCESS):
            return
        self.peer.record_success(client.requested_hop)
        for key in self._early:
            self.context.dialogs.pop(key, None)
        self._early = []
        self.dialog, self._give_up_at = dialog, None
        self.context.dialogs[dialog.key] = self
        if self.state is LegState.UP:
            body = reply.body
            if self.session.remote_updated:
                # What it says of the session is older than its UPDATE (RFC 6337 section 3.1.1).
                body = b""
            else:
                self.session.local, self.session.remote = self._offer, body or self.session.remote
            self.session.on_success(reply)
            self.emit(LegAnswered(body, self.extract_carried(MessageClass.SUCCESS, reply)))
        else:
            # It crossed our CANCEL, or came instead of the provisional that CANCEL waited for.
            self.set_last_event(LegHungUp("hung up"))
            self.send_bye()

    def _end_fork(self, dialog: Dialog) -> None:
        """End a fork that answered too late."""
        bye = dialog.request("BYE")
        self.context.layer.open_client(bye, self.next_hop(dialog), NOBODY)

    def _fail(self, code: int, text: str, users: tuple[str, ...] = (), carried: Carried = NOTHING) -> None:
        self.set_last_event(LegFailed(code, reason_phrase(code, text), carried, users))
        self.move(LegTrigger.FAILURE)

    def _cancel(self) -> None:
        request = self._invite.request.new_cancel()
        request = msgspec.structs.replace(
            request, lines=self.compose_crossing(MessageClass.CANCEL, self.bye_extras)[0]
        )
        self.context.layer.open_client(request, self._invite.destination, self)
        self._give_up_at = self.context.scheduler.now() + self.context.timers.timeout
        self.context.scheduler.watch(self)

    def deadline(self) -> float | None:
        if self.state is LegState.CALLING and self._next_hop_at is not None:
            return self._next_hop_at
        return self._give_up_at if self.state is LegState.CANCELLING else super().deadline()

    def expire(self, now: float) -> None:
        if self.state is LegState.CALLING and self._next_hop_at is not None:
            self._next_hop_at = None
            left = self._invite
            if self._try_next_hop():
                self.peer.record_failure(left.requested_hop, now)
                AbandonedInvite(self, self._tag, left)
            return
        if self.state is not LegState.CANCELLING:
            super().expire(now)
            return
        # RFC 3261 section 9.1: no final response in 64*T1 after CANCEL, so none is waited for.
        self._give_up_at = None
        self.context.layer.abandon(self._invite)
        self.set_last_event(LegFailed(487, reason_phrase(487)))
        self.move(LegTrigger.GIVE_UP)
