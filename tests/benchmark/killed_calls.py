"""Calls for the figures of a kill: SIP by one trunk a side, RTP by processes of their own, which no
work of the test keeps from their pace.

Rule 1: a customer sends a packet every 20 ms, speech or keys; an agent answers one of ten.
Rule 2: what an agent gets is noted with its time, and counted where it is a telephone-event.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import random
import select
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from tests.benchmark.phones import EVENT_TYPE, OPUS_TYPE, Telephone
from tests.model.sip import Dialog, Trunk
from tests.wire.sip_peer import HOST, Heard, SipPeer

_FORK = multiprocessing.get_context("fork")
_PACKET, _SLOTS, _RARELY, _EVERY = 0.02, 10, 10, 0.005
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP {audio} "
    "101\r\na=rtpmap:{audio} {codec}\r\na=rtpmap:101 telephone-event/{rate}\r\na=fmtp:101 0-16\r\n"
)


@dataclass(frozen=True, slots=True)
class Reached:
    """What came to one agent since the last look: when, by the monotonic clock, and how many
    packets of telephone-events."""

    times: list[float]
    events: int


@dataclass(slots=True)
class End:
    """One end of a call, with the dialog that it has."""

    trunk: Trunk
    name: str
    port: int
    opus: bool = False
    dialog: Dialog | None = None
    ended: bool = False

    @property
    def description(self) -> str:
        audio, codec, rate = (OPUS_TYPE, "opus/48000/2", 48000) if self.opus else (0, "PCMU/8000", 8000)
        return _SDP.format(port=self.port, audio=audio, codec=codec, rate=rate)

    def requested(self, request: Heard) -> None:
        match request.what:
            case "ACK":
                return
            case "INVITE" if self.dialog is None:
                local = f"{request.one('To')};tag={self.name}"
                self.dialog = Dialog(request.one("Call-ID"), local, request.one("From"), request.contact)
                self.dialog.routes = tuple(request.all("Record-Route"))
                self.trunk.reply(request, 200, tag=self.name, body=self.description)
            case "INVITE" | "UPDATE":
                self.trunk.reply(request, 200, body=self.description)
            case "BYE":
                self.trunk.reply(request, 200)
                self.ended = True
            case _:
                self.trunk.reply(request, 200)

    async def dial(self, user: str) -> int:
        """Call; the port that packets are to be sent to, 0 where the call was refused."""
        call_id, asked = self.trunk.dial(user, self.name, self.description)
        self.trunk.parties[call_id] = self
        final = await asked.final
        if final.what != "200":
            self.ended = True
            return 0
        self.dialog = Dialog(final.one("Call-ID"), final.one("From"), final.one("To"), final.contact)
        self.dialog.routes = tuple(reversed(final.all("Record-Route")))  # RFC 3261 section 12.1.2
        self.trunk.acknowledge(self.dialog, asked)
        return int(final.body.partition("m=audio ")[2].split()[0])

    async def hang_up(self) -> None:
        if self.dialog is not None and not self.ended:
            self.ended = True
            await self.trunk.request("BYE", self.dialog).final


@dataclass(slots=True)
class KilledCall:
    """Both ends, and what Tonewall calls it."""

    index: int
    customer: End
    agent: End
    call_id: str = ""
    far: int = 0

    @property
    def up(self) -> bool:
        return bool(self.far) and not self.customer.ended and not self.agent.ended


@dataclass(slots=True)
class Talkers:
    """The processes that send and receive."""

    phones: list[Telephone]
    agents: list[socket.socket]
    _sender: Connection = field(init=False)
    _receiver: Connection = field(init=False)

    def starts(self, index: int, port: int) -> None:
        """That customer sends to this port from now on; no port: no more."""
        self._sender.send((index, port, ""))

    def key(self, index: int, keys: str) -> None:
        self._sender.send((index, 0, keys))

    def look(self) -> list[Reached]:
        """What has come to each agent since the last look."""
        self._receiver.send(True)
        return self._receiver.recv()

    def lateness(self) -> float:
        """Seconds that a packet was sent too late at most, since the last look."""
        self._sender.send((-1, 0, ""))
        return self._sender.recv()

    @contextlib.contextmanager
    def running(self) -> Iterator[Talkers]:
        self._sender, to_sender = _FORK.Pipe()
        self._receiver, to_receiver = _FORK.Pipe()
        workers = [
            _FORK.Process(target=_send, args=(self.phones, to_sender), daemon=True),
            _FORK.Process(target=_receive, args=(self.agents, to_receiver), daemon=True),
        ]
        for worker in workers:
            worker.start()
        try:
            yield self
        finally:
            for end in (self._sender, self._receiver):
                end.send(None)
            for worker in workers:
                worker.join()


def _send(phones: list[Telephone], asked: Connection) -> None:
    chance, slots = random.Random(1), [phones[each::_SLOTS] for each in range(_SLOTS)]
    due, slot, latest = time.monotonic(), 0, 0.0
    while True:
        latest = max(latest, time.monotonic() - due)
        while asked.poll():
            order = asked.recv()
            if order is None:
                return
            index, port, keys = order
            if index < 0:
                asked.send(latest)
                latest = 0.0
            elif keys:
                phones[index].key(keys, chance)
            else:
                phones[index].starts((HOST, port))
        for phone in slots[slot]:
            phone.send()
        slot, due = (slot + 1) % _SLOTS, due + _PACKET / _SLOTS
        time.sleep(max(0.0, due - time.monotonic()))


def _receive(agents: list[socket.socket], asked: Connection) -> None:
    times: list[list[float]] = [[] for _ in agents]
    events, packets = [0] * len(agents), [0] * len(agents)
    with selectors.DefaultSelector() as selector:
        for index, each in enumerate(agents):
            selector.register(each, selectors.EVENT_READ, index)
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is asked:
                    if asked.recv() is None:
                        return
                    asked.send([Reached(each, count) for each, count in zip(times, events, strict=True)])
                    times, events = [[] for _ in agents], [0] * len(agents)
                    continue
                index = key.data
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    while True:
                        packet, source = agents[index].recvfrom(2048)
                        times[index].append(time.monotonic())
                        events[index] += packet[1] & 0x7F == EVENT_TYPE
                        packets[index] += 1
                        if packets[index] % _RARELY == 0:
                            agents[index].sendto(packet, source)  # as good as any that it could say


@contextlib.contextmanager
def talkers(count: int, opus: int = 0) -> Iterator[Talkers]:
    """For so many calls, the first `opus` of them in Opus."""
    with contextlib.ExitStack() as ends:
        agents = [ends.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(count)]
        for each in agents:
            each.bind((HOST, 0))
            each.setblocking(False)
        phones = [Telephone(number, opus=number < opus) for number in range(count)]
        for phone in phones:
            ends.enter_context(phone.socket)
        with Talkers(phones, agents).running() as made:
            yield made


@contextlib.contextmanager
def asker(host: str, engine: tuple[str, int]) -> Iterator[Connection]:
    """Who asks for OPTIONS every 5 ms, in a process of its own, once something is sent to it; sends
    the time of the first answer."""
    ours, theirs = _FORK.Pipe()
    worker = _FORK.Process(target=_ask, args=(host, engine, theirs), daemon=True)
    worker.start()
    try:
        yield ours
    finally:
        worker.kill()
        worker.join()


def _ask(host: str, engine: tuple[str, int], asked: Connection) -> None:
    with contextlib.closing(SipPeer(host)) as peer:
        peer.engine = engine
        asked.recv()
        for number in itertools.count(1):
            with contextlib.suppress(OSError):  # refused, where nobody has the port
                peer.send(peer.request("OPTIONS", cseq=number))
            if select.select([peer.socket], [], [], _EVERY)[0]:
                with contextlib.suppress(OSError):
                    if peer.socket.recv(4096).startswith(b"SIP/2.0 200"):
                        asked.send(time.monotonic())
                        return


async def set_up(
    carrier: Trunk, pbx: Trunk, made: Talkers, round_: int, opus: int, at_once: int = 8
) -> list[KilledCall]:
    """A call for each telephone, a few at a time; those that were refused are not up."""
    calls = [
        KilledCall(
            index, End(carrier, f"c{round_}x{index}", phone.port, index < opus),
            End(pbx, f"a{round_}x{index}", agent.getsockname()[1], index < opus),
        )
        for index, (phone, agent) in enumerate(zip(made.phones, made.agents, strict=True))
    ]  # fmt: skip
    by_user = {call.agent.name: call.agent for call in calls}
    pbx.on_invite = lambda invite: by_user.get(invite.uri.partition(":")[2].partition("@")[0])
    slots = asyncio.Semaphore(at_once)

    async def dial(call: KilledCall) -> None:
        async with slots:
            call.far = await call.customer.dial(call.agent.name)
            if call.far:
                made.starts(call.index, call.far)

    await asyncio.gather(*(dial(call) for call in calls))
    return calls
