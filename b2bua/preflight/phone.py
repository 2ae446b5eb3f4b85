"""A telephone on the trunk itself: the SIP engine with one trunk, and beside it every message as it
came.

It calls and answers as the running Tonewall would, with the same settings: address, transport,
certificates, registration, digest authentication."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from b2bua.call.leg import (
    LegAnswered,
    LegConfirmed,
    LegEvent,
    LegFailed,
    LegHungUp,
    LegId,
    LegInvited,
    LegProgressed,
    LegReferred,
    LegReinvited,
    LegRequested,
    Party,
)
from b2bua.call.leg_command import (
    AnswerLeg,
    AnswerReferral,
    AnswerReinvite,
    HangUpLeg,
    InviteLeg,
    RejectLeg,
    RespondLeg,
    RingLeg,
)
from b2bua.call.routing.trunk import Trunk
from b2bua.preflight.description import parse_description, write_description
from b2bua.preflight.media_line import MediaLine
from b2bua.preflight.observation import Info, Leg, Message
from b2bua.sip.endpoint import SipEngine
from b2bua.sip.hop import Bind, Hop
from b2bua.sip.transport.tls import TlsContexts

_MAX_CALLS: Final = 8  # at once: others are refused
_MAX_MESSAGES: Final = 400  # of a call
_MAX_CALL_IDS: Final = 64
_MAX_STRANGERS: Final = 8
_CALL_ID = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]{1,256})")
_SIGNAL = re.compile(rb"(?im)^[ \t]*signal[ \t]*=[ \t]*([0-9*#a-d])")
_BARE_KEY = re.compile(rb"[ \t\r\n]*([0-9*#A-Da-d])[ \t\r\n]*")
_REGISTERED: Final = "registered"
_POLL: Final = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class MediaPlace:
    """Where RTP is received: a numeric host, the one that the peer gets, and the ports."""

    host: str
    advertised: str
    low: int
    high: int

    def ports(self) -> list[int]:
        """Even ports, in an order of chance."""
        found = list(range(self.low, self.high, 2))
        random.shuffle(found)
        return found[:100]


@dataclass(slots=True)
class TrunkCall:
    """A leg of the telephone. `code`: of the refusal, or 0."""

    id: LegId
    line: MediaLine
    leg: Leg
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    code: int = 0


class TrunkPhone:
    """`encrypted`: SRTP in our offers. `incoming` receives the calls that came in, each answered.
    `strangers`: hosts outside of the trunk's that sent an INVITE."""

    def __init__(
        self, trunk: Trunk, binds: Sequence[Bind], tls: TlsContexts, media: MediaPlace, *, encrypted: bool
    ) -> None:
        self._trunk, self._media, self._encrypted = trunk, media, encrypted
        self._engine = _ObservedEngine(self, binds=binds, trunks=[trunk], on_event=self._on_event, tls=tls)
        self._calls: dict[LegId, TrunkCall] = {}
        self._messages: dict[str, list[Message]] = {}
        self.incoming: asyncio.Queue[TrunkCall] = asyncio.Queue()
        self.strangers: list[str] = []

    async def open(self) -> None:
        """Listen, and register where the trunk wants that. Raises OSError."""
        await self._engine.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where SIP is received: the first of our addresses."""
        return self._engine.address

    async def close(self) -> None:
        """Hang up, and stop."""
        await self._engine.stop()
        for call in self._calls.values():
            await call.line.close()

    async def registered(self, patience: float) -> bool:
        """Wait for the registration, where there is one; whether it is there, or none is needed."""
        deadline = _now() + patience
        while self._trunk.register and self._engine.registration(self._trunk.name) != _REGISTERED:
            if _now() > deadline:
                return False
            await asyncio.sleep(_POLL)
        return True

    def call(self, number: str, caller: str) -> TrunkCall:
        """Begin a call. Raises OSError where no port for RTP is free."""
        call = self._new_call(self._engine.new_leg(), is_ours=True)
        if self._encrypted:
            call.line.offer_srtp()
        offer = write_description(self._host, call.line.port, call.line.crypto)
        invite = InviteLeg(self._trunk.name, Party(caller), Party(number), offer.encode())
        self._engine.execute_command(call.id, invite)
        call.leg.messages = self._of_call(self._engine.call_id(call.id))
        return call

    def hang_up(self, call: TrunkCall) -> None:
        """End a call."""
        self._engine.execute_command(call.id, HangUpLeg())

    # --- what comes -------------------------------------------------------------------------------

    def note_message(self, data: bytes, source: Hop, *, is_known: bool) -> None:
        """A message came, from one of the trunk's addresses or not."""
        if not is_known:
            is_new = source.host not in self.strangers and len(self.strangers) < _MAX_STRANGERS
            if data.startswith(b"INVITE ") and is_new:
                self.strangers.append(source.host)
            return
        found = _CALL_ID.search(data)
        if found is not None:
            messages = self._of_call(found[1].decode("utf-8", "replace").strip())
            if len(messages) < _MAX_MESSAGES:
                text = data.decode("utf-8", "replace")
                messages.append(Message(_now(), source[:2], str(source.transport), text))

    def _of_call(self, call_id: str) -> list[Message]:
        if call_id not in self._messages and len(self._messages) >= _MAX_CALL_IDS:
            del self._messages[next(iter(self._messages))]
        return self._messages.setdefault(call_id, [])

    def _on_event(self, leg_id: LegId, event: LegEvent) -> None:
        if isinstance(event, LegInvited):
            self._invited(leg_id, event)
            return
        call = self._calls.get(leg_id)
        if call is None:
            return
        match event:
            case LegProgressed(answer=answer):
                self._follow(call, answer)
            case LegAnswered(answer=answer):
                self._follow(call, answer)
                self._answered(call)
            case LegConfirmed(answer=answer):
                self._follow(call, answer)
            case LegReinvited(offer=offer):
                self._follow(call, offer)
                command = AnswerReinvite(self._answer(call, has_offer=bool(offer)))
                self._engine.execute_command(leg_id, command)
            case LegRequested():
                self._requested(call, event)
            case LegReferred(referral=referral):
                self._engine.execute_command(leg_id, AnswerReferral(referral, 603))
            case LegFailed(code=code):
                call.code = code
                call.ended.set()
            case LegHungUp():
                call.ended.set()
            case _:
                pass

    def _invited(self, leg_id: LegId, event: LegInvited) -> None:
        if len(self._calls) >= _MAX_CALLS:
            self._engine.execute_command(leg_id, RejectLeg(486, "Busy Here"))
            return
        self._engine.execute_command(leg_id, RingLeg(180, "Ringing"))
        try:
            call = self._new_call(leg_id, is_ours=False)
        except OSError:
            self._engine.execute_command(leg_id, RejectLeg(500, "No Port"))
            return
        call.leg.messages = self._of_call(self._engine.call_id(leg_id))
        call.leg.began_at = next((each.at for each in call.leg.messages), call.leg.began_at)
        remote, has_offer = parse_description(event.offer.decode("utf-8", "replace")), bool(event.offer)
        if remote.is_encrypted or (not has_offer and self._encrypted):
            call.line.offer_srtp(remote if has_offer else None)
        self._follow(call, event.offer)
        self._engine.execute_command(leg_id, AnswerLeg(self._answer(call, has_offer=has_offer)))
        self._answered(call)
        self.incoming.put_nowait(call)

    def _requested(self, call: TrunkCall, event: LegRequested) -> None:
        key = read_key(event.content_type, event.body) if event.method == "INFO" else ""
        if key:
            call.leg.infos.append(Info(_now(), key))
        self._engine.execute_command(call.id, RespondLeg(event.request, 200))

    # --- parts ------------------------------------------------------------------------------------

    @property
    def _host(self) -> str:
        return self._media.advertised or self._media.host

    def _new_call(self, leg_id: LegId, *, is_ours: bool) -> TrunkCall:
        leg = Leg(is_ours=is_ours, began_at=_now())
        line = MediaLine(leg)
        line.open(self._media.host, self._media.ports())
        call = self._calls[leg_id] = TrunkCall(leg_id, line, leg)
        return call

    def _follow(self, call: TrunkCall, described: bytes) -> None:
        if described:
            call.line.follow(parse_description(described.decode("utf-8", "replace")))

    def _answer(self, call: TrunkCall, *, has_offer: bool) -> bytes:
        remote = call.leg.remote if has_offer else None
        return write_description(self._host, call.line.port, call.line.crypto, remote).encode()

    def _answered(self, call: TrunkCall) -> None:
        call.leg.answered_at = call.leg.answered_at or _now()
        call.answered.set()


class _ObservedEngine(SipEngine):
    """The engine, which shows every message that it gets."""

    def __init__(self, phone: TrunkPhone, **more: Any) -> None:
        super().__init__(**more)
        self._phone = phone

    def receive_message(self, data: bytes, source: Hop) -> None:
        """Note one message, and handle it."""
        self._phone.note_message(data, source, is_known=self._trunks.is_known_source(source))
        super().receive_message(data, source)


def read_key(content_type: str, body: bytes) -> str:
    """The key in an INFO (application/dtmf-relay, application/dtmf), or nothing."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/dtmf-relay":
        found = _SIGNAL.search(body[:1024])
    elif kind == "application/dtmf":
        found = _BARE_KEY.fullmatch(body[:64]) or _SIGNAL.search(body[:1024])
    else:
        found = None
    return found[1].decode().upper() if found else ""


def _now() -> float:
    return asyncio.get_running_loop().time()
