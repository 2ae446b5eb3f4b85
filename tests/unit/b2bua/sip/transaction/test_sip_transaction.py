"""The four transaction machines: against their tables, and against each other over a network that
loses packets."""

from __future__ import annotations

import heapq
from itertools import count

import msgspec
import pytest

from b2bua.sip.leg.reliable_answer import ReliableAnswer
from b2bua.sip.leg.reliable_answer import ReliableAnswerEvent as AnswerEvent
from b2bua.sip.leg.reliable_answer import ReliableAnswerState as AnswerState
from b2bua.sip.transaction import invite_client, invite_server, non_invite_client, non_invite_server
from b2bua.sip.transaction.invite_client import InviteClient
from b2bua.sip.transaction.invite_server import InviteServer
from b2bua.sip.transaction.non_invite_client import NonInviteClient
from b2bua.sip.transaction.non_invite_server import NonInviteServer
from b2bua.sip.transaction.transaction import (
    DELIVER,
    TIMED_OUT,
    UNREACHABLE,
    IllegalEventError,
    Send,
    Timers,
    TransactionEvent,
)

TIMERS = Timers()
MODULES = (invite_client, invite_server, non_invite_client, non_invite_server)
KINDS = (InviteClient, InviteServer, NonInviteClient, NonInviteServer)


def opened(kind):
    return kind.open(b"request", 0.0, TIMERS)[0] if "Client" in kind.__name__ else kind.open(TIMERS)


@pytest.mark.parametrize(("module", "kind"), list(zip(MODULES, KINDS, strict=True)))
def test_every_state_and_event_does_what_the_table_says_or_changes_nothing(module, kind):
    for state in module.TRANSITIONS:
        for event in TransactionEvent:
            machine = opened(kind)
            machine.state = state
            before = msgspec.structs.asdict(machine) | {"due": dict(machine.due)}
            after = module.TRANSITIONS[state].get(event)
            if after is None:
                with pytest.raises(IllegalEventError):
                    machine.receive(event, 1.0, b"message")
                assert msgspec.structs.asdict(machine) == before
            else:
                machine.receive(event, 1.0, b"message")
                assert machine.state is after
                assert machine.ended == (after.name == "TERMINATED")


@pytest.mark.parametrize("module", MODULES)
def test_every_state_can_be_reached_and_left(module):
    states = set(module.TRANSITIONS)
    targets = {after for row in module.TRANSITIONS.values() for after in row.values()}
    start = next(iter(module.TRANSITIONS))
    assert targets | {start} == states
    for state in states - {"terminated"}:
        assert set(module.TRANSITIONS[state].values()) - {state}


@pytest.mark.parametrize("kind", KINDS)
def test_a_machine_is_written_out_and_read_back(kind):
    machine = opened(kind)
    assert msgspec.json.decode(msgspec.json.encode(machine), type=kind) == machine


def sends_of(machine, until: float) -> list[float]:
    """When the machine sends, left alone until then."""
    times = []
    while (when := machine.deadline()) is not None and when <= until:
        times += [when] * sum(isinstance(command, Send) for command in machine.expire(when))
    return times


def test_an_unanswered_invite_is_sent_seven_times_and_given_up_after_32_seconds():
    machine, commands = InviteClient.open(b"INVITE", 0.0, TIMERS)
    assert commands == [Send(b"INVITE")]
    assert sends_of(machine, 31.9) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert machine.expire(32.0) == [TIMED_OUT]
    assert machine.ended
    assert machine.deadline() is None


def test_an_unanswered_bye_is_sent_ever_slower_up_to_four_seconds():
    machine, _ = NonInviteClient.open(b"BYE", 0.0, TIMERS)
    assert sends_of(machine, 31.9) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert machine.expire(32.0) == [TIMED_OUT]


def test_a_provisional_stops_the_invite_and_slows_the_bye():
    invite, _ = InviteClient.open(b"INVITE", 0.0, TIMERS)
    assert invite.receive(TransactionEvent.PROVISIONAL, 0.1) == [DELIVER]
    assert invite.deadline() is None
    bye, _ = NonInviteClient.open(b"BYE", 0.0, TIMERS)
    bye.receive(TransactionEvent.PROVISIONAL, 0.1)
    assert sends_of(bye, 10.0) == [0.5, 4.5, 8.5]


def test_each_repetition_of_a_refusal_is_acknowledged_and_reported_once():
    machine, _ = InviteClient.open(b"INVITE", 0.0, TIMERS)
    assert machine.receive(TransactionEvent.FAILURE, 1.0, b"ACK") == [Send(b"ACK"), DELIVER]
    assert machine.receive(TransactionEvent.FAILURE, 2.0, b"other ACK") == [Send(b"ACK")]
    assert machine.deadline() == 33.0
    machine.expire(33.0)
    assert machine.ended


def test_each_repetition_of_a_2xx_reaches_the_dialog_for_64_t1():
    machine, _ = InviteClient.open(b"INVITE", 0.0, TIMERS)
    assert machine.receive(TransactionEvent.SUCCESS, 1.0) == [DELIVER]
    assert machine.receive(TransactionEvent.SUCCESS, 20.0) == [DELIVER]
    assert machine.deadline() == 33.0


def test_a_refusal_is_repeated_until_its_ack_and_reported_if_none_comes():
    machine = InviteServer.open(TIMERS)
    assert machine.receive(TransactionEvent.FAILURE, 0.0, b"486") == [Send(b"486")]
    assert sends_of(machine, 31.9) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert machine.expire(32.0) == [TIMED_OUT]
    machine = InviteServer.open(TIMERS)
    machine.receive(TransactionEvent.FAILURE, 0.0, b"486")
    machine.receive(TransactionEvent.ACK, 0.1)
    assert sends_of(machine, 5.0) == []
    assert machine.deadline() == 5.1


def test_a_repeated_request_gets_the_newest_answer_again():
    server = InviteServer.open(TIMERS)
    assert server.receive(TransactionEvent.REQUEST, 0.0) == []
    server.receive(TransactionEvent.PROVISIONAL, 0.0, b"100")
    server.receive(TransactionEvent.PROVISIONAL, 0.0, b"180")
    assert server.receive(TransactionEvent.REQUEST, 0.6) == [Send(b"180")]
    server.receive(TransactionEvent.SUCCESS, 0.7, b"200")
    assert server.receive(TransactionEvent.REQUEST, 0.8) == []  # RFC 6026: the 2xx is repeated by the dialog
    bye = NonInviteServer.open(TIMERS)
    bye.receive(TransactionEvent.SUCCESS, 0.0, b"200")
    assert bye.receive(TransactionEvent.REQUEST, 0.5) == [Send(b"200")]
    assert bye.deadline() == 32.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_transport_that_refuses_ends_an_open_transaction(kind):
    machine = opened(kind)
    assert machine.receive(TransactionEvent.TRANSPORT_ERROR, 0.0) == [UNREACHABLE]
    assert machine.ended


def test_a_2xx_is_repeated_until_its_ack():
    answer = ReliableAnswer.open(b"200", 1, 0.0, TIMERS)
    assert answer.expire(0.4) == []
    times = []
    while answer.deadline() is not None and (now := answer.deadline()) < 32.0:
        times += [now for command in answer.expire(now) if isinstance(command, Send)]
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert answer.expire(32.0) == [TIMED_OUT]
    assert answer.state is AnswerState.LOST
    answer = ReliableAnswer.open(b"200", 1, 0.0, TIMERS)
    answer.receive(AnswerEvent.ACK, 0.1)
    assert answer.deadline() is None
    assert answer.expire(40.0) == []


class LossyNetwork:
    """A client machine and a server machine, 10 ms apart. `losses`: bit n says that datagram n is
    lost."""

    def __init__(self, client_kind, server_kind, final: TransactionEvent, losses: int) -> None:
        self.losses, self.sent, self.order = losses, count(), count()
        self.queue: list[tuple[float, int, str, bytes]] = []
        self.client, commands = client_kind.open(b"request", 0.0, TIMERS)
        self.server_kind, self.final = server_kind, final
        self.server = None
        self.served = 0  # how often the server's user was asked
        self.delivered: list[object] = []  # commands for the client's user
        self.run(commands, "server", 0.0)

    def run(self, commands, to: str, now: float) -> None:
        for command in commands:
            if not isinstance(command, Send):
                if to == "server":
                    self.delivered.append(command)
            elif not self.losses >> next(self.sent) & 1:
                heapq.heappush(self.queue, (now + 0.01, next(self.order), to, command.message))

    def at_server(self, message: bytes, now: float) -> None:
        if message == b"ACK":
            if self.server is not None:
                self.run(self.server.receive(TransactionEvent.ACK, now), "client", now)
        elif self.server is None:
            self.served += 1
            self.server = self.server_kind.open(TIMERS)
            self.run(self.server.receive(self.final, now, b"final"), "client", now)
        else:
            self.run(self.server.receive(TransactionEvent.REQUEST, now), "client", now)

    def play(self) -> None:
        while True:
            machines = [machine for machine in (self.client, self.server) if machine is not None]
            due = min((d for machine in machines if (d := machine.deadline()) is not None), default=None)
            arrival = self.queue[0][0] if self.queue else None
            if due is None and arrival is None:
                return
            if arrival is not None and (due is None or arrival <= due):
                now, _, to, message = heapq.heappop(self.queue)
                if to == "server":
                    self.at_server(message, now)
                elif not self.client.ended:
                    self.run(self.client.receive(self.final, now, b"ACK"), "server", now)
            else:
                for machine, to in ((self.client, "server"), (self.server, "client")):
                    if machine is not None and machine.deadline() == due:
                        self.run(machine.expire(due), to, due)


@pytest.mark.parametrize("losses", range(64))
@pytest.mark.parametrize(
    ("client", "server", "final"),
    [
        (InviteClient, InviteServer, TransactionEvent.FAILURE),
        (NonInviteClient, NonInviteServer, TransactionEvent.SUCCESS),
    ],
    ids=["a refused INVITE", "a BYE"],
)
def test_a_request_is_served_once_whatever_is_lost_of_the_first_six_datagrams(client, server, final, losses):
    network = LossyNetwork(client, server, final, losses)
    network.play()
    assert network.delivered == [DELIVER]
    assert network.served == 1
    assert network.client.ended
    assert network.server.ended


def reliable(kind):
    return (
        kind.open(b"request", 0.0, TIMERS, True)[0] if "Client" in kind.__name__ else kind.open(TIMERS, True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_over_a_reliable_transport_nothing_is_sent_again(kind):
    machine = reliable(kind)
    if kind is InviteServer:
        machine.receive(TransactionEvent.FAILURE, 0.0, b"486")
    assert sends_of(machine, 31.9) == []
    if kind is not NonInviteServer:
        assert machine.deadline() == 32.0  # timers B, F and H are for every transport
        assert machine.expire(32.0) == [TIMED_OUT]


@pytest.mark.parametrize("kind", KINDS)
def test_over_a_reliable_transport_nothing_waits_for_repetitions(kind):
    machine = reliable(kind)
    machine.receive(TransactionEvent.FAILURE, 1.0, b"message")
    if kind is InviteServer:
        machine.receive(TransactionEvent.ACK, 1.0)
    assert machine.deadline() == 1.0  # timers D, I, J and K
    machine.expire(1.0)
    assert machine.ended


def test_a_2xx_is_kept_for_64_t1_over_a_reliable_transport_too():
    machine = reliable(InviteClient)
    machine.receive(TransactionEvent.SUCCESS, 1.0)
    assert machine.deadline() == 33.0
