"""Ladders whose messages are the test's own."""

from __future__ import annotations

import itertools

from b2bua.call.leg import LegId
from b2bua.call.view import CallState, CallView, CaptureView
from b2bua.ladder.ladders import Ladders
from media.events import Side

CARRIER = ("192.0.2.1", 5060, "udp")
PBX = ("2001:db8::1", 5060, "tcp")
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 8 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=sendonly\r\n"
)


class Book:
    """Ladders with a clock of whole seconds, and a short way to say what passes."""

    def __init__(self, remembered: int = 2) -> None:
        clock = itertools.count(1000)
        self.ladders = Ladders(remembered, lambda: float(next(clock)))

    def call(self, name: str) -> None:
        """An INVITE of the carrier's, and ours to the PBX."""
        self.ladders.open_leg(LegId(f"{name}-in"), f"{name}@carrier")
        self.say(f"{name}@carrier", "INVITE", received=True, body=SDP)
        self.ladders.begin_call(LegId(f"{name}-in"), Side.CALLER, "carrier", view(name))
        self.ladders.add_leg(name, LegId(f"{name}-out"), Side.AGENT, "pbx")
        self.ladders.open_leg(LegId(f"{name}-out"), f"{name}@us")
        self.say(f"{name}@us", "INVITE", body=SDP, at=PBX)

    def say(
        self,
        call_id: str,
        method: str,
        code: int = 0,
        cseq: int = 1,
        *,
        received: bool = False,
        body: bytes = b"",
        at: tuple[str, int, str] = CARRIER,
    ) -> None:
        self.ladders.add_message(call_id, not received, method, code, cseq, at, body)

    def end(self, name: str) -> None:
        self.ladders.close_leg(LegId(f"{name}-in"))
        self.ladders.close_leg(LegId(f"{name}-out"))
        self.ladders.end_call(name)


def view(name: str, capture: CaptureView | None = None) -> CallView:
    return CallView(
        id=name,
        state=CallState.UP,
        direction="inbound",
        caller="+49301234567",
        callee="100",
        started_at="",
        masked=capture is not None,
        capture=capture,
    )
