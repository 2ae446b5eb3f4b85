"""Registrar of trunks with `host = dynamic`: a PBX registers, and is called where it came from.

Rule 1: a binding is where the REGISTER came from, not what its Contact says: it is also who may
        call us.
Rule 2: no REGISTER makes a transaction: each answer can be made again, so a flood keeps nothing.
Rule 3: a binding over a connection is over with it (RFC 5626 section 4.2.2): nobody listens where
        it came from.
Rule 4: a trunk has MAX_BINDINGS at most; the newest is called first.
Rule 5: bindings over UDP survive a restart (see `bindings`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from b2bua.call.routing.limits import Bucket
from b2bua.call.routing.trunk import DYNAMIC
from b2bua.sip.auth.challenger import CredentialStatus, DigestChallenger, username_in
from b2bua.sip.context import EngineContext
from b2bua.sip.message.compose import compose_response, stateless_tag
from b2bua.sip.message.message import Request
from b2bua.sip.message.name_addr import parse_name_addr, parse_parameters, split_quoted, unquote
from b2bua.sip.message.request_checks import check_required
from b2bua.sip.transaction.scheduler import Slot
from b2bua.sip.transport.interface import LostConnection
from b2bua.sip.trunk.bindings import MAX_BINDINGS, Binding, BindingFile
from b2bua.sip.trunk.peers import Peer
from b2bua.sip.trunk.targets import Located, Target
from b2bua.sip.trunk.trunk_table import TrunkTable
from tonewall.log import get_logger

MIN_EXPIRES = 60  # seconds of a binding
_MAX_CHALLENGES = 100.0  # a second that those get who have proved nothing
log = get_logger(__name__)


class Registrar:
    """One per engine. `on_change` is called after a trunk's hops may have changed; `path`: where
    bindings are kept, if anywhere."""

    def __init__(
        self,
        context: EngineContext,
        trunks: TrunkTable,
        challenger: DigestChallenger,
        on_change: Callable[[], None],
        path: Path | None = None,
    ) -> None:
        self._context = context
        self._trunks = trunks
        self._challenger = challenger
        self._count = context.count
        self._on_change = on_change
        self._peers = {
            peer.trunk.username: peer for peer in trunks.peers.values() if peer.trunk.host == DYNAMIC
        }
        self._bindings: dict[str, list[Binding]] = {peer.trunk.name: [] for peer in self._peers.values()}
        self._challenge_rate = Bucket(_MAX_CHALLENGES)
        self._file: BindingFile | None = None
        if path is not None and self._peers:
            dynamic = [peer.trunk for peer in self._peers.values()]
            self._file = BindingFile(path, dynamic, context.scheduler.now, time.time)
        self.scheduled: Slot | None = None

    @property
    def is_active(self) -> bool:
        """Whether there is anybody who may register."""
        return bool(self._peers)

    def find_peer(self, values: list[str]) -> Peer | None:
        """The trunk that registers here and whose username these credentials name."""
        return self._peers.get(username_in(values[0])) if values else None

    def restore(self) -> None:
        """Take back the bindings that an earlier process wrote."""
        for name, bindings in (self._file.read() if self._file is not None else {}).items():
            self._bindings[name][:] = bindings
        for peer in self._peers.values():
            self._publish(peer)

    def handle_register(self, request: Request) -> None:
        """A REGISTER, from anywhere."""
        now, source = self._context.scheduler.now(), request.source
        peer = self.find_peer(request.headers.getlist("Authorization"))
        allowed = (
            peer is not None
            and peer.accepts_transport(source.transport)
            and self._trunks.is_on_bind(peer, source)
        )
        trunk = peer.trunk if peer is not None and allowed else None
        verdict = self._challenger.check_credentials(request, "Authorization", trunk, now)
        if (
            peer is not None
            and verdict is CredentialStatus.GOOD
            and self._context.transports.adopt_flow(source, peer.trunk)
        ):
            self._bind(peer, request, now)
            return
        if verdict is CredentialStatus.BAD:
            self._count["registrations_refused"] += 1
        if self._challenge_rate.take(now) and self._challenger.still_answers(source.host, now):
            lines = self._challenger.challenge_lines(
                now, source.host, "WWW-Authenticate", stale=verdict.is_stale
            )
            self._respond(request, 401, lines)

    # --- bindings ---------------------------------------------------------------------------------

    def _bind(self, peer: Peer, request: Request, now: float) -> None:
        """RFC 3261 section 10.3, steps 2 and 6 to 8."""
        refusal = check_required(request)
        if refusal is not None:
            self._respond(request, refusal.code, refusal.lines)
            return
        kept = self._bindings[peer.trunk.name]
        contacts = [each for value in request.headers.getlist("Contact") for each in split_quoted(value, ",")]
        header = request.headers.getlist("Expires")
        asked = [(each, _seconds(each, header[0] if header else "", peer.trunk.expires)) for each in contacts]
        if any(value.strip() == "*" for value in contacts):
            if len(contacts) > 1 or not header or header[0].strip() != "0":
                self._respond(request, 400, ())
                return
            kept.clear()
        elif any(0 < seconds < MIN_EXPIRES for _, seconds in asked):
            self._respond(request, 423, (f"Min-Expires: {MIN_EXPIRES}",))
            return
        else:
            for value, seconds in asked:
                contact = parse_name_addr(value)[1]
                old = next((each for each in kept if each.contact == contact), None)
                if old is not None:
                    if old.call_id == request.head.call_id and request.cseq < old.cseq:
                        self._respond(request, 500, ())
                        return
                    kept.remove(old)
                if seconds:
                    hop = request.source._replace(trunk=peer.trunk.name)
                    kept.insert(0, Binding(contact, hop, now + seconds, request.head.call_id, request.cseq))
            del kept[MAX_BINDINGS:]
        self._publish(peer)
        self._write_file()
        lines = [f"Contact: <{each.contact}>;expires={round(each.until - now)}" for each in kept]
        self._respond(request, 200, tuple(lines))

    def _publish(self, peer: Peer) -> None:
        kept = self._bindings[peer.trunk.name]
        targets = tuple(
            Target(each.hop.host, each.hop.port, each.hop.transport, (each.hop.host,), priority=place)
            for place, each in enumerate(kept)
        )
        if targets != peer.located.targets:
            self._trunks.set_located(peer, Located(targets, 0.0))
            log.info("registered", trunk=peer.trunk.name, count=len(kept))
            self._on_change()
        self._context.scheduler.watch(self)

    def _respond(self, request: Request, code: int, lines: tuple[str, ...]) -> None:
        tag = stateless_tag(request.head)
        self._context.transports.send_message(
            compose_response(request.head, request.source, code, tag=tag, lines=lines), request.source
        )

    # --- time -------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        return min((each.until for kept in self._bindings.values() for each in kept), default=None)

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        self._retain(lambda each: each.until > now)

    def on_connection_lost(self, lost: LostConnection) -> None:
        """A connection is over."""
        self._retain(lambda each: each.hop.flow != lost.flow)

    def _retain(self, wanted: Callable[[Binding], bool]) -> None:
        for peer in self._peers.values():
            kept = self._bindings[peer.trunk.name]
            alive = [each for each in kept if wanted(each)]
            if len(alive) < len(kept):
                kept[:] = alive
                self._publish(peer)
                self._write_file()

    def _write_file(self) -> None:
        if self._file is not None:
            self._file.write(self._bindings)


def _seconds(contact: str, header: str, max_seconds: int) -> int:
    """For how long a contact asks: its own expires, the header's, or as long as we grant at
    most."""
    text = unquote(parse_parameters(parse_name_addr(contact)[2]).get("expires", header).strip())
    known = text.isascii() and text.isdigit() and len(text) < 10
    return min(int(text), max_seconds) if known else max_seconds
