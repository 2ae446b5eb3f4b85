"""A whole signalling process without a socket: its messages go to two telephones on paper, its
clock is turned by the test.

Everything of it can be written out, thrown away and read into a new one at any moment:
`World.again`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import fields
from typing import Any, ClassVar

from b2bua.call.cdr import CallRecord
from b2bua.call.leg import LegId
from b2bua.call.leg_command import LegCommand
from b2bua.call.routing.limits import Limit
from b2bua.call.routing.router import Place, Router
from b2bua.call.routing.trunk import Trunk
from b2bua.call.sdp.codecs import OtherAudio
from b2bua.call.trunk_view import HopView
from b2bua.call.view import NoSuchCall, NotNow
from b2bua.ladder.ladders import Ladders
from b2bua.records.payments import PaymentTable
from b2bua.sip.hop import Bind, Hop, Transport
from b2bua.sip.message.compose import hostport
from b2bua.sip.message.octets import readable
from b2bua.sip.signalling import Signalling, new_leg
from b2bua.sip.transaction.tap import Tap
from b2bua.sip.transaction.transaction import Timers
from b2bua.sip.trunk.targets import Located, Target
from b2bua.sip.trunk.trunk_table import TrunkTable
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.interfaces import Plan
from b2bua.switchboard.switchboard import Switchboard
from media.events import (
    AnyAnswer,
    AnyCommand,
    CloseSession,
    Done,
    LegCounters,
    OpenSession,
    SessionClosed,
    SessionOpened,
    Side,
)
from media.stream_description import LocalStream
from tests.call_script import ORDER, sdp
from tests.wire.sip_peer import Call, Heard, SipPeer

OURS = "192.0.2.1"
CARRIER, PBX, PBX_TOO = "192.0.2.10", "192.0.2.20", "192.0.2.21"
PASSWORD = "correct horse"
TIMERS = Timers()
TRUNKS = (
    Trunk("carrier", CARRIER, 5060, trusted=True, prack="supported", session_expires=90),
    Trunk(
        "pbx",
        PBX,
        5060,
        username="tonewall",
        password=PASSWORD,
        refer=True,
        prack="supported",
        session_expires=90,
    ),
)
ADDRESSES = {"carrier": (CARRIER,), "pbx": (PBX, PBX_TOO)}


class Turned(selectors.SelectSelector):
    """Where asyncio would sleep, the clock is turned."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "nothing will ever happen"
        self.now += timeout
        return []


def played(story: Callable[[], Any]) -> Any:
    """Run a coroutine function with a clock that is turned, not waited for."""
    selector = Turned()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(story())
    finally:
        loop.close()


class AtOnce(Executor):
    """Stands where a thread is: what it is given is done by the time it returns, so that no clock
    turns meanwhile."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **keywords))
        except Exception as error:  # whoever awaits it gets it
            done.set_exception(error)
        return done


class Paper:
    """Stands where the sockets are: one UDP socket, under another number in each process."""

    def __init__(self, phones: dict[str, Phone], flow: int) -> None:
        self.phones, self.flow = phones, flow
        self.bind = Bind(Transport.UDP, OURS, 5060)

    def send_message(self, message: bytes, hop: Hop) -> bool:
        assert hop.flow in {0, self.flow}
        phone = self.phones.get(hop.host)
        if phone is not None:
            phone.hears(message, hop)
        return phone is not None

    def route(self, hop: Hop, size: int) -> Hop:
        return hop

    def host(self, hop: Hop) -> str:
        return OURS

    def sent_by(self, hop: Hop) -> str:
        return hostport(OURS, 5060)

    def contact(self, hop: Hop, name: str = "") -> str:
        return f"sip:{name or OURS}:5060"

    def bind_of(self, flow: int) -> Bind | None:
        return self.bind if flow == self.flow else None

    def flow_of(self, bind: Bind) -> int:
        return self.flow if bind == self.bind else 0


class Phone(SipPeer):
    """One end, played by hand: what it hears waits until a test says what becomes of it."""

    def __init__(self, host: str, world: World, user: str) -> None:
        self.host, self.port, self.user, self.world = host, 5060, user, world
        self.transport = "UDP"
        self.engine = (OURS, 5060)
        self.asked: list[Heard] = []  # requests that wait for a final answer
        self.answers: list[Heard] = []  # final answers to INVITEs that wait for an ACK
        self.ringing: list[Heard] = []  # reliable ones that wait for a PRACK
        self.call: Call | None = None
        self.invite = self.last = ""
        self.cseq, self.number, self.rseq = 1, 0, 0

    def hears(self, data: bytes, hop: Hop) -> None:
        self.world.said.append((round(self.world.now(), 6), hop.host, data))
        message = Heard(data.decode(), (OURS, 5060))
        if message.what.isdigit():
            self._answered(message)
        elif message.what == "CANCEL":
            self.reply(message, 200)
            self._cancelled(message)
        elif message.what != "ACK" and message.text not in {each.text for each in self.asked}:
            self.asked.append(message)

    def _answered(self, message: Heard) -> None:
        code, method = int(message.what), message.one("CSeq").split()[1]
        if method == "INVITE" and code >= 200:
            self.answers.append(message)
        elif method == "INVITE" and message.all("RSeq"):
            self.ringing.append(message)
        if method == "INVITE" and 100 < code < 300:
            self.call = Call.placed(message)

    def _cancelled(self, cancel: Heard) -> None:
        for invite in [each for each in self.asked if each.what == "INVITE" and each.branch == cancel.branch]:
            self.asked.remove(invite)
            self.reply(invite, 487, tag=self._tag(invite))

    def _tag(self, invite: Heard) -> str:
        return f"far{invite.one('Call-ID')[:6]}"

    # --- what a test has it say -------------------------------------------------------------------

    def send(self, text: str, to: tuple[str, int] | None = None) -> None:
        self.last = text
        self.world.receive(text.encode(), self.host)

    def contact(self, user: str) -> str:
        return f"<sip:{user}@{self.host}:5060>"

    def describes(self) -> str:
        """The next session description of its own, now and then on hold."""
        self.number += 1
        held = "a=sendonly\r\n" if self.number % 3 == 2 else ""
        return sdp(self.host, 4000 + 2 * self.number, extra=held).decode()

    def request(self, method: str, **more: Any) -> str:
        self.number += 1
        via = f"SIP/2.0/UDP {self.host}:5060;rport;branch=z9hG4bK{self.user}{self.number}"
        return super().request(method, **{"Via": via, "Call_ID": f"{self.user}@{self.host}"} | more)

    def dial(self) -> None:
        self.invite = self.request(
            "INVITE",
            body=self.describes(),
            Supported="100rel, timer",
            Session_Expires="90",
            Allow="INVITE, UPDATE, BYE",
        )
        self.send(self.invite)

    def asks(self, method: str, body: str = "", **headers: str) -> None:
        """A request in its dialog, if it has one."""
        if self.call is not None:
            self.cseq += 1
            given = {"Call_ID": self.call.call_id} | headers
            self.send(self.request(method, call=self.call, cseq=self.cseq, body=body, **given))

    def cancels(self) -> None:
        if self.invite:
            head = (
                self.invite.partition("\r\n\r\n")[0]
                .replace("INVITE ", "CANCEL ", 1)
                .replace(" INVITE", " CANCEL")
            )
            kept = ("CANCEL ", "Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards")
            rows = [row for row in head.split("\r\n") if row.startswith(kept)]
            self.send("\r\n".join([*rows, "Content-Length: 0", "", ""]))

    def says(self, code: int, *, reliably: bool = False, **headers: str) -> None:
        """Answer what was asked first; a provisional leaves it unanswered."""
        if not self.asked:
            return
        request = self.asked[0]
        inviting = request.what == "INVITE"
        if code < 200 and not inviting:
            return
        if code >= 200:
            self.asked.pop(0)
        described = (inviting and (code in {183, 200})) or (
            request.what == "UPDATE" and request.body and code == 200
        )
        tag = self._tag(request)
        if inviting and 100 < code < 300:
            self.call = Call.taken(request, tag) if ";tag=" not in request.one("To") else self.call
        if reliably and "100rel" in "".join(request.all("Supported")):
            self.rseq += 1
            headers |= {"Require": "100rel", "RSeq": str(self.rseq)}
        self.reply(
            request, code, tag, self.describes() if described else "", Allow="INVITE, UPDATE, BYE", **headers
        )

    def acknowledges(self) -> None:
        """The final answer to an INVITE of its own that waits longest."""
        if not self.answers:
            return
        answer = self.answers.pop(0)
        number = answer.one("CSeq").split()[0]
        if answer.what.startswith("2"):
            text = self.request("ACK", call=Call.placed(answer), cseq=number, Call_ID=answer.one("Call-ID"))
        else:
            given = {"Via": answer.one("Via"), "From": answer.one("From"), "To": answer.one("To")}
            text = self.request("ACK", cseq=number, Call_ID=answer.one("Call-ID"), **given)
        self.send(text.replace(f"CSeq: {number} ACK", f"CSeq: {number} ACK"))

    def pracks(self) -> None:
        if self.ringing:
            ringing = self.ringing.pop(0)
            self.cseq += 1
            self.send(
                self.request(
                    "PRACK", call=Call.placed(ringing), cseq=self.cseq, Call_ID=ringing.one("Call-ID"),
                    RAck=f"{ringing.one('RSeq')} 1 INVITE",
                )
            )  # fmt: skip


class Board(Switchboard):
    """One in which no error goes unnoticed."""

    failures: ClassVar[list[Exception]] = []

    def __init__(
        self,
        plan: Plan,
        record: Callable[[CallRecord], None],
        clock: Callable[[], float],
        payments: PaymentTable,
    ) -> None:
        super().__init__(plan, record, clock, payments=payments)
        self._context.payments._storage._thread = AtOnce()  # type: ignore[assignment]
        fail = self._executor._fail

        def noticed(line: Entry, error: Exception) -> None:
            self.failures.append(error)
            fail(line, error)

        self._executor._fail = noticed  # type: ignore[method-assign]


class World:
    """Signalling and switchboard as they are now, media that obeys, and the telephones at both
    ends."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        # All that Tonewall sent: when, to whom, what.
        self.said: list[tuple[float, str, bytes]] = []
        self.records: list[CallRecord] = []
        self.count: Counter[str] = Counter()
        self.carrier, self.pbx = Phone(CARRIER, self, "ann"), Phone(PBX, self, "desk")
        self.flow = 0
        self.answers: list[tuple[AnyCommand, AnyAnswer]] = []
        self.payments = PaymentTable()  # stays, as what is on disk does
        Board.failures = []
        self.open()

    # --- the process ------------------------------------------------------------------------------

    def open(self) -> None:
        """A fresh one, with the settings of the one before."""
        self.flow += 1
        table = TrunkTable(TRUNKS)
        for name, addresses in ADDRESSES.items():
            table.set_located(
                table.peers[name], Located((Target(name, 5060, Transport.UDP, addresses),), 60.0)
            )
        router = Router({"carrier": Place(Side.CALLER), "pbx": Place(Side.AGENT)}, ())
        plan = Plan(
            router=router, limits={name: Limit(50) for name in ADDRESSES}, policies={},
            other_audio=OtherAudio.DECODE, max_media=8, ring_time=100.0, guard_time=1.0,
        )  # fmt: skip
        self.board = Board(plan, self.records.append, self.now, self.payments)
        paper: Any = Paper({CARRIER: self.carrier, PBX: self.pbx, PBX_TOO: self.pbx}, self.flow)
        self.signalling = Signalling(
            self.loop, TIMERS, paper, table, self.count, Tap(Ladders()), self.board.on_leg_event
        )
        self.board.connect(self, self)

    def written(self) -> tuple[bytes, bytes]:
        return self.signalling.snapshot(), self.board.snapshot(self.now())

    def again(self) -> tuple[bytes, bytes]:
        """Write everything out, throw it away, and go on with what is read."""
        for leg in self.signalling.context.legs.values():  # what is no field would be lost
            assert set(vars(leg)) == {field.name for field in fields(type(leg))}
        legs, calls = self.written()
        old = self.signalling
        old.context.scheduler.close()
        self.board.abandon()
        self.open()
        self.board.restore(calls, self.now())
        self.signalling.restore(legs)
        old.context.legs.clear()
        old.context.layer.run_client = old.context.layer.run_server = None  # type: ignore[assignment,method-assign]
        return legs, calls

    # --- the engine, for the switchboard ----------------------------------------------------------

    def new_leg(self) -> LegId:
        return new_leg()

    def execute_command(self, leg: LegId, command: LegCommand) -> None:
        self.signalling.execute_command(leg, command)

    def counters(self) -> dict[str, int]:
        return {}

    def call_id(self, leg: LegId) -> str:
        found = self.signalling.context.legs.get(leg)
        return readable(found.call_id) if found is not None else ""

    def hops(self, trunk: str) -> tuple[HopView, ...]:
        return ()

    def registration(self, trunk: str) -> str | None:
        return None

    # --- media, for the switchboard ---------------------------------------------------------------

    connected = True

    def send(self, command: AnyCommand) -> None:
        """It obeys, and its answer is read with what comes next from the network."""
        answer: AnyAnswer = Done(serial=0)
        if isinstance(command, OpenSession):
            answer = SessionOpened(
                serial=0,
                caller=(LocalStream(OURS, 20000),) * command.streams,
                agent=(LocalStream(OURS, 20002),) * command.streams,
            )
        elif isinstance(command, CloseSession):
            answer = SessionClosed(serial=0, caller=LegCounters(), agent=LegCounters())
        self.answers.append((command, answer))
        self.loop.call_soon(self._answer)

    def _answer(self) -> None:
        if self.answers:
            self.board.on_media_answer(*self.answers.pop(0))

    # --- the test ---------------------------------------------------------------------------------

    def receive(self, data: bytes, host: str) -> None:
        self.signalling.receive_message(data, Hop(host, 5060, Transport.UDP, self.flow))

    async def settle(self) -> None:
        """Until nothing more happens by itself at once."""
        for _ in range(30):
            await asyncio.sleep(0)

    async def agent(self, ask: str) -> None:
        for call in self.board.calls():
            try:
                if ask == "start":
                    await self.board.start_capture(call.id, ORDER)
                else:
                    await self.board.cancel_capture(call.id)
            except (NotNow, NoSuchCall):
                return

    async def finish(self) -> None:
        """Both ends hang up, and then answer whatever they are asked until nothing is left."""
        ends: Iterable[Phone] = (self.carrier, self.pbx)
        self.carrier.cancels()
        for phone in ends:
            phone.asks("BYE")
        for _ in range(400):
            await self.settle()
            for phone in ends:
                while phone.asked:
                    phone.says(487 if phone.asked[0].what == "INVITE" else 200)
                while phone.answers:
                    phone.acknowledges()
            await asyncio.sleep(1.0)

    def left(self) -> dict[str, int]:
        """All that there should be nothing of at the end."""
        context, board = self.signalling.context, self.board
        return {
            "legs": len(context.legs),
            "dialogs": len(context.dialogs),
            "outgoing": len(context.outgoing),
            "transactions": len(context.layer),
            "calls": len(board._context.registry),
            "legs of calls": board._context.registry.legs,
            "places": board._context.limiter.taken,
            "errors": self.count["errors"] + len(board.failures),
        }
