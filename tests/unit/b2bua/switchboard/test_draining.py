"""A drain: its table, its times, whom it refuses, and what it waits for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

import msgspec
import pytest

from b2bua.call import leg_command
from b2bua.call.leg import LegHungUp, LegId
from b2bua.call.service_view import ServiceView, reasons_against_calls, takes_calls
from b2bua.switchboard.draining import DRAIN_TRANSITIONS, Drain, DrainEvent, DrainState
from b2bua.switchboard.end import End
from b2bua.switchboard.supervised import (
    DrainCalls,
    Reloaded,
    ReloadSettings,
    Request,
    connected,
    send_request,
)
from media.events import CaptureState
from provider_adapters.payment import Approved
from tests.call_script import ORDER
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange
from tonewall.turn import HANDED_OVER


class Engine:
    """An engine that notes that peers are sent elsewhere."""

    drained = 0

    def drain(self) -> None:
        self.drained += 1


def driven(exchange: Exchange, drain_time: float = 600.0) -> tuple[End, Engine, asyncio.Task[None]]:
    """The end of that switchboard's process, which waits."""
    exchange.plan.drain.drain_time = drain_time
    end, engine = End(exchange.plan.drain, exchange.board._context.clock), Engine()
    return end, engine, asyncio.create_task(end.wait(exchange.board, engine))


@pytest.mark.parametrize("state", DrainState)
@pytest.mark.parametrize("event", DrainEvent)
def test_every_event_in_every_state(state: DrainState, event: DrainEvent) -> None:
    drain = Drain(10.0)
    drain.state = state
    after = DRAIN_TRANSITIONS[state].get(event, state)
    assert drain.receive(event, 5.0) is (after is not state)
    assert drain.state is after
    assert drain.deadline() == (
        15.0 if (state, after) == (DrainState.ACCEPTING, DrainState.DRAINING) else None
    )


def test_a_drain_is_over_after_its_time_and_not_before() -> None:
    drain = Drain(10.0)
    assert not drain.expire(1e9)
    drain.receive(DrainEvent.DRAIN, 100.0)
    assert not drain.receive(DrainEvent.DRAIN, 105.0)  # asked for twice, it lasts as long
    assert not drain.expire(109.9)
    assert drain.expire(110.0)
    assert drain.state is DrainState.ENDING
    assert drain.deadline() is None


@pytest.mark.parametrize(("left", "later"), [(600.0, 60), (30.5, 31), (2.0, 5), (0.0, 5)])
def test_who_is_refused_may_come_back_within_a_minute(left: float, later: int) -> None:
    drain = Drain(left)
    assert drain.retry_after(0.0) == 0
    drain.receive(DrainEvent.DRAIN, 0.0)
    assert drain.retry_after(0.0) == later


def test_a_drain_stops_new_calls_and_nothing_else() -> None:
    drain = Drain(10.0)
    drain.receive(DrainEvent.END, 0.0)
    assert drain.fault() is None  # an end without a drain is no fault
    drain = Drain(10.0)
    drain.receive(DrainEvent.DRAIN, 0.0)
    fault = drain.fault()
    assert fault is not None
    assert (fault.what, fault.stops) == ("draining", None)
    assert not takes_calls((fault,))
    assert reasons_against_calls((fault,)) == ["draining"]


async def test_new_calls_are_refused_and_those_that_are_up_go_on_and_pay() -> None:
    exchange = Exchange()
    call_id = exchange.up()
    end, engine, waiting = driven(exchange)
    follower = exchange.board.follow()
    end.after_drain()
    await until(lambda: engine.drained, "peers to be sent elsewhere")
    exchange.invite("near-1")
    assert exchange.wire.to("near-1") == [leg_command.RejectLeg(503, "Service Unavailable", retry_after=60)]
    exchange.invite("near-2", "pbx", replaces=LegId("far-0"))
    assert not any(isinstance(command, leg_command.RejectLeg) for command in exchange.wire.to("near-2"))
    exchange.board.on_leg_event(LegId("near-2"), LegHungUp("bye"))

    await exchange.board.start_capture(call_id, ORDER)
    exchange.tell(call_id, CaptureState.COLLECTING)
    exchange.tell(call_id, CaptureState.READY)
    await exchange.board.submit_capture(call_id)
    exchange.board.on_leg_event(LegId("near-0"), LegHungUp("bye"))
    assert exchange.board.is_busy()  # the charge is under way
    exchange.tell(call_id, CaptureState.FINISHED, outcome=Approved(reference="r"))
    await asyncio.wait_for(waiting, 30)
    assert exchange.plan.drain.state is DrainState.ENDING
    follower._end()
    shown = [item async for item in follower if isinstance(item, ServiceView)]
    assert "draining" in [fault.what for fault in shown[-1].faults]


async def test_without_a_call_it_ends_at_once_and_with_one_at_a_second_wish() -> None:
    end, engine, waiting = driven(Exchange())
    end.after_drain()
    await asyncio.wait_for(waiting, 30)
    assert engine.drained == 1

    exchange = Exchange()
    exchange.up()
    end, engine, waiting = driven(exchange)
    end.after_drain()
    await until(lambda: engine.drained, "the drain")
    assert not waiting.done()
    end.at_once()
    await asyncio.wait_for(waiting, 30)
    assert exchange.board.calls_left() == 1

    end, engine, waiting = driven(Exchange())
    end.at_once()
    await asyncio.wait_for(waiting, 30)
    assert engine.drained == 0  # it is no drain


async def test_calls_that_do_not_end_are_left_when_the_time_is_over() -> None:
    exchange = Exchange()
    exchange.up()
    end, engine, waiting = driven(exchange)
    end.after_drain()
    await until(lambda: engine.drained, "the drain")
    exchange.passed = 599.0
    assert not waiting.done()
    exchange.passed = 601.0
    await asyncio.wait_for(waiting, 30)
    assert exchange.board.calls_left() == 1


async def test_the_supervisor_asks_by_its_socket_and_may_go_away() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asked: list[tuple[Request, Mapping[str, str]]] = []

    def take(request: Request, environment: Mapping[str, str]) -> Reloaded | None:
        asked.append((request, environment))
        return Reloaded(why="no") if isinstance(request, ReloadSettings) else None

    large = {"TONEWALL_API_TOKENS": "x" * 1_000_000}  # more than a packet holds
    with connected(theirs.detach(), take):
        send_request(ours, DrainCalls())
        send_request(ours, ReloadSettings(by="SIGHUP"), large)
        await until(lambda: len(asked) == 2, "both requests")
        assert msgspec.json.decode(ours.recv(100), type=Reloaded) == Reloaded(why="no")
        ours.close()
        await asyncio.sleep(0)
    assert asked == [(DrainCalls(), {}), (ReloadSettings(by="SIGHUP"), large)]


async def test_calls_are_handed_over_at_once_unless_they_are_to_end() -> None:
    exchange = Exchange()
    call_id = exchange.up()
    end, engine, waiting = driven(exchange)
    assert (end.hands_over, end.status, exchange.board.payments_under_way()) == (False, 0, 0)
    await exchange.board.start_capture(call_id, ORDER)
    assert exchange.board.payments_under_way() == 1
    end.hand_over()
    await asyncio.wait_for(waiting, 30)
    assert (end.hands_over, end.status, engine.drained) == (True, HANDED_OVER, 0)
    assert exchange.plan.drain.state is DrainState.ACCEPTING
    end.at_once()
    assert (end.hands_over, end.status) == (False, 0)
