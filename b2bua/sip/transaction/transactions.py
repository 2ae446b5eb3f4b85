"""Transactions under way: a request with its state machine, its hop and its user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from b2bua.sip.hop import Hop
from b2bua.sip.message.compose import Outgoing
from b2bua.sip.message.message import Request, Response
from b2bua.sip.transaction.invite_client import InviteClient
from b2bua.sip.transaction.invite_server import InviteServer
from b2bua.sip.transaction.non_invite_client import NonInviteClient
from b2bua.sip.transaction.non_invite_server import NonInviteServer
from b2bua.sip.transaction.scheduler import Slot
from b2bua.sip.transaction.transaction import Command
from tonewall.snapshot import TRANSIENT

ServerKey = tuple[str, ...]


class ClientUser(Protocol):
    """Who sent a request."""

    def on_response(self, client: ClientTransaction, response: Response) -> None: ...
    def on_no_response(self, client: ClientTransaction, code: int) -> None:
        """There will be none: `code` 408 after a time-out, 503 where the transport refused."""
        ...


class ServerUser(Protocol):
    """Who answers a request."""

    def on_ack(self, request: Request) -> None: ...
    def on_lost(self, server: ServerTransaction) -> None:
        """Our answer could not be sent."""
        ...


class Nobody:
    """The user of transactions whose outcome changes nothing."""

    def on_response(self, client: ClientTransaction, response: Response) -> None: ...
    def on_no_response(self, client: ClientTransaction, code: int) -> None: ...
    def on_ack(self, request: Request) -> None: ...
    def on_lost(self, server: ServerTransaction) -> None: ...


NOBODY = Nobody()


class Runner(Protocol):
    """Carries out the commands of a machine."""

    def run_client(self, client: ClientTransaction, commands: list[Command]) -> None: ...
    def run_server(self, server: ServerTransaction, commands: list[Command]) -> None: ...


@dataclass(slots=True, eq=False)
class ClientTransaction:
    """A request of ours under way. `tries`: how often it has been sent with credentials.

    `requested_hop`: what it was opened for; `destination`: the hop that it took, perhaps by another
    transport. `was_resent`: whether it was sent a second time because its connection broke.
    """

    request: Outgoing
    requested_hop: Hop
    destination: Hop
    machine: InviteClient | NonInviteClient
    user: ClientUser
    layer: Runner
    tries: int = 0
    was_resent: bool = False
    scheduled: Slot | None = field(default=None, metadata=TRANSIENT)

    @property
    def key(self) -> tuple[str, str]:
        """Branch and method."""
        return self.request.branch, self.request.method

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        return self.machine.deadline()

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        self.layer.run_client(self, self.machine.expire(now))


@dataclass(slots=True, eq=False)
class ServerTransaction:
    """A request of the peer's that we answer."""

    request: Request
    destination: Hop
    machine: InviteServer | NonInviteServer
    user: ServerUser
    layer: Runner
    key: ServerKey
    scheduled: Slot | None = field(default=None, metadata=TRANSIENT)

    @property
    def answered(self) -> bool:
        """Whether a final response was sent."""
        return self.machine.state not in {"trying", "proceeding"}

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        return self.machine.deadline()

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        self.layer.run_server(self, self.machine.expire(now))
