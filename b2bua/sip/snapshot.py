"""Snapshot of the SIP engine: legs with their dialogs, transactions and timers.

Rule 1: a request that may hold a key, INFO or MESSAGE, is not written: its transaction ends with
        the process.
Rule 2: passwords are in sip.conf and are not written, nor are a peer's credentials. A request of
        ours that may be sent again is written, with its answer to a challenge.
Rule 3: a connection does not outlive its process: its peer is reached over a new one, to where its
        Via says.
Rule 4: registrations and health checks begin anew; a hop that asked for rest goes on resting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from b2bua.call import leg, leg_command
from b2bua.call.leg import LegId
from b2bua.call.schema import SCHEMA
from b2bua.sip import hop
from b2bua.sip.hop import Hop
from b2bua.sip.leg import (
    dialog,
    dialog_sender,
    failover,
    invite_sender,
    late_prack,
    leg_base,
    leg_state,
    mid_dialog,
    provisional,
    referral,
    reinvite,
    reliable_answer,
    session,
    session_timer,
    uac,
    uas,
)
from b2bua.sip.leg.dialog import Dialog, DialogKey, Forks
from b2bua.sip.leg.failover import AbandonedInvite
from b2bua.sip.leg.invite_sender import InviteSender
from b2bua.sip.leg.late_prack import LatePracks
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.mid_dialog import METHODS
from b2bua.sip.leg.provisional import ReceivedProvisionals
from b2bua.sip.leg.reliable_answer import ReliableAnswer
from b2bua.sip.leg.session_timer import SessionTimer
from b2bua.sip.message import compose, message
from b2bua.sip.snapshot_names import SnapshotNames
from b2bua.sip.transaction import (
    invite_client,
    invite_server,
    layer,
    non_invite_client,
    non_invite_server,
    transaction,
    transactions,
)
from b2bua.sip.transaction.scheduler import Timed
from b2bua.sip.transaction.transaction import Transaction
from b2bua.sip.transaction.transactions import NOBODY, ClientTransaction, ServerTransaction
from b2bua.sip.trunk import health
from b2bua.sip.trunk.health import Health
from b2bua.sip.trunk.peers import Peer
from tonewall.snapshot import Kinds, SnapshotError, read, write
from tonewall.snapshot_shapes import earlier

_KEYS = tuple(f"{method} ".encode() for method in METHODS)
_LEAP = 32  # requests within a dialog, between two snapshots of it
_NOT_OF_CALLS = METHODS | {"REGISTER", "OPTIONS"}
Machine = Transaction | Dialog | Forks | ReliableAnswer | SessionTimer | ReceivedProvisionals


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """All that an engine goes on with. `realms`: of the trunks' challenges, where they were learnt;
    `health`: of their hops; `late_pracks`: those that cross the end of their leg."""

    legs: dict[LegId, Leg]
    dialogs: dict[DialogKey, Leg]
    outgoing: dict[tuple[str, str], Leg]
    clients: list[ClientTransaction]
    servers: list[ServerTransaction]
    realms: dict[str, str]
    health: dict[str, dict[Hop, Health]]
    late_pracks: LatePracks


@dataclass(frozen=True, slots=True)
class LegsSnapshot:
    """Some legs of an engine, those of one call, with the requests of ours that they wait for. What
    else is under way in them they refer to themselves."""

    legs: dict[LegId, Leg]
    clients: list[ClientTransaction]


_MODULES = (
    compose, dialog, dialog_sender, failover, health, hop, invite_client, invite_sender, invite_server,
    late_prack, layer, leg, leg_base, leg_command, leg_state, message, mid_dialog,
    non_invite_client, non_invite_server, provisional, referral, reinvite, reliable_answer,
    session, session_timer, transaction, transactions, uac, uas,
)  # fmt: skip
SHAPES = Path(__file__).parent / "shapes"
KINDS = Kinds(
    _MODULES,
    never=(leg.LegRequested, leg_command.RequestLeg, message.Response),
    also=(EngineSnapshot, LegsSnapshot),
    schema=SCHEMA,
    earlier=earlier(SHAPES),
)


def write_engine(context: LegContext[Leg], peers: Mapping[str, Peer]) -> bytes:
    """Write every leg of an engine. Raises SnapshotError."""
    clients, servers = context.layer.transactions()
    snapshot = EngineSnapshot(
        context.legs,
        context.dialogs,
        context.outgoing,
        [each for each in clients if each.request.method not in METHODS and _is_of_call(each.user)],
        [each for each in servers if each.request.method not in _NOT_OF_CALLS],
        {name: peer.pin.realm for name, peer in peers.items() if peer.pin.realm is not None},
        {name: peer.health for name, peer in peers.items()},
        context.late_pracks,
    )
    return write(snapshot, KINDS, context.scheduler.now(), SnapshotNames(context, peers))


def restore_engine(data: bytes, context: LegContext[Leg], peers: Mapping[str, Peer]) -> None:
    """Restore the legs of a snapshot into a context that has none yet.

    Raises SnapshotError, and has then changed nothing.
    """
    found = read(data, KINDS, context.scheduler.now(), SnapshotNames(context, peers))
    if not isinstance(found, EngineSnapshot):
        raise SnapshotError("it is no engine's")
    for name, realm in found.realms.items():
        if name in peers and not peers[name].trunk.realm:
            peers[name].pin.realm = realm
    for name, hops in found.health.items():
        if name in peers:
            peers[name].health |= hops  # what DNS does not name any more goes when it has answered
    context.legs.update(found.legs)
    context.dialogs.update(found.dialogs)
    context.outgoing.update(found.outgoing)
    context.late_pracks = found.late_pracks
    context.layer.restore(found.clients, found.servers)
    timers: list[Timed] = [user for each in found.clients if isinstance(user := each.user, AbandonedInvite)]
    for timed in (*found.legs.values(), *timers):
        context.scheduler.watch(timed)


def write_legs(context: LegContext[Leg], peers: Mapping[str, Peer], wanted: Iterable[LegId]) -> bytes:
    """Write these legs; those that are over are left out. Raises SnapshotError."""
    legs = {leg: context.legs[leg] for leg in wanted if leg in context.legs}
    call_ids = dict.fromkeys(leg.call_id for leg in legs.values())
    clients = [
        each
        for call_id in call_ids
        for each in context.layer.clients_of(call_id)
        if each.request.method not in METHODS and _is_of_legs(each, legs)
    ]
    return write(LegsSnapshot(legs, clients), KINDS, context.scheduler.now(), SnapshotNames(context, peers))


def restore_legs(
    data: bytes, context: LegContext[Leg], peers: Mapping[str, Peer], *, acknowledged: bool
) -> tuple[LegId, ...]:
    """Restore legs that another process wrote a moment before it died, into a context that has not
    got them; their ids. `acknowledged`: the ACK of our 2xx has come since.

    What it sent after it wrote is not known here: CSeq and nonce count go on behind anything that
    it can have used. Raises SnapshotError, and has then changed nothing.
    """
    made: list[object] = []
    found = read(data, KINDS, context.scheduler.now(), SnapshotNames(context, peers), made)
    if not isinstance(found, LegsSnapshot):
        raise SnapshotError("these are no legs")
    for each in found.legs.values():
        each.leap(_LEAP)
        if acknowledged:
            each.confirm_again()
        context.legs[each.id] = each
        context.dialogs.update(dict.fromkeys(each.dialog_keys, each))
        if isinstance(each, InviteSender):
            context.outgoing[each.invitation] = each
        context.scheduler.watch(each)
    for client in found.clients:
        if isinstance(client.user, AbandonedInvite):
            context.scheduler.watch(client.user)
    servers = [each for each in made if isinstance(each, ServerTransaction) and not each.machine.ended]
    context.layer.restore(found.clients, servers)
    return tuple(found.legs)


def _is_of_legs(client: ClientTransaction, legs: Mapping[LegId, Leg]) -> bool:
    """Whether a request belongs to one of these legs. A CANCEL is nobody's."""
    user = client.user
    if isinstance(user, AbandonedInvite):
        return user.leg_id in legs
    return user is NOBODY or (isinstance(user, Leg) and user.id in legs)


def _is_of_call(user: object) -> bool:
    return user is NOBODY or isinstance(user, Leg | AbandonedInvite)


def write_machines(machines: list[Machine], now: float) -> bytes:
    """Write machines. `now`: on the monotonic clock.

    Raises SnapshotError for a request that may hold a key.
    """
    if any(isinstance(each, Transaction) and each.stored.startswith(_KEYS) for each in machines):
        raise SnapshotError("a request that may hold a key is not written out")
    return write(machines, KINDS, now)


def read_machines(data: bytes, now: float) -> list[Machine]:
    """Restore machines, in their order. Raises SnapshotError."""
    found = read(data, KINDS, now)
    if not isinstance(found, list) or not all(isinstance(each, Machine) for each in found):
        raise SnapshotError("these are no machines")
    return found
