"""A call played as a script: events in, exact commands out, with the two ends and media played by
the test.

Rule 1: what the agents are shown and what is recorded is kept apart (`shown`, `records`), so that a
        step's commands are those to legs and media alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from b2bua.call import leg
from b2bua.call.call import Call
from b2bua.call.cdr import CallRecord
from b2bua.call.command import (
    CallCommand,
    NoteMask,
    Record,
    ReplaceLeg,
    Show,
    ToLeg,
    ToMedia,
    ToReplacement,
)
from b2bua.call.order import Order
from b2bua.call.routing.route import Route
from b2bua.call.routing.router import Destination
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.state import MaskState
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.call.view import CallView
from media.events import (
    AnyAnswer,
    AnyCommand,
    CaptureChanged,
    CaptureId,
    CaptureState,
    CloseSession,
    Deaf,
    Done,
    KeyingChanged,
    LegCounters,
    LineChanged,
    OpenSession,
    Refused,
    SessionClosed,
    SessionId,
    SessionLost,
    SessionOpened,
    SessionSilent,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
)
from media.stream_description import LocalStream, RemoteStream

SESSION = SessionId("call-1")
ORIGIN = 7
SEED = bytes(32)
PORTS = {Side.CALLER: 20000, Side.AGENT: 20002}
COUNTERS = LegCounters(received=5, sent=4, masked=3)
ORDER = Order(transaction_id="order-1", amount=1250, currency="EUR", description="Shoes")
GUARD = 1.0
EVENTS = "a=rtpmap:101 telephone-event/8000\r\n"


def sdp(address: str, port: int, *, origin: str | None = None, events: bool = True, extra: str = "") -> bytes:
    """A description with one m-line of G.711, with telephone-event or without."""
    formats = "0 101" if events else "0"
    return (
        f"v=0\r\no={origin or f'peer 1 1 IN IP4 {address}'}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\na=rtpmap:0 PCMU/8000\r\n{EVENTS if events else ''}{extra}"
    ).encode()


def ours(side: Side, version: int = 1, **other: object) -> bytes:
    """What `sdp(...)` of the other end becomes for `side`."""
    return sdp("127.0.0.1", PORTS[side], origin=f"- {ORIGIN} {version} IN IP4 127.0.0.1", **other)  # type: ignore[arg-type]


THEIRS = {Side.CALLER: sdp("192.0.2.10", 4000), Side.AGENT: sdp("192.0.2.20", 5000)}
REFUSED = Refused(serial=0, reason="no room")
DONE = Done(serial=0)


def remote(side: Side, address: str, port: int, *, events: bool = True, latch: bool = False) -> ToMedia:
    """The SetRemote that follows a description of `side`."""
    stream = RemoteStream(
        address=address,
        port=port,
        rtcp_address=address,
        rtcp_port=port + 1 if port else 0,
        event_types=(101,) if events else (),
        mu_types=(0,),
        latch=latch,
    )
    return ToMedia(SetRemote(session=SESSION, side=side, streams=(stream,)))


CALLER_IS = remote(Side.CALLER, "192.0.2.10", 4000)
AGENT_IS = remote(Side.AGENT, "192.0.2.20", 5000)
IS = {Side.CALLER: CALLER_IS, Side.AGENT: AGENT_IS}
CLOSE = ToMedia(CloseSession(session=SESSION))
OPEN = ToMedia(OpenSession(session=SESSION, streams=1))
MASK = ToMedia(SetMask(session=SESSION, on=True))
UNMASK = ToMedia(SetMask(session=SESSION, on=False))
RELEASE = ToMedia(SetMask(session=SESSION, on=False, released=True))


def collect(capture: str) -> ToMedia:
    return ToMedia(StartCapture(session=SESSION, capture=CaptureId(capture)))


class Script:
    """One call from its INVITE on; `near` is the side that sent it. `now` moves only when a test
    says so. Unless it is not `prompt`, media hears at once where a peer is."""

    def __init__(
        self,
        near: Side = Side.CALLER,
        offer: bytes | None = None,
        *,
        max_forwards: int = 70,
        far_trunks: Sequence[str] = ("far trunk",),
        policies: Mapping[str, TrunkPolicy] | None = None,
        prompt: bool = True,
    ) -> None:
        self.prompt = prompt
        self.near, self.far = near, OTHER[near]
        self.now = 1_000_000_000.0
        self.shown: list[CallView] = []
        self.records: list[CallRecord] = []
        self.notes: list[NoteMask] = []
        invited = leg.LegInvited(
            trunk="near trunk",
            caller=leg.Party("anna", "Anna"),
            callee=leg.Party("500"),
            offer=THEIRS[near] if offer is None else offer,
            max_forwards=max_forwards,
        )
        destinations = tuple(Destination(trunk, invited.caller, invited.callee) for trunk in far_trunks)
        route = Route(
            near=near,
            source="near trunk",
            destinations=destinations,
            policies=policies or {},
        )
        self.call, commands = Call.begin("call-1", invited, route, ORIGIN, SEED, GUARD, self.now)
        self.first = self._keep(commands)

    @property
    def view(self) -> CallView:
        return self.shown[-1]

    @property
    def stage(self) -> str:
        assert self.view.capture is not None
        return self.view.capture.stage.value

    def _keep(self, commands: list[CallCommand]) -> list[CallCommand]:
        if self.prompt:
            commands = self._told(commands)
        self.shown += [command.view for command in commands if isinstance(command, Show)]
        self.notes += [command for command in commands if isinstance(command, NoteMask)]
        self.records += [command.record for command in commands if isinstance(command, Record)]
        return [
            command
            for command in commands
            if isinstance(command, ToLeg | ToMedia | ToReplacement | ReplaceLeg)
        ]

    def _told(self, commands: list[CallCommand]) -> list[CallCommand]:
        """With what waits for media to hear of a peer: it has, at once."""
        plain: list[CallCommand] = []
        for command in commands:
            if (
                isinstance(command, ToMedia)
                and isinstance(command.command, SetRemote)
                and command.command.mark
            ):
                followed = self.call.media_answered(command.command, DONE, self.now)
                plain += [ToMedia(msgspec.structs.replace(command.command, mark=0)), *followed]
            else:
                plain.append(command)
        return plain

    def leg(self, side: Side, event: leg.LegEvent) -> list[CallCommand]:
        return self._keep(self.call.leg_event(side, event, self.now))

    def joining(self, event: leg.LegEvent) -> list[CallCommand]:
        """Of the leg that is to take another's place."""
        return self._keep(self.call.replacement_event(event, self.now))

    def media(self, command: AnyCommand | ToMedia, answer: AnyAnswer) -> list[CallCommand]:
        plain = command.command if isinstance(command, ToMedia) else command
        return self._keep(self.call.media_answered(plain, answer, self.now))

    def opened(self) -> list[CallCommand]:
        """Media has bound a port a leg."""
        streams = {side: (LocalStream("127.0.0.1", port),) for side, port in PORTS.items()}
        return self.media(
            OPEN, SessionOpened(serial=0, caller=streams[Side.CALLER], agent=streams[Side.AGENT])
        )

    def closed(self) -> list[CallCommand]:
        return self.media(CLOSE, SessionClosed(serial=0, caller=COUNTERS, agent=COUNTERS))

    def news(self, capture: str, state: CaptureState, **more: object) -> list[CallCommand]:
        news = CaptureChanged(session=SESSION, capture=CaptureId(capture), state=state, **more)  # type: ignore[arg-type]
        return self._keep(self.call.media_news(news, self.now))

    def heard(self, deaf: Deaf | None) -> list[CallCommand]:
        """Media says that the customer is not heard, and why; None: is heard again."""
        return self._keep(self.call.media_news(LineChanged(session=SESSION, deaf=deaf), self.now))

    def silent(self) -> list[CallCommand]:
        """Media says that nothing has come from either side for too long."""
        return self._keep(self.call.media_news(SessionSilent(session=SESSION, seconds=90.0), self.now))

    def session_lost(self) -> list[CallCommand]:
        return self._keep(self.call.media_news(SessionLost(session=SESSION), self.now))

    def expire(self, seconds: float) -> list[CallCommand]:
        """`seconds` later."""
        self.now += seconds
        return self._keep(self.call.expire(self.now))

    def media_lost(self) -> list[CallCommand]:
        return self._keep(self.call.media_lost(self.now))

    def shut_down(self) -> list[CallCommand]:
        return self._keep(self.call.shut_down(self.now))

    def start(self, capture: str) -> list[CallCommand]:
        return self._keep(self.call.start_capture(capture, ORDER, self.now))

    def submit(self) -> list[CallCommand]:
        return self._keep(self.call.submit_capture(self.now))

    def release(self) -> list[CallCommand]:
        return self._keep(self.call.release_mask(self.now))

    def keying(self, keying: bool) -> list[CallCommand]:
        return self._keep(self.call.media_news(KeyingChanged(session=SESSION, keying=keying), self.now))

    def cancel(self) -> list[CallCommand]:
        return self._keep(self.call.cancel_capture(self.now))

    # --- the beginnings that many stories share ---------------------------------------------------

    def ring(self) -> Script:
        self.opened()
        self.leg(self.far, leg.LegProgressed(180, "Ringing"))
        return self

    def answer(self, answer: bytes | None = None) -> Script:
        """Up to a call that is up on both legs."""
        self.opened()
        self.leg(self.far, leg.LegAnswered(THEIRS[self.far] if answer is None else answer))
        self.leg(self.near, leg.LegConfirmed())
        return self

    def collecting(self, capture: str = "c1") -> Script:
        """Up to a customer who may key. A mask that was to go off stays on."""
        waiting = self.call.payment.mask in (MaskState.HELD, MaskState.RELEASING)
        self.start(capture)
        if waiting:
            self.media(UNMASK, REFUSED)
        self.media(MASK, DONE)
        self.media(collect(capture), DONE)
        self.news(capture, CaptureState.COLLECTING)
        return self

    def charging(self, capture: str = "c1") -> Script:
        """Up to a submitted card."""
        self.collecting(capture)
        self.news(capture, CaptureState.READY, brand="visa", last_four="4242")
        self.submit()
        self.news(capture, CaptureState.SUBMITTED)
        return self
