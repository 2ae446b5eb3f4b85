"""Default SIP engine: signalling over sockets, trunks located by DNS, health checks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from b2bua.call.leg import LegEvent, LegId
from b2bua.call.leg_command import LegCommand
from b2bua.call.routing.trunk import Trunk
from b2bua.call.trunk_view import HopView
from b2bua.ladder.ladders import Ladders
from b2bua.sip.hop import Address, Bind, Hop, is_secure
from b2bua.sip.message.octets import readable
from b2bua.sip.signalling import Signalling, new_leg
from b2bua.sip.transaction.tap import Tap
from b2bua.sip.transaction.transaction import Timers
from b2bua.sip.transport.bound_sockets import BoundSocket, open_sockets
from b2bua.sip.transport.framer import BrokenStream
from b2bua.sip.transport.interface import Callbacks, LostConnection
from b2bua.sip.transport.stream import Limits
from b2bua.sip.transport.tls import TlsContexts
from b2bua.sip.transport.transports import Transports
from b2bua.sip.trunk.locator import Locator
from b2bua.sip.trunk.options_ping import OptionsPings
from b2bua.sip.trunk.peers import networks_of
from b2bua.sip.trunk.registration import Registrations
from b2bua.sip.trunk.resolve import Resolver
from b2bua.sip.trunk.trunk_table import TrunkTable
from tonewall.log import get_logger

log = get_logger(__name__)
_MAX_DEAF = 1.0  # seconds: twice T1 (RFC 3261 section 17.1.1.1)


class SipEngine:
    """Legs towards trunks. Everything runs on the event loop that called `start`."""

    def __init__(
        self,
        *,
        binds: Sequence[Bind],
        trunks: Sequence[Trunk],
        on_event: Callable[[LegId, LegEvent], None],
        user_agent: str = "Tonewall",
        timers: Timers | None = None,
        resolver: Resolver | None = None,
        tls: TlsContexts | None = None,
        limits: Limits | None = None,
        ladders: Ladders | None = None,
        realm: str = "tonewall",
        bindings: Path | None = None,
        sockets: Sequence[BoundSocket] = (),
        retired: Sequence[Trunk] = (),
    ) -> None:
        """`binds`: where we listen. The first that fits a peer is the one that calls to it leave
        by. `realm`: of our own challenges. `bindings`: the file that keeps where trunks registered
        from. `sockets`: those of `binds`, where they are bound already. `retired`: trunks that are
        gone, whose legs may be restored."""
        self._binds = binds
        self._sockets = sockets
        self._on_event = on_event
        self._user_agent = user_agent
        self._realm = realm
        self._bindings = bindings
        self._tap = Tap(ladders or Ladders())
        self._timers = timers or Timers()
        self._counters: Counter[str] = Counter()
        self._trunks = TrunkTable(trunks, retired)
        duties = Callbacks(
            self.receive_message, self._on_broken_stream, self._on_connection_lost, self._trunks.trunks_at
        )
        self._tls = tls or TlsContexts()
        self._known = {trunk.name: trunk for trunk in (*trunks, *retired)}  # which all transports look into
        self._transports = Transports(duties, self._known, self._tls, limits)
        self._trunks.find_bind = self._transports.find_bind
        self._locator = Locator(resolver or Resolver(), self._trunks, self._on_relocated)
        self._pings: OptionsPings | None = None
        self._registrations: Registrations | None = None
        self._idle = asyncio.Event()
        self._signalling: Signalling | None = None
        self.address: Address = ("", 0)  # the first of those bound

    # --- life -------------------------------------------------------------------------------------

    async def start(
        self,
        snapshot: bytes = b"",
        opened: Callable[[], None] = lambda: None,
        leg_changed: Callable[[LegId], None] = lambda _: None,
    ) -> None:
        """Bind, resolve the trunks, and restore a snapshot of another engine's. `opened`: called
        once the sockets are there; `leg_changed`: called with a leg that has moved without an
        event.

        What has waited in an inherited socket is received once the trunks are resolved: before, its
        sender would be a stranger.

        Raises OSError where an address cannot be bound, SnapshotError where the snapshot cannot be
        restored.
        """
        signalling = Signalling(
            asyncio.get_running_loop(),
            self._timers,
            self._transports,
            self._trunks,
            self._counters,
            self._tap,
            self._on_event,
            user_agent=self._user_agent,
            realm=self._realm,
            on_relocated=self._on_relocated,
            on_settled=self._on_settled,
            bindings=self._bindings,
        )
        self._signalling = signalling
        sockets = self._sockets or open_sockets(self._binds)
        self.address, *_ = await self._transports.open(sockets, self._trunks.hops)
        if snapshot:
            signalling.restore(snapshot)
        opened()
        self._forget_retired()
        signalling.context.changed = leg_changed
        signalling.restore_bindings()
        families = self._transports.families()
        self._pings = OptionsPings(signalling.context, lambda: list(self._trunks.peers.values()))
        # One name that DNS does not answer holds up the other trunks no longer than this.
        hearing = asyncio.get_running_loop().call_later(_MAX_DEAF, self._transports.start)
        await self._locator.start([bind.transport for bind in self._binds], families)
        hearing.cancel()
        self._transports.start()
        self._registrations = Registrations(signalling.context, list(self._trunks.peers.values()))
        log.info("sip_started", address=self.address[0], port=self.address[1])

    def check_trunks(self, trunks: Sequence[Trunk]) -> None:
        """Load what these trunks need, and change nothing. Raises OSError, ValueError."""
        listens = any(bind.transport.secure for bind in self._binds)
        for trunk in trunks:
            networks_of(trunk)
            if is_secure(trunk.transport):
                self._tls.check(trunk, listens=listens)

    def change_trunks(self, trunks: Sequence[Trunk]) -> None:
        """Have these trunks from now on. Legs of one that is gone go on to their end; new calls are
        refused to it, and none is sent there."""
        signalling, registrations = self._signalling, self._registrations
        if signalling is None or registrations is None:
            return
        before = {name: peer.trunk for name, peer in self._trunks.peers.items() if not peer.is_retired}
        after = {trunk.name: trunk for trunk in trunks}
        others = {name for name in {**before, **after} if before.get(name) != after.get(name)}
        registrations.leave(others)  # while the trunk is what it was
        self._trunks.change(trunks)
        self._forget_retired()
        self._locator.ask_again(sorted(others))
        registrations.begin([self._trunks.peers[name] for name in sorted(others) if name in after])
        self._on_relocated()

    def _forget_retired(self) -> None:
        """Know no trunk any more that is gone, and has no leg left."""
        assert self._signalling is not None
        self._trunks.forget_retired({leg.peer.trunk.name for leg in self._signalling.context.legs.values()})
        known = {name: peer.trunk for name, peer in self._trunks.peers.items()}
        for name in set(self._known) - set(known):
            del self._known[name]
        self._known.update(known)

    def pause(self) -> None:
        """Receive nothing more: what comes waits in the sockets, for the next process."""
        self._transports.pause()

    def resume(self) -> None:
        """Receive again, beginning with what has waited."""
        self._transports.resume()

    def drain(self) -> None:
        """Answer OPTIONS with 503 from now on: peers send new calls elsewhere."""
        if self._signalling is not None:
            self._signalling.drain()

    async def stop(self, max_wait: float = 2.0) -> None:
        """Hang up every leg, wait for their ends, `max_wait` seconds at most, and close."""
        signalling = self._signalling
        if signalling is None:
            return
        signalling.hang_up_all()
        now = signalling.context.scheduler.now
        deadline = now() + max_wait
        if self._registrations is not None:
            self._registrations.unregister_all()
        while not self._finished and now() < deadline:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), max(0.0, deadline - now()))
            except TimeoutError:
                break
        left = signalling.close()
        await self._close()
        signalling.deliver_events()
        self._signalling = None
        log.info("sip_stopped", count=left)

    def snapshot(self) -> bytes:
        """Write every leg with its transactions, dialogs and timers. Raises SnapshotError."""
        assert self._signalling is not None
        return self._signalling.snapshot()

    def write_legs(self, legs: Iterable[LegId]) -> bytes:
        """Write these legs alone. Raises SnapshotError."""
        assert self._signalling is not None
        return self._signalling.write_legs(legs)

    def restore_legs(self, data: bytes, *, acknowledged: bool = False) -> tuple[LegId, ...]:
        """Restore legs of an engine that died; their ids. `acknowledged`: the ACK of our 2xx has
        come since they were written. Raises SnapshotError, and has then
        restored nothing."""
        assert self._signalling is not None
        return self._signalling.restore_legs(data, acknowledged=acknowledged)

    def has_leg(self, leg: LegId) -> bool:
        """Whether a leg is not over."""
        return self._signalling is not None and leg in self._signalling.context.legs

    async def abandon(self) -> None:
        """Close without a word to anybody: another engine goes on with the snapshot."""
        if self._signalling is not None:
            self._signalling.context.scheduler.close()
            self._signalling = None
            await self._close()

    async def _close(self) -> None:
        await self._locator.close()
        await self._transports.close()

    def _on_relocated(self) -> None:
        if self._pings is not None:
            self._pings.refresh()

    # --- what the calls ask, and what the network sends -------------------------------------------

    def new_leg(self) -> LegId:
        """A fresh id, for an InviteLeg."""
        return new_leg()

    def execute_command(self, leg: LegId, command: LegCommand) -> None:
        """Carry out a command. Raises LookupError for an InviteLeg to a trunk that was never
        configured."""
        if self._signalling is not None:
            self._signalling.execute_command(leg, command)

    def receive_message(self, data: bytes, source: Hop) -> None:
        """Take one message."""
        if self._signalling is not None:
            self._signalling.receive_message(data, source)

    def _on_broken_stream(self, broken: BrokenStream, source: Hop) -> None:
        if self._signalling is not None:
            self._signalling.on_broken_stream(broken, source)

    def _on_connection_lost(self, lost: LostConnection) -> None:
        if self._signalling is not None:
            self._signalling.on_connection_lost(lost)

    def _on_settled(self) -> None:
        if self._finished:
            self._idle.set()

    @property
    def _finished(self) -> bool:
        """Whether no leg is left, and no registration to be given back."""
        return not self.open_legs and (self._registrations is None or self._registrations.is_gone)

    # --- what can be counted ----------------------------------------------------------------------

    @property
    def open_legs(self) -> int:
        """Number of legs."""
        return len(self._signalling.context.legs) if self._signalling is not None else 0

    @property
    def open_dialogs(self) -> int:
        """Number of dialogs."""
        return len(self._signalling.context.dialogs) if self._signalling is not None else 0

    @property
    def open_transactions(self) -> int:
        """Number of transactions."""
        return len(self._signalling.context.layer) if self._signalling is not None else 0

    def registration(self, trunk: str) -> str | None:
        """The state of our registration at a trunk; None where none is configured."""
        return self._registrations.states().get(trunk) if self._registrations is not None else None

    def call_id(self, leg: LegId) -> str:
        """The Call-ID of a leg, fit to be shown; "" where it is over."""
        found = self._signalling.context.legs.get(leg) if self._signalling is not None else None
        return readable(found.call_id) if found is not None else ""

    def hops(self, trunk: str) -> tuple[HopView, ...]:
        """The ways to a trunk, and whether each is well."""
        signalling, peer = self._signalling, self._trunks.peers[trunk]
        if signalling is None:
            return ()
        now = signalling.context.scheduler.now()
        return tuple(
            HopView(address=hop.host, port=hop.port, transport=hop.transport, usable=peer.usable(hop, now))
            for hop in list(peer.health)
        )

    def counters(self) -> dict[str, int]:
        """Totals since the start, and the present numbers of legs, dialogs and transactions."""
        now = {"legs": self.open_legs, "dialogs": self.open_dialogs, "transactions": self.open_transactions}
        if self._signalling is not None:
            now |= self._trunks.counters(self._signalling.context.scheduler.now())
        return dict(self._counters) | self._transports.counters() | now
