"""One relayed session: its streams in the core.

Rule 1: the mask covers every stream of the session, or `set_mask` raises and nobody is answered
        that it does.
Rule 2: a stream of another media process's reads nothing until `resume`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from media._core import AGENT, CALLER, GUARD, Relay, SecretMemory
from media.events import LegCounters, Masking, MaskTally, SessionId, Side, TappedStream
from media.mask_policy import BLOCK_SECONDS, MaskPolicy
from media.service.kept_sockets import NO_SLOT, KeptSockets, Restorable, port_of
from media.service.line_watch import LineArrivals
from media.service.payload_types import PayloadTypes
from media.service.ports import PortPairs
from media.service.session_protocol import FinalCounters, KeyFigures, MaskSpan, SessionProtocol
from media.stream_description import LocalStream, RemoteStream
from tonewall.log import get_logger

log = get_logger(__name__)
_LEGS = {Side.CALLER: CALLER, Side.AGENT: AGENT}
_NOWHERE = "0.0.0.0"  # noqa: S104


class RelayedSession:
    """The streams of one session. `numbers` gives each stream its number in the core.

    `interfaces`: of each side, where its packets are received, and the address that its peer gets
    in SDP.
    """

    def __init__(
        self,
        session: SessionId,
        relay: Relay,
        interfaces: Mapping[Side, tuple[PortPairs, str]],
        numbers: Callable[[], int],
        count: int,
        kept: KeptSockets,
    ) -> None:
        """Bind `count` streams, of which copies are `kept`. Raises NoPorts, OSError; then nothing
        stays bound."""
        self.id = session
        self.streams: list[int] = []
        self.local: dict[Side, tuple[LocalStream, ...]] = {}
        # The media thread has applied the mask to every stream, and nobody asked to open it.
        self.mask_confirmed = False
        self.masked = False  # whether any stream is, or may be
        self.relay = relay
        self._interfaces, self._numbers, self._kept = interfaces, numbers, kept
        self._slots: list[int] = []  # of the recovery page, one a stream
        self._types: list[PayloadTypes] = []
        # What each leg's peer is, as last said.
        self.remotes: dict[Side, tuple[RemoteStream, ...]] = {}
        self._capturing: list[int] = []
        self.tapped = False  # whether the headers of its packets are recorded
        self._hears_tones = False
        # Once closed: packets of each payload type in the first stream.
        self.came: tuple[dict[int, int], ...] = (
            {},
            {},
        )
        with ExitStack() as undo:
            undo.callback(self.close)
            self.widen(count)
            undo.pop_all()

    @property
    def is_kept(self) -> bool:
        """Whether the supervisor has copies of all its sockets."""
        return NO_SLOT not in self._slots

    def widen(self, count: int) -> list[int]:
        """Bind streams until there are `count`; the new ones. Raises NoPorts, OSError; what is
        bound by then stays."""
        before = len(self.streams)
        while len(self.streams) < count:
            self._bind()
            self.relay.set_tap(self.streams[-1], self.tapped)
        return self.streams[before:]

    def _bind(self) -> None:
        """One stream more, which no mask covers yet."""
        with ExitStack() as sockets:
            pairs = {side: ports.bind() for side, (ports, _) in self._interfaces.items()}
            for pair in pairs.values():
                for sock in pair:
                    sockets.enter_context(sock)
            number, slot = self._numbers(), self._kept.take_slot()
            sockets.callback(self._kept.give_back, slot)
            opened = [sock for side in Side for sock in pairs[side]]
            ports_of = {side: pair[0].getsockname()[1] for side, pair in pairs.items()}
            page = self._kept.page_of(slot)
            self.relay.open_stream(number, *(sock.fileno() for sock in opened), page=page, slot=slot)
            sockets.pop_all()
            self._kept.keep(self.id, len(self.streams), slot, [sock.fileno() for sock in opened])
            for sock in opened:
                sock.detach()  # the core's from now on
        self._opened(number, slot, ports_of)

    def adopt(self, found: Sequence[Restorable]) -> bool:
        """Go on with streams that another media process had opened; they have no peers yet, and
        read nothing. Returns whether they must be masked before they do. Owns their sockets. Raises
        OSError, ValueError; then those that were not adopted are let go."""
        left, must_mask = deque(found), False
        try:
            while left:
                slot, sockets = left[0]
                ports_of = {side: port_of(sockets[2 * index]) for index, side in enumerate(Side)}
                number, page = self._numbers(), self._kept.page_of(slot)
                if page is None:
                    raise ValueError("a stream without a slot")
                customer, customer_rtcp, agent, agent_rtcp = sockets
                must_mask |= self.relay.adopt_stream(
                    number, customer, customer_rtcp, agent, agent_rtcp, page, slot
                )
                left.popleft()  # the sockets are the core's from now on
                self._opened(number, slot, ports_of)
        finally:
            for each in left:
                self._kept.abandon(each)
        return must_mask

    def resume(self) -> None:
        """Have the streams that were adopted read again; the packets that have waited are
        dropped."""
        for number in self.streams:
            self.relay.resume_stream(number)

    def _opened(self, number: int, slot: int, ports_of: Mapping[Side, int]) -> None:
        self.streams.append(number)
        self._slots.append(slot)
        self._types.append(PayloadTypes())
        for side, port in ports_of.items():
            stream = LocalStream(self._interfaces[side][1], port)
            self.local[side] = (*self.local.get(side, ()), stream)

    def set_remote(self, side: Side, remotes: tuple[RemoteStream, ...], *, codes: bool = False) -> None:
        """Where one leg's peer is. Streams that the leg did not describe pass nothing. `codes`: as
        in `SetRemote`."""
        for number in self.streams if side is Side.AGENT else ():
            self.relay.set_agent_keys(number, codes)
        self.remotes[side] = remotes
        for index, number in enumerate(self.streams):
            if index >= len(remotes) or remotes[index].port == 0:
                self.relay.set_peer(number, _LEGS[side], _NOWHERE, 0, _NOWHERE, 0, False)
                continue
            remote = remotes[index]
            ours = self.local[side][index].address
            if (":" in remote.address) is not (":" in ours):
                log.warning(
                    "address_family_mismatch",
                    call=self.id,
                    hint="give its trunk a media_address of its own family, IPv4 or IPv6",
                )
            types = self._types[index]
            types.learn(remote, side)
            keys = remote.keys
            if keys is None:
                self.relay.set_crypto(number, _LEGS[side], None, b"", b"")
            else:
                self.relay.set_crypto(number, _LEGS[side], keys.suite, keys.peer, keys.ours)
            if remote.rtp:
                self.relay.set_types(
                    number,
                    *types.lists(),
                    clock=remote.clock_rate,
                    drops_events=Side.AGENT in types.without_events,
                    drops_agent_events=Side.CALLER in types.without_events,
                )
            else:  # nothing is known of it: it passes where nothing is masked
                self.relay.set_types(number, b"", b"", clock=0)
            # Last: what locks a port is judged by the new keys and types.
            self.relay.set_peer(
                number,
                _LEGS[side],
                remote.address,
                remote.port,
                remote.rtcp_address,
                remote.rtcp_port,
                remote.latch,
            )

    def set_mask(self, on: bool, masking: Masking) -> None:
        """Mask or open every stream. Returns once the media thread has applied it. Raises OSError,
        ValueError."""
        self.mask_confirmed = False  # half a mask is none: nobody may collect behind it
        self.masked = True  # or may be
        waits = masking.policy is MaskPolicy.MUTE_ON_KEY
        guard = round(masking.pause / BLOCK_SECONDS) if waits else GUARD
        for number in self.streams:
            self.relay.set_mask(number, on, masking.policy.number, guard, masking.tones, masking.placeholder)
        self._hears_tones = masking.tones
        self.mask_confirmed = self.masked = on

    def is_quiet(self, seconds: float) -> bool:
        """As in media/service/session_protocol.py."""
        quiet_ms = math.ceil(seconds * 1000)
        return not self.masked or all(self.relay.is_quiet(number, quiet_ms) for number in self.streams)

    def send_key(self, stream: int, body: bytes, payload_type: int, clock_rate: int) -> bool:
        """Send the key in a SIP INFO's body to the agent's side. False: not while masked, and not
        where too many wait.

        Raises ValueError where the body is no key, IndexError where there is no such stream.
        """
        return not self.masked and self.relay.send_key(self.streams[stream], body, payload_type, clock_rate)

    def capture(self, on: bool) -> None:
        """Keep the customer's key presses, or stop and wipe them; a closed session keeps none.
        Raises OSError, ValueError."""
        if not on:
            for number in self._capturing:
                self.relay.set_capture(number, False)
            self._capturing = []
            return
        self._capturing = [
            number
            for number, types in zip(self.streams, self._types, strict=True)
            if types.events or (self._hears_tones and types.is_heard_by_core)
        ]
        for number in self._capturing:
            self.relay.set_capture(number, True)

    def key_figures(self) -> KeyFigures:
        """As in media/service/session_protocol.py."""
        if not self.masked:
            return KeyFigures()
        each = [self.relay.key_figures(number) for number in self.streams]
        events, tones, both = (sum(figures[at] for figures in each) for at in range(3))
        doubled, talks = (any(figures[at] for figures in each) for at in (3, 4))
        return KeyFigures(events, tones, both, self._hears_tones, doubled, talks)

    def mask_span(self) -> MaskSpan:
        """As in media/service/session_protocol.py."""
        tallies = [self.relay.tally(number) for number in self.streams]
        names = MaskTally.__struct_fields__
        tally = MaskTally(**{name: sum(each[name] for each in tallies) for name in names})
        return MaskSpan(max(each["since"] for each in tallies), min(each["until"] for each in tallies), tally)

    def set_slow(self, on: bool) -> bool:
        """As in media/service/session_protocol.py."""
        for number in self._capturing:
            self.relay.set_slow(number, on)
        return True

    def tap(self, on: bool) -> None:
        """Record the headers of its packets, or no longer. Raises OSError."""
        self.tapped = False
        for number in self.streams:
            self.relay.set_tap(number, on)
        self.tapped = on

    def read_tap(self) -> Iterator[TappedStream]:
        """What was recorded since the last time, one stream at a time."""
        for index, number in enumerate(self.streams):
            records, dropped = self.relay.read_tap(number)
            caller, agent = (self.local[side][index].port for side in (Side.CALLER, Side.AGENT))
            yield TappedStream(caller_port=caller, agent_port=agent, records=records, dropped=dropped)

    def take_digits(self, stream: int, into: SecretMemory, offset: int) -> int:
        """As `Relay.take_digits`."""
        return self.relay.take_digits(stream, into, offset)

    def count_packets(self) -> int:
        """Packets received on either leg since the session opened."""
        return sum(self.received_by_leg().values())

    def received_by_leg(self) -> dict[Side, int]:
        """The same, of each leg."""
        counted = [self.relay.counters(number) for number in self.streams]
        return {side: sum(counters[f"{side.value}_received"] for counters in counted) for side in Side}

    def line_arrivals(self) -> LineArrivals:
        """What has come from the customer, and to its ports from others."""
        accepted = refused = unproved = 0
        address = None
        for number in self.streams:
            counters = self.relay.counters(number)
            failed, stranger, _ = self.relay.arrived(number)[CALLER]
            accepted += counters["caller_received"] - counters["caller_malformed"]
            refused += counters["caller_foreign_source"]
            unproved += failed
            address = "{}:{}".format(*stranger) if stranger is not None else address
        return LineArrivals(accepted, refused, unproved, address)

    def close(self) -> FinalCounters:
        """Wipe and unbind; the final counters of the caller's and the agent's leg."""
        self._capturing = []
        if self.streams:
            self.came = tuple(types for _, _, types in self.relay.arrived(self.streams[0]))
        totals: dict[str, int] = {}
        while self.streams:
            slot = self._slots.pop()
            for name, count in self.relay.close_stream(self.streams.pop()).items():
                before = totals.get(name, 0)
                totals[name] = max(before, count) if name.endswith("_jitter") else before + count
            self._kept.forget(slot)
        return _counters(totals, "caller"), _counters(totals, "agent")


def _counters(totals: dict[str, int], leg: str) -> LegCounters:
    return LegCounters(**{name: totals.get(f"{leg}_{name}", 0) for name in LegCounters.__struct_fields__})


def own(session: SessionProtocol) -> RelayedSession:
    """Raises ValueError where it is another's."""
    if not isinstance(session, RelayedSession):
        raise ValueError("not relayed by the own core")
    return session
