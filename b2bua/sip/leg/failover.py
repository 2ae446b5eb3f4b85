"""Targets of an INVITE: failover to another hop (RFC 3263 section 4.3), redirection (RFC 3261
section 8.1.3.4), and the INVITE that was abandoned.

Rule 1: each hop is tried once for a target, MAX_TARGETS targets at most, none twice.
Rule 2: what answers after we went on is cancelled, or acknowledged and hung up: a leg has one call.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from b2bua.call.leg import LegId
from b2bua.sip.hop import Hop
from b2bua.sip.leg.dialog import Forks, ForkVerdict
from b2bua.sip.leg.leg_protocol import LegOwner
from b2bua.sip.message.compose import add_user, hostport
from b2bua.sip.message.message import Response
from b2bua.sip.message.name_addr import parse_name_addr, parse_parameters, split_quoted
from b2bua.sip.message.octets import readable
from b2bua.sip.message.uri import Uri
from b2bua.sip.transaction.scheduler import Slot
from b2bua.sip.transaction.transaction import TransactionEvent
from b2bua.sip.transaction.transactions import NOBODY, ClientTransaction
from tonewall.snapshot import TRANSIENT

MAX_TARGETS = 5
_NO_TAG = "\0"  # no tag of a message that was read


@dataclass(frozen=True, slots=True)
class Contact:
    """One that a 3xx names. `uri`: at which it can be called where its host is the trunk's own,
    without parameters."""

    user: str
    uri: str


def redirect_contacts(response: Response) -> list[Contact]:
    """The Contacts of a 3xx, the best q-value first, none twice, MAX_TARGETS at most."""
    rated: list[tuple[float, Contact]] = []
    for value in response.headers.getlist("Contact"):
        for one in split_quoted(value, ","):
            _, uri, rest = parse_name_addr(one)
            try:
                parsed = Uri.parse(uri)
            except ValueError:
                continue
            if not parsed.user:
                continue
            at, user = hostport(parsed.host, parsed.port), readable(parsed.user)
            rated.append((_q(rest), Contact(user, add_user(f"sip:{at}", user))))
    rated.sort(key=lambda each: -each[0])
    return list(dict.fromkeys(contact for _, contact in rated))[:MAX_TARGETS]


def _q(rest: str) -> float:
    text = parse_parameters(rest).get("q", "1")
    try:
        return min(max(float(text), 0.0), 1.0) if len(text) <= 5 else 0.0
    except ValueError:
        return 0.0


@dataclass(slots=True)
class TargetSet:
    """Where a leg's INVITE still may go. `uri`: the target being tried; `hops`: the ways to it that
    are left."""

    uri: str
    hops: list[Hop]
    targets: list[tuple[str, list[Hop]]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add_targets(self, targets: list[tuple[str, list[Hop]]]) -> None:
        """More targets, each with its hops: what was tried or waits is dropped, and what is too
        many."""
        self.seen.add(self.uri)
        for uri, hops in targets:
            if uri not in self.seen and len(self.seen) <= MAX_TARGETS:
                self.seen.add(uri)
                self.targets.append((uri, list(hops)))

    def next_target(self) -> bool:
        """Go on to the next target; False: there is none."""
        if not self.targets:
            return False
        self.uri, self.hops = self.targets.pop(0)
        return True


@dataclass(slots=True, init=False, repr=False, eq=False)
class AbandonedInvite:
    """Sees to an INVITE that was given up for another hop, after the leg went on without it."""

    _leg: LegOwner
    _tag: str
    _client: ClientTransaction
    _forks: Forks
    _until: float | None
    scheduled: Slot | None = field(default=None, metadata=TRANSIENT)

    def __init__(self, leg: LegOwner, tag: str, client: ClientTransaction) -> None:
        self._leg = leg
        self._tag = tag
        self._client = client
        self._forks = Forks(winner=_NO_TAG)
        self._until = self.scheduled = None
        client.user = self
        # Nobody wants that INVITE to arrive any longer.
        client.machine.due.pop(TransactionEvent.TIMER_A, None)

    @property
    def leg_id(self) -> LegId:
        """Whose INVITE it was."""
        return self._leg.id

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        return self._until

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        del now
        self._until = None
        if self._client.machine.state == "proceeding":
            self._leg.context.layer.abandon(self._client)  # RFC 3261 section 9.1, as for any CANCEL

    def on_response(self, client: ClientTransaction, response: Response) -> None:
        """Handle a response to a request of ours."""
        context = self._leg.context
        if response.code < 200:
            if self._until is None:
                context.layer.open_client(client.request.new_cancel(), client.destination, NOBODY)
                self._until = context.scheduler.now() + context.timers.timeout
                context.scheduler.watch(self)
        elif response.code < 300:
            verdict, dialog = self._forks.receive_response(client.request, self._tag, response)
            way = self._leg.peer.next_hop(
                dialog.next_hop, response.source, stays=self._leg.peer.behind_nat and not dialog.route_set
            )
            ack = dialog.request("ACK", (f"User-Agent: {context.user_agent}",), cseq=client.request.cseq)
            context.layer.send_ack(ack, way)
            if verdict is ForkVerdict.LATE:
                context.layer.open_client(dialog.request("BYE"), way, NOBODY)

    def on_no_response(self, client: ClientTransaction, code: int) -> None:
        """It was given up before."""
