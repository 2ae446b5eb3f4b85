"""Transaction layer: finds the machine of a message, and carries out its commands.

Rule 1: a machine that ended is forgotten at once; what its peer sends later is a stray, which is
        counted.
Rule 2: users are never called from within `open_client` or `send_response`, so they need not
        expect to be re-entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from b2bua.sip.hop import Hop
from b2bua.sip.message.compose import COOKIE, Outgoing, return_hop
from b2bua.sip.message.message import Request, Response
from b2bua.sip.message.spiral import called_user
from b2bua.sip.transaction.invite_client import InviteClient
from b2bua.sip.transaction.invite_server import InviteServer
from b2bua.sip.transaction.non_invite_client import NonInviteClient
from b2bua.sip.transaction.non_invite_server import NonInviteServer
from b2bua.sip.transaction.scheduler import Scheduler
from b2bua.sip.transaction.tap import Tap
from b2bua.sip.transaction.transaction import Command, Deliver, Send, Timers, TransactionEvent, Unreachable
from b2bua.sip.transaction.transactions import (
    NOBODY,
    ClientTransaction,
    ClientUser,
    ServerKey,
    ServerTransaction,
)
from b2bua.sip.transport.interface import LostConnection
from b2bua.sip.transport.transports import Transports


class TransactionLayer:
    """All transactions of one engine. `defer`: runs a function once what is under way has
    returned."""

    def __init__(
        self,
        transports: Transports,
        defer: Callable[[Callable[[], None]], None],
        scheduler: Scheduler,
        timers: Timers,
        tap: Tap,
    ) -> None:
        self._tap = tap
        self._transports = transports
        self._send = transports.send_message
        self._defer = defer
        self._scheduler = scheduler
        self._timers = timers
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._clients_of_call: dict[str, list[ClientTransaction]] = {}  # by Call-ID
        self._servers: dict[ServerKey, ServerTransaction] = {}
        # By what merged requests have in common.
        self._by_merge_key: dict[tuple[str, str, str, str], ServerTransaction] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def open_client(
        self, request: Outgoing, destination: Hop, user: ClientUser, tries: int = 0
    ) -> ClientTransaction:
        """Send a request of ours and see it through."""
        request, message, way = self._addressed(request, destination)
        machine, commands = self._machine(request, message, way)
        client = ClientTransaction(request, destination, way, machine, user, self, tries)
        self._add_client(client)
        self.run_client(client, commands)
        return client

    def _add_client(self, client: ClientTransaction) -> None:
        self._clients[client.key] = client
        self._clients_of_call.setdefault(client.request.call_id, []).append(client)

    def _drop_client(self, client: ClientTransaction) -> None:
        self._scheduler.forget(client)
        if self._clients.pop(client.key, None) is None:
            return
        of_call = self._clients_of_call[client.request.call_id]
        of_call.remove(client)
        if not of_call:
            del self._clients_of_call[client.request.call_id]

    def _machine(
        self, request: Outgoing, message: bytes, way: Hop
    ) -> tuple[InviteClient | NonInviteClient, list[Command]]:
        kind = InviteClient if request.method == "INVITE" else NonInviteClient
        return kind.open(message, self._scheduler.now(), self._timers, way.transport.reliable)

    def send_ack(self, ack: Outgoing, destination: Hop) -> bool:
        """Send the ACK for a 2xx, which belongs to no transaction (RFC 3261 section 17.1.1.3)."""
        _, message, way = self._addressed(ack, destination)
        self._tap.record_sent(ack, way)
        return self._send(message, way)

    def _addressed(self, request: Outgoing, destination: Hop) -> tuple[Outgoing, bytes, Hop]:
        """The request with its Via, its bytes and the hop that they are for. A CANCEL has the Via
        of its INVITE."""
        if request.sent_by:
            return request, bytes(request), destination
        request = self._with_via(request, destination)
        message = bytes(request)
        way = self._transports.route(destination, len(message))
        if way.transport is not destination.transport:
            request = self._with_via(request, way)
            message = bytes(request)
        return request, message, way

    def _with_via(self, request: Outgoing, way: Hop) -> Outgoing:
        return msgspec.structs.replace(
            request, transport=way.transport, sent_by=self._transports.sent_by(way)
        )

    def abandon(self, client: ClientTransaction) -> None:
        """Forget a transaction whose answer is not waited for any longer."""
        client.machine.due = {}
        self._drop_client(client)

    def receive_response(self, response: Response) -> bool:
        """Take a response. False: it belongs to no transaction."""
        client = self._clients.get((response.via.branch, response.method))
        if client is None:
            return False
        if response.code < 200:
            event, ack = TransactionEvent.PROVISIONAL, b""
        elif response.code < 300:
            event, ack = TransactionEvent.SUCCESS, b""
        else:
            event = TransactionEvent.FAILURE
            ack = client.request.ack_for(response.head.to) if response.method == "INVITE" else b""
        self.run_client(client, client.machine.receive(event, self._scheduler.now(), ack), response)
        return True

    def find_server(self, request: Request, method: str) -> ServerTransaction | None:
        """The server transaction of this request, or of the INVITE that this ACK or CANCEL is
        for."""
        return self._servers.get(_server_key(request, method))

    def receive_repetition(self, server: ServerTransaction, request: Request) -> None:
        """The request came again, or the ACK for what we answered."""
        event = TransactionEvent.ACK if request.method == "ACK" else TransactionEvent.REQUEST
        self.run_server(server, server.machine.receive(event, self._scheduler.now()), request)

    def open_server(self, request: Request) -> ServerTransaction:
        """A new request. Its user is NOBODY until one takes it."""
        kind = InviteServer if request.method == "INVITE" else NonInviteServer
        machine = kind.open(self._timers, request.source.transport.reliable)
        server = ServerTransaction(
            request, return_hop(request), machine, NOBODY, self, _server_key(request, request.method)
        )
        self._register(server)
        return server

    def _register(self, server: ServerTransaction) -> None:
        self._servers[server.key] = server
        if not server.request.to_tag:
            self._by_merge_key.setdefault(_merge_key(server.request), server)

    def is_merged(self, request: Request) -> bool:
        """Whether this new request reached us before on another way (RFC 3261 section 8.2.2.2). One
        for somebody else did not: a proxy that forks to several numbers behind us sends each of
        them."""
        return not request.to_tag and _merge_key(request) in self._by_merge_key

    def send_response(self, server: ServerTransaction, code: int, message: bytes) -> None:
        """Answer. The caller sees to it that one final answer is sent, but for a 2xx to an INVITE,
        sent again."""
        event = (
            TransactionEvent.PROVISIONAL
            if code < 200
            else TransactionEvent.SUCCESS
            if code < 300
            else TransactionEvent.FAILURE
        )
        self.run_server(server, server.machine.receive(event, self._scheduler.now(), message))

    def run_client(
        self, client: ClientTransaction, commands: list[Command], response: Response | None = None
    ) -> None:
        """Carry out the commands of a client transaction."""
        for command in commands:
            if isinstance(command, Send):
                # What a response makes an INVITE's transaction send is its ACK.
                self._tap.record_sent(
                    client.request, client.destination, "ACK" if response is not None else ""
                )
                if not self._send(command.message, client.destination):
                    self._defer(lambda: self._fail_client(client))
            elif isinstance(command, Deliver):
                if response is not None:
                    client.user.on_response(client, response)
            else:
                code = 503 if isinstance(command, Unreachable) else 408
                self._tap.record_unanswered(client.request, client.destination, code)
                client.user.on_no_response(client, code)
        if client.machine.ended:
            self._drop_client(client)
        else:
            self._scheduler.watch(client)

    def run_server(
        self, server: ServerTransaction, commands: list[Command], request: Request | None = None
    ) -> None:
        """Carry out the commands of a server transaction."""
        for command in commands:
            if isinstance(command, Send):
                self._tap.record_response(server.request, command.message, server.destination)
                if not self._send(command.message, server.destination):
                    self._defer(lambda: self._fail_server(server))
            elif isinstance(command, Deliver):
                if request is not None:
                    server.user.on_ack(request)
            else:
                server.user.on_lost(server)
        if server.machine.ended:
            self._servers.pop(server.key, None)
            self._scheduler.forget(server)
            if self._by_merge_key.get(_merge_key(server.request)) is server:
                del self._by_merge_key[_merge_key(server.request)]
        else:
            self._scheduler.watch(server)

    # --- to be written out, and read back ---------------------------------------------------------

    def clients_of(self, call_id: str) -> Iterable[ClientTransaction]:
        """The requests of ours that are under way with this Call-ID."""
        return self._clients_of_call.get(call_id, ())

    def transactions(self) -> tuple[list[ClientTransaction], list[ServerTransaction]]:
        """All that are under way."""
        return list(self._clients.values()), list(self._servers.values())

    def restore(self, clients: Iterable[ClientTransaction], servers: Iterable[ServerTransaction]) -> None:
        """Go on with transactions that stood elsewhere."""
        for client in clients:
            self._add_client(client)
            self._scheduler.watch(client)
        for server in servers:
            self._register(server)
            self._scheduler.watch(server)

    # --- what the transport did not carry ---------------------------------------------------------

    def on_connection_lost(self, lost: LostConnection) -> None:
        """Recover what waits for a connection that broke or did not open, or report it."""
        for client in list(self._clients.values()):
            if lost.carries(client.destination):
                self._recover_client(client, lost)
        if not lost.connected:
            for server in list(self._servers.values()):
                if lost.carries(server.destination):
                    self._fail_server(server)

    def _recover_client(self, client: ClientTransaction, lost: LostConnection) -> None:
        machine = client.machine
        if not lost.connected and client.destination.transport is not client.requested_hop.transport:
            self._fall_back_to_udp(client)
        elif lost.connected and not client.was_resent and machine.state in {"calling", "trying"}:
            # An idle connection may break just when it is used. To the peer this is a repetition
            # (RFC 3261 section 17.2).
            client.was_resent = True
            self._tap.record_sent(client.request, client.destination)
            if not self._send(machine.stored, client.destination):
                self._fail_client(client)
        else:
            self._fail_client(client)

    def _fall_back_to_udp(self, client: ClientTransaction) -> None:
        """No TCP there: by UDP after all, though the request is large (RFC 3261 section 18.1.1)."""
        bare = msgspec.structs.replace(client.request, sent_by="")
        client.request, message, client.destination = self._addressed(bare, client.requested_hop)
        client.machine, commands = self._machine(client.request, message, client.destination)
        self.run_client(client, commands)

    def _fail_client(self, client: ClientTransaction) -> None:
        if not client.machine.ended:
            self.run_client(
                client, client.machine.receive(TransactionEvent.TRANSPORT_ERROR, self._scheduler.now())
            )

    def _fail_server(self, server: ServerTransaction) -> None:
        if not server.machine.ended:
            self.run_server(
                server, server.machine.receive(TransactionEvent.TRANSPORT_ERROR, self._scheduler.now())
            )


def _server_key(request: Request, method: str) -> ServerKey:
    """RFC 3261 section 17.2.3. A branch without the cookie identifies nothing: then the whole of
    RFC 2543's rule."""
    via = request.via
    if via.branch.startswith(COOKIE):
        return via.branch, via.host, str(via.port), method
    return request.head.vias[0], request.head.call_id, request.from_tag, str(request.cseq), method


def _merge_key(request: Request) -> tuple[str, str, str, str]:
    return request.head.call_id, request.from_tag, request.head.cseq, called_user(request.uri)
