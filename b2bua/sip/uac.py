"""A leg that we open: INVITE, its forks, its challenges, CANCEL."""

from __future__ import annotations

from b2bua.call.leg import (
    InviteLeg,
    LegAnswered,
    LegFailed,
    LegHungUp,
    LegId,
    LegProgressed,
)
from b2bua.sip.compose import Outgoing, hostport, new_branch, new_tag, party, phrase
from b2bua.sip.dialog import Dialog, Forks, Verdict
from b2bua.sip.hop import Hop
from b2bua.sip.layer import NOBODY, Client
from b2bua.sip.leg_base import Ground, Leg
from b2bua.sip.leg_state import Event, State
from b2bua.sip.message import Response
from b2bua.sip.trunk import Peer


class UacLeg(Leg):
    """An outgoing leg, from INVITE to its end."""

    def __init__(self, ground: Ground, leg_id: LegId, peer: Peer, address: Hop, command: InviteLeg) -> None:
        super().__init__(ground, leg_id, peer, State.CALLING, address)
        trunk = peer.trunk
        port = None if trunk.port == 5060 else trunk.port
        self._tag = new_tag()
        self._forks = Forks()
        self._give_up: float | None = None
        own = ground.transports.host(address)
        callee = party(command.callee, trunk.host, port)
        invite = Outgoing(
            method="INVITE",
            uri=callee[callee.rfind("<") + 1 : -1],
            branch=new_branch(),
            from_=f"{party(command.caller, trunk.domain or own)};tag={self._tag}",
            to=party(command.callee, trunk.domain or trunk.host, None if trunk.domain else port),
            call_id=f"{new_tag()}@{hostport(own, None)}",
            cseq=1,
            max_forwards=command.max_forwards,
            lines=self.lines(),
            body=command.offer,
        )
        self._invite = ground.layer.open_client(invite, address, self)

    def hang_up(self) -> None:
        was = self.state
        if not self.move(Event.HANG_UP) or was is self.state:
            return
        if self.state is State.CANCELLING:
            self._cancel()
        elif self.state is State.HANGING_UP:
            self.bye()

    def on_response(self, client: Client, reply: Response) -> None:
        if client is self._invite:
            self._on_invite_response(client, reply)
        elif client.request.method != "CANCEL":
            super().on_response(client, reply)

    def on_no_response(self, client: Client, code: int) -> None:
        if client is self._invite:
            self._fail(code, "")
        elif client.request.method != "CANCEL":
            super().on_no_response(client, code)

    def _on_invite_response(self, client: Client, reply: Response) -> None:
        if 200 <= reply.code < 300:
            self._on_success(client, reply)
        elif reply.code >= 300:
            if self.state in {State.CALLING, State.RINGING}:
                retry = self.challenged(client, reply)
                if retry is not None:
                    self._invite, self.state, self._forks = retry, State.CALLING, Forks()
                    return
            self._fail(reply.code, reply.phrase)
        else:
            if reply.to_tag and self.state is not State.UP:
                self._forks.receive(client.request, self._tag, reply)
            wanted = self.state is State.CANCEL_WANTED
            if self.move(Event.PROVISIONAL):
                if wanted:
                    self._cancel()
                elif self.state is State.RINGING and reply.code > 100:
                    self.emit(LegProgressed(reply.code, phrase(reply.code, reply.phrase), reply.body))

    def _on_success(self, client: Client, reply: Response) -> None:
        verdict, dialog = self._forks.receive(client.request, self._tag, reply)
        self.acknowledge(dialog, client.request.cseq)
        if verdict is Verdict.LATE or (verdict is Verdict.WON and self.state is State.ENDED):
            self._drop(dialog)
        if verdict is not Verdict.WON or not self.move(Event.SUCCESS):
            return
        self.dialog, self.source, self._give_up = dialog, reply.source, None
        self.ground.dialogs[dialog.key] = self
        if self.state is State.UP:
            self.emit(LegAnswered(reply.body))
        else:
            # It crossed our CANCEL, or came instead of the provisional that CANCEL waited for.
            self.end_with(LegHungUp("hung up"))
            self.bye()

    def _drop(self, dialog: Dialog) -> None:
        """End a fork that answered too late."""
        bye = dialog.request("BYE")
        self.ground.layer.open_client(bye, self.destination(dialog), NOBODY)

    def _fail(self, code: int, text: str) -> None:
        self.end_with(LegFailed(code, phrase(code, text)))
        self.move(Event.FAILURE)

    def _cancel(self) -> None:
        request = self._invite.request.cancel()
        self.ground.layer.open_client(request, self._invite.destination, self)
        self._give_up = self.ground.scheduler.now() + self.ground.timers.patience
        self.ground.scheduler.watch(self)

    def deadline(self) -> float | None:
        return self._give_up if self.state is State.CANCELLING else super().deadline()

    def elapse(self, now: float) -> None:
        if self.state is not State.CANCELLING:
            super().elapse(now)
            return
        # RFC 3261 section 9.1: no final response in 64*T1 after CANCEL, so none is waited for.
        self._give_up = None
        self.ground.layer.abandon(self._invite)
        self.end_with(LegFailed(487, phrase(487)))
        self.move(Event.GIVE_UP)
