"""Requests that end with their answer, INFO and MESSAGE, on their way from one leg to the other.

Rule 1: while the agent's side is masked, or may be, nothing of the customer's that could be a key
        is relayed. What is not known to be harmless could be one: the list is of what passes, not
        of what does not.
Rule 2: an INFO that is withheld is answered 200, so that the carrier does not send its key again;
        it is counted, and its body goes nowhere.
Rule 3: what does pass while masked is written anew here: neither bytes, headers nor phrases of the
        customer's cross.
Rule 4: a key that the agent's side wants as telephone-event goes to media unread; media's word
        answers it.
Rule 5: where an agent's telephone keys feature codes, media says of each of its keys whether the
        customer gets it; while masked none does.
Rule 6: what waits for the other leg is bounded in number and in time; the asker always gets its
        answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from b2bua.call import leg, leg_command
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.sdp.telephone_event import EventStream
from media.events import AgentKeyed, SendKey, SessionId, Side

MAX_PENDING = 8  # requests of a leg that wait for the other
TIMEOUT = 10.0  # seconds; the asker itself gives up after 32 (RFC 3261 section 17.1.2.2, timer F)
_OTHER = {Side.CALLER: Side.AGENT, Side.AGENT: Side.CALLER}
_KEYS = frozenset({"application/dtmf-relay", "application/dtmf"})
_PICTURE = "application/media_control+xml"  # RFC 5168: a video decoder asks for a whole picture
_PICTURE_WANTED = (
    b'<?xml version="1.0" encoding="utf-8"?>\r\n'
    b"<media_control><vc_primitive><to_encoder><picture_fast_update/>"
    b"</to_encoder></vc_primitive></media_control>\r\n"
)
# RFC 5057 section 5.1: these say of a whole dialog that it is gone; the asker's is not.
_NOT_ITS_OWN = frozenset({408, 481})


@dataclass(slots=True)
class MidCallRequests:
    """Those of one call. `withheld`: how many INFOs were kept from the agent."""

    withheld: int = 0
    # By request: who asked, until when.
    _waiting: dict[str, tuple[Side, float]] = field(default_factory=dict)

    def relay_request(
        self, side: Side, event: leg.LegRequested, now: float, *, up: bool, masked: bool
    ) -> list[CallCommand]:
        """`up`: both legs can take requests. `masked`: the agent's side is masked, or it is not
        known that it is open."""
        body, info_package, carried = event.body, event.info_package, event.carried
        content_type = event.content_type if body else ""
        if side is Side.CALLER and masked:
            if event.method != "INFO":
                # The customer's side may send it again later; with 200 the text would be lost
                # without a word.
                return _answer(side, event, 480)
            harmless = None if info_package else _harmless(event)
            if harmless is None:
                self.withheld += 1
                return _answer(side, event, 200)
            body, content_type, carried = harmless, _PICTURE if harmless else "", leg.NOTHING
        if not up:
            return _answer(side, event, 480)
        if self._is_full(side):
            return _answer(side, event, 500)
        self._waiting[event.request] = (side, now + TIMEOUT)
        request = leg_command.RequestLeg(
            event.request, event.method, content_type, body, info_package, carried
        )
        return [ToLeg(_OTHER[side], request)]

    def relay_response(self, side: Side, event: leg.LegResponded, *, masked: bool) -> list[CallCommand]:
        """The other leg's answer; one that comes too late, or that nobody asked for, changes
        nothing."""
        asker, _ = self._waiting.get(event.request, (side, 0.0))
        if asker is side:
            return []
        del self._waiting[event.request]
        code = 504 if event.code in _NOT_ITS_OWN else event.code
        packages = () if masked and side is Side.CALLER else event.packages
        return [ToLeg(asker, leg_command.RespondLeg(event.request, code, packages=packages))]

    def send_key(
        self, event: leg.LegRequested, session: SessionId, to: EventStream, now: float
    ) -> list[CallCommand]:
        """A key of the customer's that the agent's side gets as telephone-event; not for a masked
        call."""
        if self._is_full(Side.CALLER):
            return _answer(Side.CALLER, event, 500)
        self._waiting[event.request] = (Side.CALLER, now + TIMEOUT)
        send = SendKey(
            session=session,
            request=event.request,
            body=event.body,
            stream=to.stream,
            payload_type=to.payload_type,
            clock_rate=to.clock_rate,
        )
        return [ToMedia(send)]

    def key_answered(self, command: SendKey, *, sent: bool, masked: bool) -> list[CallCommand]:
        """Media has taken the key, or has not. Where a mask came in between it is withheld like all
        others."""
        if self._waiting.pop(command.request, None) is None:
            return []
        self.withheld += masked and not sent
        return [ToLeg(Side.CALLER, leg_command.RespondLeg(command.request, 200 if sent or masked else 415))]

    def ask_about_key(self, event: leg.LegRequested, session: SessionId, now: float) -> list[CallCommand]:
        """A key of the agent's, which may be part of a feature code."""
        if self._is_full(Side.AGENT):
            return _answer(Side.AGENT, event, 500)
        self._waiting[event.request] = (Side.AGENT, now + TIMEOUT)
        asked = AgentKeyed(
            session=session, request=event.request, content_type=event.content_type, body=event.body
        )
        return [ToMedia(asked)]

    def agent_key_answered(
        self, command: AgentKeyed, now: float, *, kept: bool, up: bool
    ) -> list[CallCommand]:
        """Media keeps the key from the customer, or it goes on as it came."""
        if self._waiting.pop(command.request, None) is None:
            return []
        if kept or not up:
            code = 200 if kept else 480
            return [ToLeg(Side.AGENT, leg_command.RespondLeg(command.request, code))]
        self._waiting[command.request] = (Side.AGENT, now + TIMEOUT)
        request = leg_command.RequestLeg(
            command.request, "INFO", command.content_type, command.body, "", leg.NOTHING
        )
        return [ToLeg(Side.CALLER, request)]

    def deadline(self) -> float | None:
        """When `expire` is due."""
        return min([due for _, due in self._waiting.values()], default=None)

    def expire(self, now: float) -> list[CallCommand]:
        late = [(request, asker) for request, (asker, due) in self._waiting.items() if due <= now]
        for request, _ in late:
            del self._waiting[request]
        return [ToLeg(asker, leg_command.RespondLeg(request, 504)) for request, asker in late]

    def answer_all(self) -> list[CallCommand]:
        """A leg may leave the call: who waits for the other one has its answer now."""
        return self.expire(math.inf)

    def drop(self, side: Side | None = None) -> None:
        """A leg is gone, or all of the call: what it asked needs no answer any more; the engine
        gives it one."""
        for request in [name for name, (asker, _) in self._waiting.items() if side is None or asker is side]:
            del self._waiting[request]

    def _is_full(self, side: Side) -> bool:
        return sum(asker is side for asker, _ in self._waiting.values()) >= MAX_PENDING


def is_key(event: leg.LegRequested) -> bool:
    """Whether its body is a key, and nothing else."""
    return event.method == "INFO" and event.content_type.partition(";")[0].strip().lower() in _KEYS


def _harmless(event: leg.LegRequested) -> bytes | None:
    """The body to send in place of this one while masked, or None where it may carry a key."""
    kind = event.content_type.partition(";")[0].strip().lower()
    if not kind and not event.body:
        return b""  # the other end wants to know whether we are there
    if kind == _PICTURE and b"picture_fast_update" in event.body:
        return _PICTURE_WANTED
    return None


def _answer(side: Side, event: leg.LegRequested, code: int) -> list[CallCommand]:
    return [ToLeg(side, leg_command.RespondLeg(event.request, code))]
