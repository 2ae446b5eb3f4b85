"""A SIP machine that is written out half-way and read back goes on as the one that was not."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.leg.provisional import ReceivedProvisionals
from b2bua.sip.leg.reliable_answer import ReliableAnswer
from b2bua.sip.leg.reliable_answer import ReliableAnswerEvent as AnswerEvent
from b2bua.sip.leg.session_timer import SessionTimer
from b2bua.sip.snapshot import Machine, read_machines, write_machines
from b2bua.sip.transaction.invite_client import InviteClient
from b2bua.sip.transaction.invite_server import InviteServer
from b2bua.sip.transaction.non_invite_client import NonInviteClient
from b2bua.sip.transaction.non_invite_server import NonInviteServer
from b2bua.sip.transaction.transaction import IllegalEventError, Timers, TransactionEvent

TIMERS = Timers()
STEPS = st.lists(st.tuples(st.sampled_from(list(TransactionEvent)), st.floats(0, 40)), max_size=12)


def again(machine: Machine, now: float) -> Any:
    [found] = read_machines(write_machines([machine], now), now)
    assert type(found) is type(machine)
    assert found is not machine
    return found


def opened(kind: type, reliable: bool) -> Any:
    if kind in (InviteClient, NonInviteClient):
        return kind.open(b"request", 0.0, TIMERS, reliable)[0]
    return kind.open(TIMERS, reliable)


def step(machine: Any, event: TransactionEvent, now: float) -> object:
    with contextlib.suppress(IllegalEventError):
        return machine.receive(event, now, b"message")
    return None


@given(
    kind=st.sampled_from([InviteClient, InviteServer, NonInviteClient, NonInviteServer]),
    reliable=st.booleans(),
    before=STEPS,
    after=STEPS,
)
def test_a_transaction_goes_on(kind: type, reliable: bool, before: list[Any], after: list[Any]) -> None:
    machine, now = opened(kind, reliable), 0.0
    for event, delay in before:
        now += delay
        step(machine, event, now)
    twin = again(machine, now)
    for event, delay in after:
        now += delay
        assert twin.deadline() == machine.deadline()
        assert step(twin, event, now) == step(machine, event, now)
        assert (twin.state, twin.ended) == (machine.state, machine.ended)


@given(delays=st.lists(st.floats(0, 10), max_size=8), at=st.integers(0, 8), ack=st.integers(0, 8))
def test_what_waits_for_its_ack_goes_on(delays: list[float], at: int, ack: int) -> None:
    machine = twin = ReliableAnswer.open(b"200", 1, 0.0, TIMERS)
    now = 0.0
    for number, delay in enumerate(delays):
        now += delay
        if number == at:
            twin = again(machine, now)
        if number == ack:
            assert machine.receive(AnswerEvent.ACK, now) == (
                [] if twin is machine else twin.receive(AnswerEvent.ACK, now)
            )
        said = machine.expire(now)
        assert twin is machine or twin.expire(now) == said
        assert twin.deadline() == machine.deadline()


@given(
    interval=st.integers(0, 4000),
    ours=st.booleans(),
    delays=st.lists(st.floats(0, 2000), max_size=6),
    at=st.integers(0, 6),
)
def test_a_session_timer_goes_on(interval: int, ours: bool, delays: list[float], at: int) -> None:
    machine = twin = SessionTimer()
    machine.agree(interval, ours, 0.0)
    now = 0.0
    for number, delay in enumerate(delays):
        now += delay
        if number == at:
            twin = again(machine, now)
        due = machine.expire(now)
        assert twin is machine or twin.expire(now) == due
        assert twin.deadline() == machine.deadline()


@given(
    numbers=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5)), max_size=20), at=st.integers(0, 20)
)
def test_who_was_acknowledged_is_known(numbers: list[tuple[str, int]], at: int) -> None:
    machine = twin = ReceivedProvisionals()
    for number, (tag, rseq) in enumerate(numbers):
        if number == at:
            twin = again(machine, 0.0)
        news = machine.is_next(tag, rseq)
        assert twin is machine or twin.is_next(tag, rseq) == news
