"""Outgoing leg: the responses to its INVITE, its forks and challenges, and CANCEL.

Rule 1: only a 503, a 408 before any ringing, a time-out without any answer and a transport error
        send it to another hop (RFC 3263 section 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from b2bua.call.leg import NOTHING, Carried, LegAnswered, LegFailed, LegHungUp, LegId, LegProgressed
from b2bua.call.leg_command import InviteLeg
from b2bua.sip.hop import Hop
from b2bua.sip.leg.dialog import Dialog, ForkVerdict
from b2bua.sip.leg.failover import MAX_TARGETS, AbandonedInvite, redirect_contacts
from b2bua.sip.leg.invite_sender import InviteSender
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.leg_state import LegState, LegTrigger
from b2bua.sip.leg.provisional import rseq_of
from b2bua.sip.message.compose import (
    reason_phrase,
)
from b2bua.sip.message.header_policy import MessageClass
from b2bua.sip.message.message import Response
from b2bua.sip.message.retry_after import read_retry_after
from b2bua.sip.transaction.transactions import NOBODY, ClientTransaction
from b2bua.sip.trunk.peers import Peer

_MAX_RAISED = 4  # 422s to one call: each asks for more than the one before


@dataclass(init=False, repr=False, eq=False, kw_only=True)
class UacLeg(InviteSender):
    """An outgoing leg, from INVITE to its end."""

    _times_raised: int  # how often the session's interval was too brief for the peer
    _unconfirmed: int | None  # the CSeq of the INVITE whose ACK waits for ConfirmLeg
    _give_up_at: float | None  # when the answer to CANCEL is not waited for any longer

    def __init__(
        self, context: LegContext[Leg], leg_id: LegId, peer: Peer, hops: list[Hop], command: InviteLeg
    ) -> None:
        """`hops`: the ways to the trunk, best first; at least one."""
        self._times_raised = 0
        self._unconfirmed = self._give_up_at = None
        super().__init__(context, leg_id, peer, hops, command)

    # --- commands ---------------------------------------------------------------------------------

    def hang_up(self, carried: Carried = NOTHING) -> None:
        """End the leg: CANCEL or BYE, with what the other leg carries."""
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
        """Handle a response to a request of ours."""
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
        """Handle the lack of a response: `code` 408 after a timeout, 503 where it was not sent."""
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
        """Whether offer and answer were exchanged before the 2xx."""
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
                self.context.changed(self.id)
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
        """Return when `expire` has something to do; None for never."""
        if self.state is LegState.CALLING and self._next_hop_at is not None:
            return self._next_hop_at
        return self._give_up_at if self.state is LegState.CANCELLING else super().deadline()

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
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
