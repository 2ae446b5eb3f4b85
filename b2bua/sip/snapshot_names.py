"""Objects that a snapshot refers to by name instead of copying them: trunks, credentials, sockets.

Rule 1: no password is written, and no Authorization of a peer's.
Rule 2: a request that may hold a key is refused, wherever it was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from b2bua.sip.auth.digest import Digest
from b2bua.sip.context import EngineContext
from b2bua.sip.hop import Hop
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.mid_dialog import METHODS
from b2bua.sip.message.compose import Outgoing
from b2bua.sip.message.header_fields import Headers
from b2bua.sip.message.message import Request
from b2bua.sip.message.uri import Uri
from b2bua.sip.transaction.layer import TransactionLayer
from b2bua.sip.transaction.transactions import NOBODY, Nobody
from b2bua.sip.trunk.peers import Peer
from tonewall.snapshot import SnapshotError

_CREDENTIALS = frozenset({"Authorization", "Proxy-Authorization"})
NAMED = (EngineContext, LegContext, TransactionLayer, Nobody, Peer, Digest, Headers, Uri, Hop)


class SnapshotNames:
    """The context and the trunks of one engine, by name."""

    kinds: tuple[type, ...] = (*NAMED, Request, Outgoing)

    def __init__(self, context: EngineContext, peers: Mapping[str, Peer]) -> None:
        self._context = context
        self._peers = peers
        self._trunk_of = {id(peer.pin): name for name, peer in peers.items()}

    def name_of(self, value: object) -> Any:
        """Name an object of this engine; None for any other."""
        match value:
            case EngineContext():
                return ("context",)
            case TransactionLayer():
                return ("layer",)
            case Nobody():
                return ("nobody",)
            case Peer():
                return "peer", value.trunk.name
            case Digest():
                return "digest", self._trunk_of[id(value.pin)], value.nonce, value.count
            case Headers():
                return "headers", tuple(
                    f"{name}: {each}"
                    for name in value.keys()  # noqa: SIM118 — it is no mapping
                    if name not in _CREDENTIALS
                    for each in value.getlist(name)
                )
            case Uri():
                return "uri", value.text
            case Hop():
                bind = self._context.transports.bind_of(value.flow)
                return "hop", value.host, value.port, value.transport, bind, value.trunk
            case Request() | Outgoing() if value.method in METHODS:
                raise SnapshotError("a request that may hold a key is not written out")
            case _:
                return None

    def find(self, name: Any) -> object:
        """Find the object of a name. Raises SnapshotError."""
        match name:
            case ("context",):
                return self._context
            case ("layer",):
                return self._context.layer
            case ("nobody",):
                return NOBODY
            case "peer", trunk:
                return self._peer(trunk)
            case "digest", trunk, nonce, count:
                peer = self._peer(trunk)
                return Digest(peer.trunk.username, peer.trunk.password, peer.pin, nonce, count)
            case "headers", lines:
                return Headers(lines)
            case "uri", text:
                return Uri.parse(text)
            case "hop", host, port, transport, bind, trunk:
                flow = self._context.transports.flow_of(bind) if bind is not None else 0
                return Hop(host, port, transport, flow, trunk)
            case _:
                raise SnapshotError("it names an object that does not exist here")

    def _peer(self, trunk: str) -> Peer:
        if trunk not in self._peers:
            raise SnapshotError(f"it has legs of the trunk {trunk}, which is not configured here")
        return self._peers[trunk]
